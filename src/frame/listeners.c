/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame/listeners.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/discard.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

void listeners_init(struct listeners *listeners, struct loop *loop, const char *id,
	void (*knock)(void *arg), void *arg)
{
	listeners->loop = loop;
	listeners->id = id;
	listeners->knock = knock;
	listeners->arg = arg;
	listeners->watching = true;
	listeners->used = 0;
}

static void on_knock(int fd, unsigned int events, void *arg)
{
	struct listener *listener = arg;
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	/* Such a socket is readable for ever, and nobody comes through it: no program is to be started for it again and again. */
	if (poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & (POLLHUP | POLLERR)) {
		log_warn(listener->all->id, "listener %s has been shut down", listener->endpoint);
		listener->dead = true;
		loop_fd_events(listener->source, 0);
		return;
	}
	listener->all->knock(listener->all->arg);
}

int listeners_add(struct listeners *listeners, int fd, const struct link_listener *policy,
	const char *endpoint, bool ours, const char *unlink_path, const struct listener **ret)
{
	_cleanup_fd_ int socket = fd_move_high(fd);
	struct listener *listener;
	int r;

	if (socket < 0)
		return socket;
	if (listeners->used == ARRAY_SIZE(listeners->at))
		return -ENOSPC;
	listener = &listeners->at[listeners->used];
	*listener = (struct listener){.all = listeners};
	listener->message.type = LINK_LISTENER;
	listener->message.listener = *policy;
	listener->ours = ours;
	snprintf(listener->endpoint, sizeof(listener->endpoint), "%s", endpoint);
	if (unlink_path && !(listener->unlink_path = strdup(unlink_path)))
		return -ENOMEM;
	r = loop_fd_add(listeners->loop, socket, listeners->watching ? LOOP_READ : 0, on_knock,
		listener, &listener->source);
	if (r < 0) {
		free(listener->unlink_path);
		explicit_bzero(listener, sizeof(*listener));
		return r;
	}
	listener->fd = take_fd(&socket);
	listeners->used++;
	*ret = listener;
	return 0;
}

void listeners_watch(struct listeners *listeners, bool watch)
{
	listeners->watching = watch;
	for (size_t i = 0; i < listeners->used; i++)
		loop_fd_events(
			listeners->at[i].source, watch && !listeners->at[i].dead ? LOOP_READ : 0);
}

int listeners_send(const struct listeners *listeners, int link)
{
	int r = 0;

	for (size_t i = 0; i < listeners->used && r == 0; i++)
		if (!listeners->at[i].dead)
			r = link_send(link, &listeners->at[i].message, listeners->at[i].fd);
	return r;
}

static void forget_all(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->used; i++) {
		struct listener *listener = &listeners->at[i];

		loop_source_free(listener->source);
		fd_discard(listener->fd);
		free(listener->unlink_path);
	}
	explicit_bzero(listeners->at, sizeof(listeners->at)); /* passwords */
	listeners->used = 0;
}

void listeners_close(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->used; i++) {
		const struct listener *listener = &listeners->at[i];

		/* A program closes its copy when it hears of this; who listens there next does not wait for that. */
		if (listener->ours)
			shutdown(listener->fd, SHUT_RDWR);
		if (listener->unlink_path)
			unlink(listener->unlink_path);
	}
	forget_all(listeners);
}

void listeners_abandon(struct listeners *listeners)
{
	forget_all(listeners);
}
