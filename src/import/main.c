/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vfio-displayd-import: reads one display's dma-bufs through a GPU, in a process that holds nothing but them, the GPU's render node
 * and the memory that it copies to. Started by vfio-displayd with their socket as fd 3; see capture/import_link.h.
 */
#include <drm.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "capture/import_link.h"
#include "import/reader.h"
#include "import/sandbox.h"

#define PROGRAM "vfio-displayd-import"

/* What a driver opens for itself, and the display's buffers. */
#define FILES 256

static bool is_link(int fd)
{
	int type = 0;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

/* The next message of the daemon; -EPIPE: it is gone, or has had nothing to say for so long that it can start another one. */
static int wait_message(int link, struct import_message *ret, int *ret_fd)
{
	struct pollfd pollfd = {.fd = link, .events = POLLIN};
	int r;

	while ((r = import_receive(link, true, ret, ret_fd)) == -EAGAIN) {
		r = poll(&pollfd, 1, LIMIT_IMPORT_IDLE_MS);
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r == 0)
			return -EPIPE;
	}
	return r;
}

static int answer(int link, const struct import_copy *copy, struct reader *reader)
{
	struct import_message message = {.type = IMPORT_DONE};

	message.done.turn = copy->turn;
	message.done.step = reader_copy(reader, copy, &message.done.error);
	return import_send(link, &message, -EBADF);
}

static int obey(int link, struct reader *reader, const struct import_message *message, int fd)
{
	switch (message->type) {
	case IMPORT_SURFACE:
		return reader_surface(reader, message->surface.surface, message->surface.size, fd);
	case IMPORT_GIVE:
		reader_give(reader, &message->give, fd);
		return 0;
	case IMPORT_DROP:
		reader_drop(reader, message->drop.index);
		return 0;
	case IMPORT_COPY:
		return answer(link, &message->copy, reader);
	default:
		fd_close(fd);
		return -EPROTO;
	}
}

/* Mesa would look for them, and has to do without. */
static void set_environment(void)
{
	setenv("MESA_SHADER_CACHE_DISABLE", "true", 1);
	setenv("MESA_GLSL_CACHE_DISABLE", "true", 1);
}

static int prepare(int link, const struct import_message *hello, int node, struct reader **ret)
{
	const struct import_message ready = {.type = IMPORT_READY, .version = IMPORT_VERSION};
	const char *id = hello->hello.id;
	int r;

	/* Whoever opens a primary node first is given the whole display; a render node knows no such thing. */
	ioctl(node, DRM_IOCTL_DROP_MASTER, 0);
	/* Before Mesa is loaded, which starts threads. */
	r = confine_self();
	if (r == 0)
		r = reader_create(node, ret);
	if (r < 0) {
		log_err(id, "%s",
			r == -ENODEV ? "there is no driver for the render node" : strerror(-r));
		fd_close(node);
		return r;
	}
	/* The first line opens the way to the journal, which the sandbox would not let us find. */
	log_write(LOG_LEVEL_INFO, id, "dma-bufs are read through a render node");
	log_set_level(MIN(hello->hello.log_level, (uint32_t)LOG_LEVEL_DEBUG));
	r = import_sandbox_enter();
	return r < 0 ? r : import_send(link, &ready, -EBADF);
}

static int serve(int link)
{
	struct reader *reader = NULL;
	struct import_message message;
	int fd, r;

	r = wait_message(link, &message, &fd);
	if (r < 0)
		return r;
	if (message.type != IMPORT_HELLO) {
		fd_close(fd);
		return -EPROTO;
	}
	r = prepare(link, &message, fd, &reader);
	while (r >= 0) {
		r = wait_message(link, &message, &fd);
		if (r >= 0)
			r = obey(link, reader, &message, fd);
	}
	reader_destroy(reader);
	return r;
}

int main(void)
{
	const struct rlimit files = {FILES, FILES};
	int r;

	log_open(PROGRAM, LOG_LEVEL_INFO);
	if (!is_link(SPAWN_SOCKET)) {
		fprintf(stderr, PROGRAM " is started by vfio-displayd, not by hand.\n");
		return EXIT_FAILURE;
	}
	/* A driver that hangs would not notice that the daemon is gone. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || close_range(SPAWN_SOCKET + 1, ~0u, 0) < 0 ||
		setrlimit(RLIMIT_NOFILE, &files) < 0)
		log_warn(NULL, "cannot confine itself: %m");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);  /* the daemon's: it reloads */
	signal(SIGUSR1, SIG_IGN); /* likewise: it tells its state */
	confine_be_first_to_go();
	fcntl(SPAWN_SOCKET, F_SETFD, FD_CLOEXEC);
	set_environment();
	r = serve(SPAWN_SOCKET);
	if (r < 0 && r != -EPIPE)
		log_err(NULL, "%s", r == -EPROTO ? "the daemon sends nonsense" : strerror(-r));
	return r < 0 && r != -EPIPE ? EXIT_FAILURE : EXIT_SUCCESS;
}
