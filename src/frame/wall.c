/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * While no program runs, the wall waits for its listeners to become readable; while one runs, it leaves them to that program, which has
 * a copy of each. The listening sockets never close between the two, so no connection is refused.
 *
 * A message that does not fit into the link's queue means that the program has not read some hundred messages: it is stuck.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/discard.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/measure.h"
#include "base/mem.h"
#include "frame/child.h"
#include "frame/wall_internal.h"

/* Unique for the daemon's life, and that of those that go on where it ends. */
static uint32_t programs_started;

int wall_send(struct wall *wall, const struct link_message *message, int fd)
{
	int r = link_send(wall->link, message, fd);

	if (r < 0)
		wall_end(wall, r == -EAGAIN ? "it does not read its messages" : "it hung up");
	return r;
}

void wall_tell(struct wall *wall, const struct link_message *message, int fd)
{
	if (wall->link >= 0)
		wall_send(wall, message, fd);
}

uint32_t wall_last_program(void)
{
	return programs_started;
}

void wall_programs_begin(uint32_t last)
{
	programs_started = MAX(programs_started, last);
}

void wall_on_child_ended(void *arg, const char *how)
{
	struct wall *wall = arg;

	pthread_mutex_lock(&wall->lock);
	wall->child = NULL;
	pthread_mutex_unlock(&wall->lock);
	wall_end(wall, how);
}

void wall_end(struct wall *wall, const char *why)
{
	struct link_message stop = {.type = LINK_STOP};
	struct child *child;
	int link;

	if (wall->link < 0)
		return;
	if (why)
		measure_count(MEASURE_PROGRAM_FAILED);
	if (why)
		log_warn(wall->options.id, "its RFB program has ended (%s), viewers must reconnect",
			why);
	loop_source_free(take_ptr(wall->link_source));
	pthread_mutex_lock(&wall->lock);
	link = take_fd(&wall->link);
	child = take_ptr(wall->child);
	wall->frame = NULL;
	wall->before = (struct wall_before){0};
	pthread_mutex_unlock(&wall->lock);
	link_send(link, &stop, -EBADF);
	fd_close(link);
	if (child && why)
		child_kill(child);
	child_leave(child);
	roster_clear(&wall->roster, why ? "the RFB program ended" : "stopped");
	wall->ready = wall->resuming = wall->resumed = false;
	wall->watchers = 0;
	wall_note_program(wall);
	wall_note(wall);
	if (why && loop_now_ms() - wall->started_at < LIMIT_RESPAWN_MS)
		loop_timer_once(wall->timer, LIMIT_RESPAWN_MS);
	else
		listeners_watch(&wall->listeners, true);
	wall->events.ended(wall->arg);
}

/* Not ready in time, or time to look at the listeners again. */
static void on_timer(void *arg)
{
	struct wall *wall = arg;

	if (wall->link >= 0)
		wall_end(wall,
			wall->resuming ? "it did not answer in time" : "it did not start in time");
	else
		listeners_watch(&wall->listeners, true);
}

int wall_greet(struct wall *wall, const uint32_t *turn)
{
	struct link_message shown = {.type = LINK_FRAME};
	struct link_message sizes;
	int r;

	r = standing_greet(&wall->standing, wall->link, turn);
	if (r == 0)
		r = listeners_send(&wall->listeners, wall->link);
	sizes_begin(&wall->sizes);
	sizes = sizes_message(&wall->sizes);
	if (r == 0)
		r = link_send(wall->link, &sizes, -EBADF);
	if (r == 0 && wall->frame) {
		shown.frame.generation = wall->frame->header.generation;
		shown.frame.width = wall->frame->header.width;
		shown.frame.height = wall->frame->header.height;
		r = link_send(wall->link, &shown, wall->frame->fd);
	}
	return r;
}

static int program_start(struct wall *wall)
{
	char *arguments[] = {(char *)"vfio-displayd-rfb", NULL};
	_cleanup_fd_ int theirs = -EBADF;
	struct child *child;
	int pair[2];
	int r;

	if (wall->link >= 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	theirs = pair[1];
	wall->started_at = loop_now_ms();
	r = child_spawn(wall->loop, wall->options.program, arguments, theirs, wall_on_child_ended,
		wall, &child);
	if (r < 0) {
		fd_close(pair[0]);
		return r;
	}
	pthread_mutex_lock(&wall->lock);
	wall->link = fd_move_high(pair[0]);
	wall->child = child;
	wall->roster.serial = ++programs_started;
	r = wall_greet(wall, NULL);
	pthread_mutex_unlock(&wall->lock);
	if (r == 0)
		r = loop_fd_add(
			wall->loop, wall->link, LOOP_READ, wall_on_link, wall, &wall->link_source);
	if (r < 0) {
		wall_end(wall, "it could not be given its listeners");
		return r;
	}
	listeners_watch(&wall->listeners, false);
	loop_timer_once(wall->timer, LIMIT_START_MS);
	wall_note(wall);
	wall_note_program(wall);
	measure_count(MEASURE_PROGRAM_STARTED);
	log_debug(wall->options.id, "RFB program %d started", (int)child_pid(child));
	return 0;
}

static void on_knock(void *arg)
{
	struct wall *wall = arg;
	int r = program_start(wall);

	if (r == 0)
		return;
	log_err(wall->options.id, "cannot start %s for a viewer: %s", wall->options.program,
		strerror(-r));
	listeners_watch(&wall->listeners, false);
	loop_timer_once(wall->timer, LIMIT_RESPAWN_MS);
}

static void on_wish(void *arg, uint32_t width, uint32_t height)
{
	struct wall *wall = arg;

	if (wall->link >= 0 && wall->events.resize)
		wall->events.resize(wall->arg, width, height);
}

static void on_news(
	void *arg, enum roster_news news, const struct wall_viewer *viewer, const char *reason)
{
	struct wall *wall = arg;

	if (wall->events.viewer)
		wall->events.viewer(wall->arg, news, viewer, reason);
}

int wall_create(struct loop *loop, const struct wall_options *options,
	const struct wall_events *events, void *arg, struct wall **ret)
{
	struct wall *wall = new0(struct wall);
	int r;

	if (!wall)
		return -ENOMEM;
	wall->loop = loop;
	wall->options = *options;
	wall->roster.id = wall->options.id;
	wall->roster.tell = on_news;
	wall->roster.tell_arg = wall;
	listeners_init(&wall->listeners, loop, wall->options.id, on_knock, wall);
	standing_init(&wall->standing, options);
	wall->events = *events;
	wall->arg = arg;
	wall->link = -EBADF;
	r = sizes_init(&wall->sizes, loop, on_wish, wall);
	if (r == 0)
		r = loop_timer_add(loop, on_timer, wall, &wall->timer);
	if (r < 0) {
		if (wall->sizes.timer)
			sizes_finish(&wall->sizes);
		free(wall);
		return r;
	}
	pthread_mutex_init(&wall->lock, NULL);
	*ret = wall;
	return 0;
}

void wall_give(struct wall *wall, const struct wall_events *events, void *arg)
{
	wall->events = *events;
	wall->arg = arg;
}

void wall_close(struct wall *wall)
{
	wall_end(wall, NULL);
	loop_timer_stop(wall->timer);
	listeners_close(&wall->listeners);
	wall->closed = true;
}

void wall_destroy(struct wall *wall)
{
	if (!wall)
		return;
	wall_close(wall);
	loop_source_free(wall->timer);
	sizes_finish(&wall->sizes);
	pthread_mutex_destroy(&wall->lock);
	free(wall);
}

int wall_listen(struct wall *wall, int fd, const struct link_listener *policy, const char *endpoint,
	bool ours, const char *unlink_path)
{
	const struct listener *listener;
	int r;

	r = listeners_add(&wall->listeners, fd, policy, endpoint, ours, unlink_path, &listener);
	if (r < 0)
		return r;
	roster_listener(&wall->roster, policy);
	wall_note(wall);
	wall_tell(wall, &listener->message, listener->fd);
	return 0;
}

void wall_unlisten(struct wall *wall)
{
	struct link_message message = {.type = LINK_UNLISTEN};

	listeners_close(&wall->listeners);
	wall_note(wall);
	wall_tell(wall, &message, -EBADF);
}

size_t wall_endpoints(const struct wall *wall, const char **ret, size_t max)
{
	size_t n = MIN(wall->listeners.used, max);

	for (size_t i = 0; i < n; i++)
		ret[i] = wall->listeners.at[i].endpoint;
	return n;
}

int wall_attach(struct wall *wall, int fd, enum link_mode mode, const char *label, const char *peer,
	char ret_name[24])
{
	_cleanup_discard_ int socket = fd;
	struct link_message message = {.type = LINK_VIEWER};
	struct wall_viewer *viewer;
	int r;

	if (wall->closed)
		return -EAGAIN;
	if (mode < LINK_MODE_EXCLUSIVE && roster_exclusive(&wall->roster))
		return -EBUSY;
	/* Who must be alone makes room. */
	if (mode < LINK_MODE_EXCLUSIVE &&
		wall->roster.used >= wall->standing.hello.hello.policy.viewers_maximum)
		return -ENOSPC;
	r = program_start(wall);
	if (r < 0)
		return -EAGAIN;
	viewer = roster_add(&wall->roster, wall->last_number += 2);
	if (!viewer)
		return -ENOSPC;
	viewer->mode = mode;
	snprintf(viewer->label, sizeof(viewer->label), "%s", label ? label : "");
	snprintf(viewer->peer, sizeof(viewer->peer), "%s", peer ? peer : "attached");
	memcpy(ret_name, viewer->name, sizeof(viewer->name));
	roster_attached(&wall->roster, viewer);
	message.viewer.viewer = viewer->number;
	message.viewer.mode = mode;
	memcpy(message.viewer.label, viewer->label, sizeof(message.viewer.label));
	memcpy(message.viewer.peer, viewer->peer, sizeof(message.viewer.peer));
	wall_note(wall);
	return wall_send(wall, &message, socket) < 0 ? -EAGAIN : 0;
}

int wall_detach(struct wall *wall, const char *name, const char *reason)
{
	const struct wall_viewer *viewer = roster_dismiss(&wall->roster, name);
	struct link_message message = {.type = LINK_DETACH};

	if (!viewer)
		return -ENOENT;
	if (wall->events.leaves)
		wall->events.leaves(wall->arg, viewer);
	message.seen.viewer = viewer->number;
	snprintf(message.seen.reason, sizeof(message.seen.reason), "%s", reason);
	wall_send(wall, &message, -EBADF);
	return 0;
}

size_t wall_viewers(const struct wall *wall, const struct wall_viewer **ret)
{
	*ret = wall->roster.viewers;
	return wall->roster.used;
}

size_t wall_bytes(const struct wall *wall, const struct roster_bytes **ret)
{
	*ret = wall->roster.bytes;
	return wall->roster.bytes_used;
}

unsigned int wall_viewers_ready(const struct wall *wall)
{
	return roster_ready(&wall->roster);
}

unsigned int wall_watchers(const struct wall *wall)
{
	return wall->watchers;
}

uint64_t wall_audience(const struct wall *wall)
{
	return wall->audience;
}

bool wall_verdict(struct wall *wall, uint64_t check, uint32_t mode, const char *label, int fd)
{
	struct link_message message = {.type = LINK_VERDICT};
	uint32_t number = (uint32_t)check;

	/* Numbers of viewers begin anew with each program. A viewer that has its place elsewhere does not come in here. */
	if (wall->link < 0 || check >> 32 != wall->roster.serial ||
		!roster_answer(&wall->roster, number, fd >= 0 ? 0 : mode, label))
		return false;
	message.verdict.viewer = number;
	message.verdict.allowed = mode != 0;
	message.verdict.mode = mode;
	wall_note(wall);
	return wall_send(wall, &message, fd) == 0;
}
