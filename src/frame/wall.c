/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * While no program runs, the wall waits for its listeners to become readable; while one runs, it leaves them to that program, which has
 * a copy of each. The listening sockets never close between the two, so no connection is refused.
 *
 * `lock` guards what both threads use: the link's number, the program and the frame shown. The main thread alone changes the first two.
 * A message that does not fit into the link's queue means that the program has not read some hundred messages: it is stuck.
 */
#include "frame/wall.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/discard.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "frame/child.h"
#include "frame/sizes.h"

struct listener {
	struct wall *wall;
	int fd; /* owned */
	struct loop_source *source;
	bool dead;		     /* whoever gave it has shut it down */
	struct link_message message; /* as it goes to each new program */
	char endpoint[128];
	char *unlink_path; /* owned, may be NULL */
};

struct wall {
	struct loop *loop;
	struct wall_options options;
	struct wall_events events;
	void *arg;
	struct listener listeners[LIMIT_LISTENERS];
	size_t listeners_used;
	struct roster roster;
	struct sizes sizes;
	uint8_t challenge[LINK_CHALLENGE];

	pthread_mutex_t lock;
	int link;	     /* owned, -EBADF: no program */
	struct child *child; /* owned */
	const struct frame *frame;

	struct loop_source *link_source;
	struct loop_source *timer; /* no READY yet, or too early for the next program */
	bool ready, closed;
	uint32_t last_number; /* even, of viewers given by attach */
	uint64_t started_at;
};

/* Unique for the daemon's life. */
static uint32_t programs_started;

static void program_end(struct wall *wall, const char *why);

static void listeners_watch(struct wall *wall, bool watch)
{
	for (size_t i = 0; i < wall->listeners_used; i++)
		loop_fd_events(wall->listeners[i].source,
			watch && !wall->listeners[i].dead ? LOOP_READ : 0);
}

static int wall_send(struct wall *wall, const struct link_message *message, int fd)
{
	int r = link_send(wall->link, message, fd);

	if (r < 0)
		program_end(wall, r == -EAGAIN ? "it does not read its messages" : "it hung up");
	return r;
}

static bool on_message(struct wall *wall, const struct link_message *m)
{
	switch (m->type) {
	case LINK_READY:
		wall->ready = true;
		loop_timer_stop(wall->timer);
		return true;
	case LINK_MAY_WRITE:
		wall->events.may_write(wall->arg, m->publish.generation);
		return true;
	case LINK_BUSY:
		wall->events.busy(wall->arg, m->publish.generation);
		return true;
	case LINK_TAKEN:
		wall->events.taken(wall->arg, m->publish.generation);
		return true;
	case LINK_VIEWER_ADDED:
		return roster_added(&wall->roster, m);
	case LINK_VIEWER_STATE:
		return roster_state(&wall->roster, m);
	case LINK_VIEWER_GONE:
		return roster_gone(&wall->roster, m);
	case LINK_RESIZE:
		return sizes_wish(&wall->sizes, &wall->roster, m);
	case LINK_CHECK:
		if (wall->events.check)
			wall->events.check(wall->arg, m);
		else
			wall_verdict(wall, m->check.viewer, 0, "");
		return true;
	case LINK_WATCH:
		wall->events.watch(wall->arg, m->watch.count);
		return true;
	case LINK_IDLE:
		if (!wall->roster.used)
			program_end(wall, NULL);
		return true;
	default:
		return false;
	}
}

static void on_link(int fd, unsigned int events, void *arg)
{
	struct wall *wall = arg;
	struct link_message message;
	int passed = -EBADF;
	int r;

	/* Some messages at a time: other displays have messages too. */
	for (int i = 0; i < 16 && wall->link >= 0; i++) {
		r = link_receive(wall->link, false, &message, &passed);
		if (r == -EAGAIN)
			break;
		if (r == -EPIPE)
			program_end(wall, "it hung up");
		else if (r < 0 || !on_message(wall, &message))
			program_end(wall, "it sent a message that cannot be true");
	}
	explicit_bzero(&message, sizeof(message)); /* a password, maybe */
}

static void on_child_ended(void *arg, const char *how)
{
	struct wall *wall = arg;

	pthread_mutex_lock(&wall->lock);
	wall->child = NULL;
	pthread_mutex_unlock(&wall->lock);
	program_end(wall, how);
}

/* @why: NULL for the ordinary end. */
static void program_end(struct wall *wall, const char *why)
{
	struct link_message stop = {.type = LINK_STOP};
	struct child *child;
	int link;

	if (wall->link < 0)
		return;
	if (why)
		log_warn(wall->options.id, "its RFB program has ended (%s), viewers must reconnect",
			why);
	loop_source_free(take_ptr(wall->link_source));
	pthread_mutex_lock(&wall->lock);
	link = take_fd(&wall->link);
	child = take_ptr(wall->child);
	wall->frame = NULL;
	pthread_mutex_unlock(&wall->lock);
	link_send(link, &stop, -EBADF);
	fd_close(link);
	if (child && why)
		child_kill(child);
	child_leave(child);
	roster_clear(&wall->roster, why ? "the RFB program ended" : "stopped");
	wall->ready = false;
	if (why && loop_now_ms() - wall->started_at < LIMIT_RESPAWN_MS)
		loop_timer_once(wall->timer, LIMIT_RESPAWN_MS);
	else
		listeners_watch(wall, true);
	wall->events.ended(wall->arg);
}

/* Not ready in time, or time to look at the listeners again. */
static void on_timer(void *arg)
{
	struct wall *wall = arg;

	if (wall->link >= 0)
		program_end(wall, "it did not start in time");
	else
		listeners_watch(wall, true);
}

static int program_greet(struct wall *wall)
{
	struct link_message hello = {.type = LINK_HELLO};
	struct link_message shown = {.type = LINK_FRAME};
	struct link_message sizes;
	int r;

	hello.hello.version = LINK_VERSION;
	hello.hello.policy.viewers_maximum = wall->options.viewers_maximum;
	hello.hello.policy.frames_maximum = wall->options.frames_maximum;
	hello.hello.grace_ms = wall->options.grace_ms;
	hello.hello.stall_ms = wall->options.stall_ms;
	hello.hello.log_level = log_enabled(LOG_LEVEL_DEBUG) ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
	memcpy(hello.hello.challenge, wall->challenge, sizeof(hello.hello.challenge));
	memcpy(hello.hello.id, wall->options.id, sizeof(hello.hello.id));
	memcpy(hello.hello.name, wall->options.name, sizeof(hello.hello.name));
	r = link_send(wall->link, &hello, -EBADF);
	for (size_t i = 0; i < wall->listeners_used && r == 0; i++) {
		struct listener *listener = &wall->listeners[i];

		if (!listener->dead)
			r = link_send(wall->link, &listener->message, listener->fd);
	}
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
	r = child_spawn(
		wall->loop, wall->options.program, arguments, theirs, on_child_ended, wall, &child);
	if (r < 0) {
		fd_close(pair[0]);
		return r;
	}
	pthread_mutex_lock(&wall->lock);
	wall->link = fd_move_high(pair[0]);
	wall->child = child;
	wall->roster.serial = ++programs_started;
	r = program_greet(wall);
	pthread_mutex_unlock(&wall->lock);
	if (r == 0)
		r = loop_fd_add(
			wall->loop, wall->link, LOOP_READ, on_link, wall, &wall->link_source);
	if (r < 0) {
		program_end(wall, "it could not be given its listeners");
		return r;
	}
	listeners_watch(wall, false);
	loop_timer_once(wall->timer, LIMIT_START_MS);
	log_debug(wall->options.id, "RFB program %d started", (int)child_pid(child));
	return 0;
}

static void on_knock(int fd, unsigned int events, void *arg)
{
	struct listener *listener = arg;
	struct wall *wall = listener->wall;
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int r;

	/* Such a socket is readable for ever, and nobody comes through it: no program is to be started for it again and again. */
	if (poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & (POLLHUP | POLLERR)) {
		log_warn(wall->options.id, "listener %s has been shut down", listener->endpoint);
		listener->dead = true;
		loop_fd_events(listener->source, 0);
		return;
	}
	r = program_start(wall);
	if (r == 0)
		return;
	log_err(wall->options.id, "cannot start %s for a viewer: %s", wall->options.program,
		strerror(-r));
	listeners_watch(wall, false);
	loop_timer_once(wall->timer, LIMIT_RESPAWN_MS);
}

static void on_wish(void *arg, uint32_t width, uint32_t height)
{
	struct wall *wall = arg;

	if (wall->link >= 0 && wall->events.resize)
		wall->events.resize(wall->arg, width, height);
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

void wall_close(struct wall *wall)
{
	program_end(wall, NULL);
	loop_timer_stop(wall->timer);
	for (size_t i = 0; i < wall->listeners_used; i++) {
		struct listener *listener = &wall->listeners[i];

		loop_source_free(listener->source);
		fd_discard(listener->fd);
		if (listener->unlink_path)
			unlink(listener->unlink_path);
		free(listener->unlink_path);
	}
	explicit_bzero(wall->listeners, sizeof(wall->listeners)); /* passwords */
	wall->listeners_used = 0;
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
	const char *unlink_path)
{
	_cleanup_fd_ int socket = fd_move_high(fd);
	struct listener *listener;
	int r;

	if (socket < 0)
		return socket;
	if (wall->listeners_used == ARRAY_SIZE(wall->listeners))
		return -ENOSPC;
	listener = &wall->listeners[wall->listeners_used];
	*listener = (struct listener){.wall = wall};
	listener->message.type = LINK_LISTENER;
	listener->message.listener = *policy;
	snprintf(listener->endpoint, sizeof(listener->endpoint), "%s", endpoint);
	if (unlink_path && !(listener->unlink_path = strdup(unlink_path)))
		return -ENOMEM;
	r = loop_fd_add(wall->loop, socket, wall->link < 0 ? LOOP_READ : 0, on_knock, listener,
		&listener->source);
	if (r < 0) {
		free(listener->unlink_path);
		return r;
	}
	listener->fd = take_fd(&socket);
	wall->listeners_used++;
	wall->roster.mode = MAX(wall->roster.mode, policy->mode);
	if (wall->link >= 0)
		wall_send(wall, &listener->message, listener->fd);
	return 0;
}

void wall_challenge(struct wall *wall, const uint8_t challenge[LINK_CHALLENGE])
{
	memcpy(wall->challenge, challenge, sizeof(wall->challenge));
}

void wall_verdict(struct wall *wall, uint32_t viewer, uint32_t mode, const char *label)
{
	struct link_message message = {.type = LINK_VERDICT};

	if (wall->link < 0)
		return;
	mode = MIN(mode, wall->roster.mode);
	message.verdict.viewer = viewer;
	message.verdict.allowed = mode != 0;
	message.verdict.mode = mode;
	if (mode)
		roster_expect(&wall->roster, viewer, mode, label);
	wall_send(wall, &message, -EBADF);
}

size_t wall_endpoints(const struct wall *wall, const char **ret, size_t max)
{
	size_t n = MIN(wall->listeners_used, max);

	for (size_t i = 0; i < n; i++)
		ret[i] = wall->listeners[i].endpoint;
	return n;
}

int wall_attach(
	struct wall *wall, int fd, enum link_mode mode, const char *label, char ret_name[24])
{
	_cleanup_discard_ int socket = fd;
	struct link_message message = {.type = LINK_VIEWER};
	struct wall_viewer *viewer;
	int r;

	if (wall->closed)
		return -EAGAIN;
	if (wall->roster.used >= wall->options.viewers_maximum)
		return -ENOSPC;
	r = program_start(wall);
	if (r < 0)
		return -EAGAIN;
	viewer = roster_add(&wall->roster, wall->last_number += 2);
	if (!viewer)
		return -ENOSPC;
	viewer->mode = mode;
	snprintf(viewer->label, sizeof(viewer->label), "%s", label ? label : "");
	snprintf(viewer->peer, sizeof(viewer->peer), "attached");
	memcpy(ret_name, viewer->name, sizeof(viewer->name));
	message.viewer.viewer = viewer->number;
	message.viewer.mode = mode;
	memcpy(message.viewer.label, viewer->label, sizeof(message.viewer.label));
	return wall_send(wall, &message, socket) < 0 ? -EAGAIN : 0;
}

int wall_detach(struct wall *wall, const char *name)
{
	const struct wall_viewer *viewer = roster_find(&wall->roster, name);
	struct link_message message = {.type = LINK_DETACH};

	if (!viewer)
		return -ENOENT;
	message.seen.viewer = viewer->number;
	snprintf(message.seen.reason, sizeof(message.seen.reason), "detached by request");
	wall_send(wall, &message, -EBADF);
	return 0;
}

size_t wall_viewers(const struct wall *wall, const struct wall_viewer **ret)
{
	*ret = wall->roster.viewers;
	return wall->roster.used;
}

void wall_show(struct wall *wall, const struct frame *frame)
{
	struct link_message message = {.type = LINK_FRAME};
	int r = 0;

	pthread_mutex_lock(&wall->lock);
	wall->frame = frame;
	if (frame && wall->link >= 0) {
		message.frame.generation = frame->header.generation;
		message.frame.width = frame->header.width;
		message.frame.height = frame->header.height;
		r = link_send(wall->link, &message, frame->fd);
		if (r < 0 && wall->child)
			child_kill(wall->child);
	}
	pthread_mutex_unlock(&wall->lock);
}

static int send_turn(struct wall *wall, enum link_type type, uint32_t generation, bool damaged)
{
	struct link_message message = {.type = type};
	int r = -EPIPE;

	message.publish.generation = generation;
	message.publish.damaged = damaged;
	pthread_mutex_lock(&wall->lock);
	if (wall->link >= 0 && wall->frame && wall->frame->header.generation == generation) {
		r = link_send(wall->link, &message, -EBADF);
		if (r < 0 && wall->child)
			child_kill(wall->child);
	}
	pthread_mutex_unlock(&wall->lock);
	return r;
}

int wall_want_write(struct wall *wall, uint32_t generation)
{
	return send_turn(wall, LINK_WANT_WRITE, generation, false);
}

int wall_publish(struct wall *wall, uint32_t generation, bool damaged)
{
	return send_turn(wall, LINK_PUBLISH, generation, damaged);
}

void wall_stuck(struct wall *wall)
{
	pthread_mutex_lock(&wall->lock);
	if (wall->child)
		child_kill(wall->child);
	pthread_mutex_unlock(&wall->lock);
}

void wall_sizes(struct wall *wall, uint32_t width, uint32_t height)
{
	struct link_message message;

	pthread_mutex_lock(&wall->lock);
	if (sizes_set(&wall->sizes, width, height) && wall->link >= 0) {
		message = sizes_message(&wall->sizes);
		if (link_send(wall->link, &message, -EBADF) < 0 && wall->child)
			child_kill(wall->child);
	}
	pthread_mutex_unlock(&wall->lock);
}
