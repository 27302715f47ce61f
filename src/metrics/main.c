/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vfio-displayd-metrics: answers HTTP requests for the daemon's metrics, in a process that holds nothing but them. Started by
 * vfio-displayd with their link as fd 3; see metrics/link.h.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "metrics/sandbox.h"
#include "metrics/server.h"

#define PROGRAM "vfio-displayd-metrics"

/* Connections, listeners, a text that comes, and what the loop has. */
#define FILES (LIMIT_METRICS_CONNECTIONS + LIMIT_METRICS_LISTENERS + 16)

static bool is_link(int fd)
{
	int type = 0;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

int main(void)
{
	const struct rlimit files = {FILES, FILES};
	struct metrics_server *server = NULL;
	int r;

	log_open(PROGRAM, LOG_LEVEL_INFO);
	if (!is_link(SPAWN_SOCKET)) {
		fprintf(stderr, PROGRAM " is started by vfio-displayd, not by hand.\n");
		return EXIT_FAILURE;
	}
	if (close_range(SPAWN_SOCKET + 1, ~0u, 0) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0)
		log_warn(NULL, "cannot confine itself: %m");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* the daemon's, as the next is */
	signal(SIGUSR1, SIG_IGN);
	confine_be_first_to_go();
	fcntl(SPAWN_SOCKET, F_SETFD, FD_CLOEXEC);
	tzset(); /* the answers have a date */
	r = metrics_server_create(SPAWN_SOCKET, &server);
	/* The first line opens the way to the journal, which the sandbox would not let us find. */
	log_write(LOG_LEVEL_INFO, NULL, "metrics are served");
	if (r == 0)
		r = metrics_sandbox_enter();
	if (r == 0)
		r = metrics_server_run(server);
	if (r < 0)
		log_err(NULL, "%s", r == -EPROTO ? "the daemon sends nonsense" : strerror(-r));
	metrics_server_destroy(server);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
