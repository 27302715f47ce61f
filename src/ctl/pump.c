/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/pump.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"

/* One direction. A write to a blocking pipe that poll() calls writable does not block up to PIPE_BUF bytes, so no more is given
 * to one at once. */
struct stream {
	char bytes[64 << 10];
	size_t begin, end;
	bool closed; /* nothing more will be read */
};

static int stream_fill(struct stream *stream, int from)
{
	ssize_t n = read(from, stream->bytes, sizeof(stream->bytes));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	stream->begin = 0;
	stream->end = (size_t)n;
	stream->closed = n == 0;
	return 0;
}

static int stream_drain(struct stream *stream, int to)
{
	size_t size = stream->end - stream->begin;
	ssize_t n = send(to, stream->bytes + stream->begin, size, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno == ENOTSOCK)
		n = write(to, stream->bytes + stream->begin, MIN(size, (size_t)PIPE_BUF));
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	stream->begin += (size_t)n;
	return 0;
}

static bool stream_empty(const struct stream *stream)
{
	return stream->begin == stream->end;
}

/* @pollfds: where to read, where to write. Asks for one of them at a time. */
static void stream_ask(const struct stream *stream, struct pollfd *from, struct pollfd *to)
{
	if (!stream_empty(stream))
		to->events |= POLLOUT;
	else if (!stream->closed)
		from->events |= POLLIN;
}

static int stream_step(struct stream *stream, const struct pollfd *from, const struct pollfd *to)
{
	if (!stream_empty(stream))
		return to->revents ? stream_drain(stream, to->fd) : 0;
	if (!stream->closed && from->events & POLLIN && from->revents)
		return stream_fill(stream, from->fd);
	return 0;
}

static int pump_step(struct stream *up, struct stream *down, int socket, int in, int out)
{
	enum { SOCKET, IN, OUT };
	struct pollfd pollfds[] = {{.fd = socket}, {.fd = in}, {.fd = out}};
	bool was_closed = up->closed;
	int r;

	stream_ask(up, &pollfds[IN], &pollfds[SOCKET]);
	stream_ask(down, &pollfds[SOCKET], &pollfds[OUT]);
	/* What is waited for in no way would only report its hang-up, again and again. */
	for (size_t i = 0; i < ARRAY_SIZE(pollfds); i++)
		if (i != OUT && !pollfds[i].events)
			pollfds[i].fd = -1;
	if (poll(pollfds, ARRAY_SIZE(pollfds), -1) < 0)
		return errno == EINTR ? 0 : -errno;
	if (pollfds[OUT].revents & (POLLERR | POLLHUP | POLLNVAL))
		return -EPIPE;
	pollfds[SOCKET].fd = socket;
	r = stream_step(down, &pollfds[SOCKET], &pollfds[OUT]);
	if (r >= 0)
		r = stream_step(up, &pollfds[IN], &pollfds[SOCKET]);
	if (r >= 0 && up->closed && !was_closed)
		shutdown(socket, SHUT_WR);
	return r;
}

int pump(int socket, int in, int out)
{
	int flags = fcntl(socket, F_GETFL);
	struct stream *streams;
	int r = 0;

	if (flags < 0 || fcntl(socket, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	streams = calloc(2, sizeof(*streams));
	if (!streams)
		return -ENOMEM;
	while (r >= 0 && !(streams[1].closed && stream_empty(&streams[1])))
		r = pump_step(&streams[0], &streams[1], socket, in, out);
	free(streams);
	/* The other side may leave in the middle of what it was told. */
	return r == -ECONNRESET ? 0 : r;
}
