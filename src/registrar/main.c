/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vfio-displayd-registrar: tells a fleet's etcd which displays this host has, and Redis under which tokens websockify finds them.
 *
 * One thread and one loop. Each part does what is due when it has its turn, and may wait for its peer a bounded time meanwhile; what the
 * others want then is late, and neither lost nor wrong, for each compares what should be with what is.
 */
#include <curl/curl.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "registrar/catalogue.h"
#include "registrar/etcd.h"
#include "registrar/settings.h"
#include "registrar/tokens.h"
#include "registrar/watch.h"
#include "state/herald.h"

#define PROGRAM "vfio-displayd-registrar"

/* What a service manager does not start again, as of vfio-displayd. */
#define EXIT_USAGE 2

struct registrar {
	struct catalogue catalogue;
	struct watch watch;
	struct etcd etcd;
	struct tokens tokens;
	struct herald herald;
	size_t told; /* displays, as systemctl status shows */
	bool told_well;
};

static void help(void)
{
	const char *name, *about;

	printf("Usage: " PROGRAM " [--config FILE] [--KEY VALUE...]\n\n"
	       "Keeps a record of each display of vfio-displayd in etcd.\n\nKeys:\n");
	for (size_t i = 0; settings_name(i, &name, &about); i++)
		printf("  --%-20s %s\n", name, about);
	printf("\n" PROGRAM "(8) says more.\n");
}

static int open_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int registrar_init(struct registrar *registrar, const struct settings *settings)
{
	int r;

	*registrar = (struct registrar){.told = SIZE_MAX};
	herald_init(&registrar->herald);
	watch_init(&registrar->watch, settings, &registrar->catalogue);
	r = catalogue_init(&registrar->catalogue, settings);
	if (r >= 0)
		r = etcd_init(&registrar->etcd, settings, &registrar->catalogue);
	if (r >= 0)
		r = tokens_init(&registrar->tokens, settings, &registrar->catalogue);
	return r;
}

static void registrar_finish(struct registrar *registrar)
{
	tokens_finish(&registrar->tokens);
	etcd_finish(&registrar->etcd);
	watch_finish(&registrar->watch);
	catalogue_finish(&registrar->catalogue);
	herald_finish(&registrar->herald);
}

/* For `systemctl status`. */
static void tell(struct registrar *registrar)
{
	size_t n = json_object_size(registrar->catalogue.records);
	bool well = !registrar->watch.told && !registrar->etcd.told && !registrar->tokens.told;

	herald_turn(&registrar->herald);
	if (n == registrar->told && well == registrar->told_well)
		return;
	registrar->told = n;
	registrar->told_well = well;
	herald_status(&registrar->herald, "%zu displays%s%s%s", n,
		registrar->watch.told ? ", vfio-displayd is away" : "",
		registrar->etcd.told ? ", etcd is away" : "",
		registrar->tokens.told ? ", Redis is away" : "");
}

/* Until a signal or something that is due. false: it is to end. */
static bool rest(const struct registrar *registrar, int signals)
{
	struct pollfd fds[] = {
		{.fd = signals, .events = POLLIN},
		{.fd = watch_fd(&registrar->watch), .events = POLLIN},
	};
	uint64_t stores = MIN(etcd_due(&registrar->etcd), tokens_due(&registrar->tokens));
	uint64_t due = MIN(watch_due(&registrar->watch), stores), now = loop_now_ms();
	uint64_t left = MIN(due > now ? due - now : 0, herald_rest(&registrar->herald));

	poll(fds, ARRAY_SIZE(fds), (int)MIN(left, 60000u));
	return !fds[0].revents;
}

static int run(const struct settings *settings)
{
	_cleanup_fd_ int signals = open_signals();
	struct registrar registrar;
	int r;

	if (signals < 0)
		return signals;
	r = registrar_init(&registrar, settings);
	if (r >= 0) {
		log_info(NULL, "displays of %s stand below %s/%s/ in etcd", settings->socket,
			settings->prefix, settings->host);
		herald_ready(&registrar.herald);
		do {
			watch_turn(&registrar.watch);
			etcd_turn(&registrar.etcd);
			tokens_turn(&registrar.tokens);
			tell(&registrar);
		} while (rest(&registrar, signals));
		herald_stopping(&registrar.herald);
	}
	registrar_finish(&registrar);
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_free_ char *error = NULL;
	enum settings_wish wish;
	struct settings settings;
	int r, status = EXIT_SUCCESS;

	setlocale(LC_CTYPE, "");
	r = settings_read(&settings, argc, argv, &wish, &error);
	if (r < 0) {
		fprintf(stderr, PROGRAM ": %s\n", error ? error : strerror(-r));
		status = EXIT_USAGE;
	} else if (wish == SETTINGS_HELP) {
		help();
	} else if (wish == SETTINGS_VERSION) {
		puts(PROGRAM " " PACKAGE_VERSION);
	} else {
		log_open(PROGRAM, settings.log_level);
		curl_global_init(CURL_GLOBAL_DEFAULT);
		r = run(&settings);
		if (r < 0) {
			log_err(NULL, "cannot run: %s", strerror(-r));
			status = r == -EINVAL || r == -ENOTSUP ? EXIT_USAGE : EXIT_FAILURE;
		}
		curl_global_cleanup();
	}
	settings_finish(&settings);
	return status;
}
