/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "scrape.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/discard.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/sealed.h"
#include "exposition.h"
#include "frame/child.h"
#include "handover/address.h"
#include "manager.h"
#include "metrics/link.h"

struct scrape {
	struct loop *loop;
	const char *program;
	struct manager *manager;
	int link; /* owned; -EBADF: no program */
	struct child *child;
	struct loop_source *on_link;
	struct loop_source *timer; /* a text is due, or it is time to look at the listeners again */
	uint64_t started_at, made_at;
	bool wanted[METRICS_FORMS];
	size_t used;
	struct {
		int fd; /* owned */
		struct loop_source *source;
	} listeners[LIMIT_METRICS_LISTENERS];
};

static void watch_listeners(struct scrape *scrape, bool watch)
{
	for (size_t i = 0; i < scrape->used; i++)
		loop_fd_events(scrape->listeners[i].source, watch ? LOOP_READ : 0);
}

/* @why: NULL for the ordinary end. */
static void program_end(struct scrape *scrape, const char *why)
{
	if (scrape->link < 0)
		return;
	if (why)
		log_warn(NULL, "the metrics program has ended (%s)", why);
	loop_source_free(take_ptr(scrape->on_link));
	fd_closep(&scrape->link);
	if (scrape->child && why)
		child_kill(scrape->child);
	child_leave(take_ptr(scrape->child));
	memset(scrape->wanted, 0, sizeof(scrape->wanted));
	loop_timer_stop(scrape->timer);
	if (loop_now_ms() - scrape->started_at < LIMIT_RESPAWN_MS)
		loop_timer_once(scrape->timer, LIMIT_RESPAWN_MS);
	else
		watch_listeners(scrape, true);
}

static void on_child_ended(void *arg, const char *how)
{
	struct scrape *scrape = arg;

	scrape->child = NULL;
	program_end(scrape, strcmp(how, "exit status 0") == 0 ? NULL : how);
}

static int make_text(struct scrape *scrape, enum metrics_form form, uint64_t *ret_size, int *ret_fd)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r;

	r = exposition_text(scrape->manager, form == METRICS_CLASSIC, &text, &size);
	if (r < 0)
		return r;
	*ret_size = size;
	return size > LIMIT_METRICS_BYTES ? -EFBIG
					  : sealed_text("vfio-display-metrics", text, size, ret_fd);
}

static void send_texts(struct scrape *scrape)
{
	for (int form = 0; form < METRICS_FORMS && scrape->link >= 0; form++) {
		struct metrics_message message = {.type = METRICS_TEXT, .form = form};
		_cleanup_fd_ int fd = -EBADF;
		int r;

		if (!scrape->wanted[form])
			continue;
		scrape->wanted[form] = false;
		r = make_text(scrape, form, &message.size, &fd);
		if (r < 0) {
			log_err(NULL, "no text of metrics: %s", strerror(-r));
			message.size = 0;
		}
		if (metrics_send(scrape->link, &message, fd) < 0)
			program_end(scrape, "it does not read its messages");
	}
	scrape->made_at = loop_now_ms();
}

static void on_timer(void *arg)
{
	struct scrape *scrape = arg;

	if (scrape->link >= 0)
		send_texts(scrape);
	else
		watch_listeners(scrape, true);
}

static void on_message(struct scrape *scrape, const struct metrics_message *message)
{
	struct metrics_message pong = {.type = METRICS_PONG, .number = message->number};
	uint64_t since = loop_now_ms() - scrape->made_at;

	if (message->type == METRICS_PING) {
		if (metrics_send(scrape->link, &pong, -EBADF) < 0)
			program_end(scrape, "it does not read its messages");
		return;
	}
	scrape->wanted[message->form] = true;
	loop_timer_once(scrape->timer, since < LIMIT_METRICS_MS ? LIMIT_METRICS_MS - since : 0);
}

static void on_link(int fd, unsigned int events, void *arg)
{
	struct scrape *scrape = arg;
	struct metrics_message message;
	int none = -EBADF;
	int r = metrics_receive(fd, false, &message, &none);

	if (r == 0)
		on_message(scrape, &message);
	else if (r == -EPIPE && !scrape->child)
		program_end(scrape, NULL);
	else if (r == -EPIPE)
		loop_fd_events(scrape->on_link, 0); /* how it ended is about to be known */
	else if (r != -EAGAIN)
		program_end(scrape, "it sent a message that cannot be true");
}

static int program_start(struct scrape *scrape)
{
	char *arguments[] = {(char *)"vfio-displayd-metrics", NULL};
	struct metrics_message message = {.type = METRICS_LISTENER};
	_cleanup_fd_ int theirs = -EBADF;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	theirs = pair[1];
	scrape->started_at = loop_now_ms();
	scrape->link = fd_move_high(pair[0]);
	r = scrape->link < 0 ? scrape->link
			     : child_spawn(scrape->loop, scrape->program, arguments, theirs,
				       on_child_ended, scrape, &scrape->child);
	for (size_t i = 0; r == 0 && i < scrape->used; i++)
		r = metrics_send(scrape->link, &message, scrape->listeners[i].fd);
	if (r == 0)
		r = loop_fd_add(
			scrape->loop, scrape->link, LOOP_READ, on_link, scrape, &scrape->on_link);
	return r;
}

static void on_knock(int fd, unsigned int events, void *arg)
{
	struct scrape *scrape = arg;
	int r;

	watch_listeners(scrape, false);
	if (scrape->link >= 0)
		return;
	r = program_start(scrape);
	if (r == 0)
		return;
	log_err(NULL, "cannot start %s: %s", scrape->program, strerror(-r));
	if (scrape->link >= 0)
		program_end(scrape, "it could not be given its listeners");
	else
		loop_timer_once(scrape->timer, LIMIT_RESPAWN_MS);
}

int scrape_create(
	struct loop *loop, const char *program, struct manager *manager, struct scrape **ret)
{
	struct scrape *scrape = new0(struct scrape);
	int r;

	if (!scrape)
		return -ENOMEM;
	scrape->loop = loop;
	scrape->program = program;
	scrape->manager = manager;
	scrape->link = -EBADF;
	r = loop_timer_add(loop, on_timer, scrape, &scrape->timer);
	if (r < 0)
		free(scrape);
	else
		*ret = scrape;
	return r;
}

void scrape_destroy(struct scrape *scrape)
{
	if (!scrape)
		return;
	program_end(scrape, NULL);
	loop_source_free(scrape->timer);
	for (size_t i = 0; i < scrape->used; i++) {
		loop_source_free(scrape->listeners[i].source);
		fd_discard(scrape->listeners[i].fd);
	}
	free(scrape);
}

int scrape_listen(struct scrape *scrape, int fd, bool anywhere)
{
	int r = -ENOSPC;

	/* systemd's block; libevent accepts until there is nobody left. */
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		r = -errno;
	else if (!anywhere && !address_is_local(fd))
		r = -EACCES;
	else if (scrape->used < ARRAY_SIZE(scrape->listeners))
		r = loop_fd_add(scrape->loop, fd, LOOP_READ, on_knock, scrape,
			&scrape->listeners[scrape->used].source);
	if (r < 0)
		fd_discard(fd);
	else
		scrape->listeners[scrape->used++].fd = fd;
	return r;
}
