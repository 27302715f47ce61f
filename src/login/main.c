/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vfio-displayd-login: says whether a user's password is right, by a file of crypt(3) hashes and by PAM, in a process of its own, so that
 * neither a slow hash nor a module's code is in the daemon. Started by vfio-displayd with their socket as fd 3; see
 * frame/login_link.h.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "frame/link.h"
#include "frame/login_link.h"
#include "login/pam.h"
#include "login/passwords.h"
#include "login/sandbox.h"

#define PROGRAM "vfio-displayd-login"

/* What a module opens. */
#define FILES 64

struct arguments {
	const char *passwords, *pam_service, *pam_directory; /* NULL: none */
};

static int parse_arguments(int argc, char **argv, struct arguments *ret)
{
	static const struct option options[] = {
		{"passwords", required_argument, NULL, 'p'},
		{"pam-service", required_argument, NULL, 's'},
		{"pam-directory", required_argument, NULL, 'd'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'p')
			ret->passwords = optarg;
		else if (c == 's')
			ret->pam_service = optarg;
		else if (c == 'd')
			ret->pam_directory = optarg;
		else
			return -EINVAL;
	}
	return optind == argc ? 0 : -EINVAL;
}

static bool is_link(int fd)
{
	int type = 0;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

/* enum link_mode, 0: refused. */
static uint32_t decide(const struct arguments *a, const struct login_message *ask)
{
	const struct pam_question question = {
		.service = a->pam_service,
		.directory = a->pam_directory,
		.user = ask->ask.user,
		.secret = ask->ask.secret,
		.display = ask->ask.display,
		.peer = ask->ask.peer,
	};
	enum passwords_verdict verdict = PASSWORDS_UNKNOWN;
	uint32_t mode = LINK_MODE_CONTROL; /* PAM's own users */

	if (a->passwords && passwords_check(a->passwords, ask->ask.user, ask->ask.secret,
				    ask->ask.display, &verdict, &mode) < 0)
		return 0;
	if (verdict == PASSWORDS_RIGHT)
		return mode;
	if (verdict == PASSWORDS_WRONG || !a->pam_service)
		return 0;
	return pam_check(&question) ? mode : 0;
}

/* Until the daemon hangs up. */
static int serve(const struct arguments *a)
{
	struct pollfd pollfd = {.fd = SPAWN_SOCKET, .events = POLLIN};
	struct login_message answer = {.type = LOGIN_READY, .ready.version = LOGIN_VERSION};
	struct login_message ask;
	int r;

	r = login_send(SPAWN_SOCKET, &answer);
	while (r >= 0) {
		r = login_receive(SPAWN_SOCKET, true, &ask);
		if (r == -EAGAIN) {
			r = poll(&pollfd, 1, -1) < 0 && errno != EINTR ? -errno : 0;
			continue;
		}
		if (r < 0)
			break;
		answer = (struct login_message){.type = LOGIN_ANSWER};
		answer.answer.number = ask.ask.number;
		answer.answer.mode = decide(a, &ask);
		explicit_bzero(&ask, sizeof(ask));
		r = login_send(SPAWN_SOCKET, &answer);
	}
	return r;
}

int main(int argc, char **argv)
{
	const struct rlimit files = {FILES, FILES};
	struct arguments arguments = {0};
	int r;

	log_open(PROGRAM, LOG_LEVEL_INFO);
	if (!is_link(SPAWN_SOCKET) || parse_arguments(argc, argv, &arguments) < 0) {
		fprintf(stderr, PROGRAM " is started by vfio-displayd, not by hand.\n");
		return EXIT_FAILURE;
	}
	/* A module that hangs would not notice that the daemon is gone. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || close_range(SPAWN_SOCKET + 1, ~0u, 0) < 0 ||
		setrlimit(RLIMIT_NOFILE, &files) < 0)
		log_warn(NULL, "cannot confine itself: %m");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* the daemon's, as the next is */
	signal(SIGUSR1, SIG_IGN);
	confine_be_first_to_go();
	fcntl(SPAWN_SOCKET, F_SETFD, FD_CLOEXEC);
	/* The first line opens the way to the journal, which the sandbox would not let us find. */
	log_write(LOG_LEVEL_INFO, NULL, "users may log in by %s%s%s",
		arguments.passwords ? arguments.passwords : "",
		arguments.passwords && arguments.pam_service ? " and " : "",
		arguments.pam_service ? "PAM" : "");
	r = login_sandbox_enter(arguments.pam_service);
	if (r == 0)
		r = serve(&arguments);
	if (r < 0 && r != -EPIPE)
		log_err(NULL, "%s", r == -EPROTO ? "the daemon sends nonsense" : strerror(-r));
	return r < 0 && r != -EPIPE ? EXIT_FAILURE : EXIT_SUCCESS;
}
