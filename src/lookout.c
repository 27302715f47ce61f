/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lookout.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/config.h"
#include "base/discard.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/tally.h"
#include "bulletin.h"
#include "display.h"
#include "dump.h"
#include "handover/address.h"
#include "handover/descriptor.h"
#include "manager.h"
#include "scrape.h"
#include "state/notify.h"
#include "varlink/server.h"

struct lookout {
	struct manager *manager;
	struct scrape *scrape;
	struct loop_source *on_usr1, *timer;
	struct bulletin_listener listener;
	bool listens;
	bool due; /* the timer runs */
	uint64_t told_at;
	char told[128];
	char *path; /* of the configured Unix socket, to unlink; NULL: none */
};

static void on_timer(void *arg)
{
	struct lookout *lookout = arg;
	unsigned int live = 0, waiting = 0, others = 0, viewers = 0;
	struct display *display = NULL;
	struct display_runtime runtime;
	char text[sizeof(lookout->told)];

	lookout->due = false;
	while ((display = manager_next(lookout->manager, display))) {
		display_runtime(display, &runtime);
		viewers += runtime.viewers;
		if (runtime.state == DISPLAY_LIVE)
			live++;
		else if (runtime.state == DISPLAY_OFFERED)
			waiting++;
		else
			others++;
	}
	snprintf(text, sizeof(text),
		"%u display%s live, %u waiting, %u without a picture, %u viewer%s", live,
		live == 1 ? "" : "s", waiting, others, viewers, viewers == 1 ? "" : "s");
	if (strcmp(text, lookout->told) == 0)
		return;
	memcpy(lookout->told, text, sizeof(text));
	lookout->told_at = loop_now_ms();
	notify_status("%s", text);
}

static void on_event(void *arg, const struct bulletin_event *event)
{
	struct lookout *lookout = arg;
	uint64_t since;

	if (lookout->due)
		return;
	lookout->due = true;
	since = loop_now_ms() - lookout->told_at;
	loop_timer_once(lookout->timer, since < LIMIT_STATUS_MS ? LIMIT_STATUS_MS - since : 0);
}

/* Names of methods and errors are the daemon's own texts. */
static void on_answer(void *arg, const char *method, const char *error)
{
	const char *dot = strrchr(error, '.');

	tally_count(TALLY_CALLS, method, dot ? dot + 1 : error);
	if (strcmp(method, "Register") == 0 && error[0])
		tally_count(TALLY_REFUSALS, dot ? dot + 1 : error, "");
}

static void on_signal(void *arg)
{
	struct lookout *lookout = arg;

	dump_log(lookout->manager);
}

int lookout_create(struct loop *loop, struct manager *manager, struct varlink_server *server,
	struct lookout **ret)
{
	struct lookout *lookout = new0(struct lookout);
	int r;

	if (!lookout)
		return -ENOMEM;
	lookout->manager = manager;
	lookout->listener = (struct bulletin_listener){.fn = on_event, .arg = lookout};
	/* Nobody to tell: no wake-up either. */
	lookout->listens = getenv("NOTIFY_SOCKET") != NULL;
	if (lookout->listens)
		bulletin_listen(&lookout->listener);
	r = loop_timer_add(loop, on_timer, lookout, &lookout->timer);
	if (r == 0)
		r = loop_signal_add(loop, SIGUSR1, on_signal, lookout, &lookout->on_usr1);
	if (r == 0)
		r = scrape_create(
			loop, manager_config(manager)->metrics_program, manager, &lookout->scrape);
	if (r < 0)
		lookout_destroy(lookout);
	else
		*ret = lookout;
	if (r == 0)
		varlink_server_on_answer(server, on_answer, NULL);
	return r;
}

void lookout_destroy(struct lookout *lookout)
{
	if (!lookout)
		return;
	if (lookout->listens)
		bulletin_unlisten(&lookout->listener);
	scrape_destroy(lookout->scrape);
	loop_source_free(lookout->on_usr1);
	loop_source_free(lookout->timer);
	if (lookout->path)
		unlink(lookout->path);
	free(lookout->path);
	free(lookout);
}

static int complain(const char *where, int error)
{
	log_err(NULL, "metrics at %s: %s", where,
		error == -EACCES   ? "others than this host could read them; that needs insecure = "
				     "yes in [metrics]"
		: error == -EINVAL ? "is not HOST:PORT, [HOST]:PORT, *:PORT or unix:/PATH"
				   : strerror(-error));
	return error;
}

static int listen_configured(struct lookout *lookout, const struct config *config)
{
	const char *address = config->metrics_listen, *path;
	int fd, r;

	if (!address)
		return 0;
	r = address_listen(address, &fd);
	if (r < 0)
		return complain(address, r);
	path = address_path(address);
	if (path)
		lookout->path = strdup(path);
	r = scrape_listen(lookout->scrape, fd, config->metrics_insecure);
	return r < 0 ? complain(address, r) : 0;
}

int lookout_listen(struct lookout *lookout, struct notify_socket *inherited, size_t n)
{
	const struct config *config = manager_config(lookout->manager);

	for (size_t i = 0; i < n; i++) {
		const char *unfit;
		int r;

		if (inherited[i].fd < 0 || strcmp(inherited[i].name, "metrics") != 0)
			continue;
		unfit = descriptor_listener(inherited[i].fd);
		if (unfit) {
			log_err(NULL, "inherited socket \"metrics\": %s", unfit);
			return -EINVAL;
		}
		r = scrape_listen(
			lookout->scrape, take_fd(&inherited[i].fd), config->metrics_insecure);
		if (r < 0)
			return complain("an inherited socket", r);
	}
	if (lookout->listens)
		loop_timer_once(lookout->timer, 0);
	return listen_configured(lookout, config);
}
