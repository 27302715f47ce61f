/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/entrance.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/loop.h"

#define ACCEPT_REST_MS 200 /* after accept ran out of something */
#define ACCEPT_PASS    16  /* connections before others get their turn */

static void watch(struct entrance *entrance, bool accept)
{
	for (unsigned int i = 0; i < entrance->used; i++)
		loop_fd_events(entrance->places[i].source,
			accept && !entrance->places[i].dead ? LOOP_READ : 0);
}

static void on_rest(void *arg)
{
	struct entrance *entrance = arg;

	watch(entrance, !entrance->closed);
}

int entrance_init(struct entrance *entrance, struct loop *loop,
	void (*came)(void *arg, int fd, const struct link_listener *policy, const char *peer),
	void *arg)
{
	*entrance = (struct entrance){.loop = loop, .came = came, .arg = arg};
	return loop_timer_add(loop, on_rest, entrance, &entrance->rest);
}

void entrance_unlisten(struct entrance *entrance)
{
	for (unsigned int i = 0; i < entrance->used; i++) {
		loop_source_free(entrance->places[i].source);
		fd_close(entrance->places[i].fd);
	}
	explicit_bzero(entrance->places, sizeof(entrance->places)); /* passwords */
	entrance->used = 0;
}

void entrance_finish(struct entrance *entrance)
{
	entrance_unlisten(entrance);
	loop_source_free(entrance->rest);
}

void entrance_rest(struct entrance *entrance, uint64_t ms)
{
	watch(entrance, false);
	loop_timer_once(entrance->rest, ms);
}

void entrance_close(struct entrance *entrance)
{
	entrance->closed = true;
	watch(entrance, false);
	loop_timer_stop(entrance->rest);
}

static void format_peer(const struct sockaddr_storage *address, char *ret, size_t size)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	char text[INET6_ADDRSTRLEN];

	if (address->ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
		snprintf(ret, size, "%s:%u", text, ntohs(in->sin_port));
	} else if (address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], text, sizeof(text));
		snprintf(ret, size, "%s:%u", text, ntohs(in6->sin6_port));
	} else if (address->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
		snprintf(ret, size, "[%s]:%u", text, ntohs(in6->sin6_port));
	} else {
		snprintf(ret, size, "unix");
	}
}

/* accept() says EINVAL or EAGAIN, by family. */
static bool is_shut_down(int listener)
{
	struct pollfd poll_fd = {.fd = listener, .events = POLLIN};

	return poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & (POLLHUP | POLLERR);
}

static void on_connection(int fd, unsigned int events, void *arg)
{
	struct place *place = arg;
	struct entrance *entrance = place->entrance;
	struct sockaddr_storage address;
	char peer[64];

	for (int i = 0; i < ACCEPT_PASS; i++) {
		socklen_t size = sizeof(address);
		int network;

		address.ss_family = AF_UNSPEC;
		network = accept4(fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC);
		if (network < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
				errno == ENOBUFS)
				entrance_rest(entrance, ACCEPT_REST_MS);
			place->dead = is_shut_down(fd);
			if (place->dead)
				loop_fd_events(place->source, 0);
			return;
		}
		format_peer(&address, peer, sizeof(peer));
		entrance->came(entrance->arg, network, &place->policy, peer);
	}
}

bool entrance_fits(int fd, bool listening)
{
	int type = 0, domain = 0, accepts = 0;
	socklen_t size = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
	       (domain == AF_UNIX || domain == AF_INET || domain == AF_INET6) &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) == 0 &&
	       !!accepts == listening;
}

int entrance_listen(struct entrance *entrance, int fd, const struct link_listener *policy)
{
	struct place *place = &entrance->places[entrance->used];
	int r = -EINVAL;

	if (entrance->used == LIMIT_LISTENERS)
		r = -ENOSPC;
	else if (entrance_fits(fd, true) && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
		r = 0;
	if (r < 0) {
		fd_close(fd);
		return r;
	}
	*place = (struct place){
		.entrance = entrance,
		.fd = fd_move_high(fd),
		.policy = *policy,
	};
	if (place->fd < 0)
		return place->fd;
	r = loop_fd_add(entrance->loop, place->fd, LOOP_READ, on_connection, place, &place->source);
	if (r < 0) {
		fd_close(place->fd);
		return r;
	}
	entrance->used++;
	return 0;
}
