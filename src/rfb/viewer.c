/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * A viewer is one thread, one rfbScreenInfo and one LibVNCServer client on a socketpair. What the thread does is rfb/worker.c; here it is
 * made, told and ended, all of which the door's thread does.
 *
 * LibVNCServer owns its socket and closes it when it likes. `hangup` is a dup of it that stays valid: shutdown() through it ends
 * a blocked write from outside, and tells the door at the end. The writing half is enough, and all that the sandbox allows.
 */
#include "rfb/viewer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "rfb/picture.h"
#include "rfb/reader.h"
#include "rfb/screen.h"
#include "rfb/worker.h"

/* LibVNCServer's deepest frames (hextile, zrle, libjpeg) take a few ten KiB; the rest is slack. Sanitizers need more. */
#ifdef SANITIZED
#define STACK_BYTES (2u << 20)
#else
#define STACK_BYTES (256u << 10)
#endif

struct viewer {
	struct worker worker;
	int hangup;
	bool started; /* thread is to be joined */
	pthread_t thread;
	char name[SCREEN_NAME + 1];
};

static void *run(void *arg)
{
	struct viewer *viewer = arg;
	char name[16];

	/* By the thread itself: from outside it would be an open() in /proc, which the sandbox refuses. */
	snprintf(name, sizeof(name), "viewer-%u", viewer->worker.number % 1000000);
	pthread_setname_np(pthread_self(), name);
	worker_run(&viewer->worker);
	log_debug(NULL, "viewer %u: worker ends", viewer->worker.number);
	shutdown(viewer->hangup, SHUT_WR);
	return NULL;
}

static int start(struct viewer *viewer)
{
	sigset_t all, old;
	pthread_attr_t attributes;
	int r;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	/* Signals belong to the main thread; a write to a vanished peer must be an error, not SIGPIPE. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&viewer->thread, &attributes, run, viewer);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
	if (r)
		return -r;
	viewer->started = true;
	return 0;
}

/* The end of the connection that the worker keeps, with LibVNCServer on it. */
static int connect_canvas(
	struct canvas *canvas, struct picture *picture, int *ret_hangup, int *ret_fd)
{
	int r;

	canvas->studio = picture_studio(picture);
	canvas->head.spectator.film = picture_film(picture);
	r = screen_connect(&canvas->screen, &canvas->client, ret_hangup, ret_fd);
	if (r < 0)
		return r;
	canvas->client->viewOnly = canvas->view_only;
	canvas->way.outlet = canvas->outlet;
	canvas->client->clientData = &canvas->way;
	return 0;
}

static int viewer_open(struct viewer *viewer, struct picture *picture, int *ret_fd)
{
	const struct frame *shared = picture_current(picture);
	struct worker *worker = &viewer->worker;
	_cleanup_fd_ int door = -EBADF;
	int r;

	if (!shared)
		return -ENODATA;
	r = canvas_show(&worker->canvas, shared);
	if (r < 0)
		return r;
	worker->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->wake < 0)
		return -errno;
	worker->wake = fd_move_high(worker->wake);
	if (worker->wake < 0)
		return worker->wake;
	r = reader_create(picture, worker->wake, &worker->reader);
	if (r < 0)
		return r;
	worker->canvas.reader = worker->reader;
	r = connect_canvas(&worker->canvas, picture, &viewer->hangup, &door);
	if (r == 0)
		r = start(viewer);
	if (r < 0)
		return r;
	*ret_fd = take_fd(&door);
	return 0;
}

int viewer_prepare(void)
{
	return screen_prepare();
}

int viewer_create(struct picture *picture, const struct viewer_options *options,
	struct viewer **ret, int *ret_fd)
{
	struct viewer *viewer;
	int r;

	r = screen_prepare();
	if (r < 0)
		return r;
	viewer = new0(struct viewer);
	if (!viewer)
		return -ENOMEM;
	viewer->hangup = -EBADF;
	screen_name(viewer->name, options->name);
	r = worker_init(&viewer->worker, options->number, viewer->name, options->outlet,
		options->view_only);
	viewer->worker.frames_maximum = options->frames_maximum;
	viewer->worker.bytes_maximum = options->bytes_maximum;
	if (r == 0)
		r = viewer_open(viewer, picture, ret_fd);
	if (r < 0)
		viewer_destroy(viewer);
	else
		*ret = viewer;
	return r;
}

void viewer_destroy(struct viewer *viewer)
{
	if (!viewer)
		return;
	if (viewer->started) {
		atomic_store(&viewer->worker.stopping, true);
		shutdown(viewer->hangup, SHUT_WR);
		eventfd_write(viewer->worker.wake, 1);
		pthread_join(viewer->thread, NULL);
	}
	worker_finish(&viewer->worker);
	reader_destroy(viewer->worker.reader);
	fd_close(viewer->worker.wake);
	fd_close(viewer->hangup);
	free(viewer);
}

void viewer_wake(struct viewer *viewer)
{
	eventfd_write(viewer->worker.wake, 1);
}

void viewer_allow(struct viewer *viewer, bool allow)
{
	if (atomic_exchange(&viewer->worker.allowed, allow) != allow && allow)
		eventfd_write(viewer->worker.wake, 1);
}

const char *viewer_end_reason(const struct viewer *viewer)
{
	return atomic_load(&viewer->worker.end_reason);
}

uint32_t viewer_frames_behind(const struct viewer *viewer)
{
	return reader_behind(viewer->worker.reader);
}

const char *viewer_encoding(const struct viewer *viewer)
{
	return atomic_load(&viewer->worker.encoding);
}

bool viewer_ask(struct viewer *viewer, uint64_t before, const struct rect *area)
{
	if (!ask_leave(&viewer->worker.ask, before, area))
		return false;
	if (!reader_listen(viewer->worker.reader))
		viewer_wake(viewer);
	return true;
}

void viewer_limits(struct viewer *viewer, uint32_t frames_maximum, uint32_t bytes_maximum)
{
	atomic_store(&viewer->worker.frames_maximum, frames_maximum);
	atomic_store(&viewer->worker.bytes_maximum, bytes_maximum);
	viewer_wake(viewer);
}

void viewer_extras(struct viewer *viewer, unsigned int extras)
{
	notices_extras(&viewer->worker.notices, extras);
	viewer_wake(viewer);
}

void viewer_layout(struct viewer *viewer)
{
	notices_layout(&viewer->worker.notices);
	viewer_wake(viewer);
}

void viewer_answer(struct viewer *viewer, enum size_status status)
{
	notices_answer(&viewer->worker.notices, status);
	viewer_wake(viewer);
}

void viewer_resized(struct viewer *viewer, enum size_reason reason)
{
	notices_reason(&viewer->worker.notices, reason);
}

void viewer_tell(struct viewer *viewer, const struct facts *facts)
{
	if (facts->frames_maximum)
		viewer_limits(viewer, facts->frames_maximum, facts->bytes_maximum);
	notices_tell(&viewer->worker.notices, facts);
	viewer_wake(viewer);
}

void viewer_deny(struct viewer *viewer)
{
	notices_deny(&viewer->worker.notices);
	viewer_wake(viewer);
}
