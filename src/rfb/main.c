/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vfio-displayd-rfb: one display's viewers, in a process that holds nothing but them and the picture. Started by
 * vfio-displayd with their link as fd 3; see frame/link.h.
 */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "rfb/broker.h"
#include "rfb/sandbox.h"
#include "rfb/tls.h"
#include "rfb/viewer.h"

#define PROGRAM "vfio-displayd-rfb"
#define LINK_FD 3

/* For each viewer a network socket, two ends towards its worker and what the worker holds; at the gate a socket and one end of a pair. */
#define FILES (FD_HIGH + 4 * LIMIT_GATE_VIEWERS)
_Static_assert(4 * LIMIT_GATE_VIEWERS >= 8 * LIMIT_VIEWERS_MAX, "enough for a display's, too");

/* LibVNCServer brings GnuTLS with it, which would set itself up before main(), and is used by nobody here: TLS is OpenSSL's. GnuTLS asks this
 * function of its API (GNUTLS_SKIP_GLOBAL_INIT) whether to. */
int _gnutls_global_init_skip(void);
int _gnutls_global_init_skip(void)
{
	return 1;
}

/* Bytes. Large pieces that are freed go back to the kernel, whatever else has been freed; chunks of queues come and go too often for that. */
#define MMAP_FROM (128 << 10)

static bool is_link(int fd)
{
	int type = 0;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

static void limit_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = MIN(limit.rlim_max, (rlim_t)FILES);
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* The broker has started us and sends at once; -ETIMEDOUT if it does not. */
static int wait_hello(int link, struct link_message *ret)
{
	uint64_t end = loop_now_ms() + LIMIT_START_MS;
	int fd = -EBADF, r;

	for (;;) {
		struct pollfd pollfd = {.fd = link, .events = POLLIN};
		uint64_t now = loop_now_ms();

		r = link_receive(link, true, ret, &fd);
		if (r != -EAGAIN)
			break;
		if (now >= end)
			return -ETIMEDOUT;
		poll(&pollfd, 1, end - now);
	}
	fd_close(fd);
	if (r == 0 && ret->type != LINK_HELLO)
		r = -EPROTO;
	return r;
}

static int say_ready(int link)
{
	struct link_message message = {.type = LINK_READY};

	message.ready.version = LINK_VERSION;
	return link_send(link, &message, -EBADF);
}

static int serve(int link, const struct link_message *hello)
{
	const char *id = hello->hello.id;
	struct loop *loop = NULL;
	struct broker *broker = NULL;
	int r;

	r = loop_create(&loop);
	if (r == 0)
		r = broker_create(loop, link, hello, &broker);
	if (r == 0)
		r = tls_open();
	if (r == 0)
		r = viewer_prepare();
	/* The first line opens the way to the journal, which the sandbox would not let us find. */
	log_write(LOG_LEVEL_INFO, id, "viewers are welcome");
	log_set_level(hello->hello.log_level);
	if (r == 0)
		r = sandbox_enter();
	if (r == 0)
		r = say_ready(link);
	if (r == 0)
		r = loop_run(loop);
	if (r == 0)
		r = broker_result(broker);
	if (r < 0 && r != -EPIPE)
		log_err(id, "%s", r == -EPROTO ? "the broker sends nonsense" : strerror(-r));
	broker_destroy(broker);
	loop_destroy(loop);
	return r == -EPIPE ? 0 : r;
}

int main(void)
{
	struct link_message hello;
	int link, r;

	mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
	/* Workers allocate little, and what an arena of theirs has had once it keeps: the top of it is not trimmed. */
	mallopt(M_ARENA_MAX, 1);
	log_open(PROGRAM, LOG_LEVEL_INFO);
	if (!is_link(LINK_FD)) {
		fprintf(stderr, PROGRAM " is started by vfio-displayd, not by hand.\n");
		return EXIT_FAILURE;
	}
	if (close_range(LINK_FD + 1, ~0u, 0) < 0)
		log_warn(NULL, "close_range: %m");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);  /* the daemon's: it reloads */
	signal(SIGUSR1, SIG_IGN); /* likewise: it tells its state */
	limit_files();
	confine_be_first_to_go();
	fcntl(LINK_FD, F_SETFD, FD_CLOEXEC);
	link = fd_move_high(LINK_FD);
	if (link < 0) {
		log_err(NULL, "link: %s", strerror(-link));
		return EXIT_FAILURE;
	}
	r = wait_hello(link, &hello);
	if (r < 0) {
		if (r != -EPIPE)
			log_err(NULL, "no HELLO from vfio-displayd: %s", strerror(-r));
	} else {
		r = serve(link, &hello);
	}
	fd_close(link);
	return r < 0 && r != -EPIPE ? EXIT_FAILURE : EXIT_SUCCESS;
}
