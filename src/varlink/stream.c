/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * The kernel glues what was sent without descriptors to a following send with some (unix_stream_read_generic), so a
 * large read does not say which of its messages they came with. Here a message's first byte is read alone, with room
 * for descriptors; then the rest is looked at (MSG_PEEK) and read up to its NUL and no further. Descriptors with the
 * first read are surely this message's; with any later read they are a breach of the protocol. Three system calls for
 * a message are nothing beside its parsing.
 */
#include "varlink/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/shared.h"
#include "varlink/wire.h"

#ifndef SCM_PIDFD
#define SCM_PIDFD 4 /* include/linux/socket.h, since Linux 6.5 */
#endif

/* Room for the permitted descriptors, and for what a listener's PassCredentials= and PassPIDFD= add. */
#define CONTROL_BYTES \
	(CMSG_SPACE(sizeof(int) * LIMIT_VARLINK_FDS) + CMSG_SPACE(sizeof(struct ucred)) + \
		CMSG_SPACE(sizeof(int)))

enum { PIECES = 128 }; /* of messages in one sendmsg() */

struct parcel {
	STAILQ_ENTRY(parcel) link;  /* outbox::parcels */
	char *bytes;		    /* owned; NULL: it is the text and the tail */
	struct shared *text;	    /* a reference, or NULL */
	const char *tail;	    /* borrowed */
	size_t size, sent;	    /* of all of it */
	int fds[LIMIT_VARLINK_FDS]; /* owned, until the first byte is sent */
	size_t fds_used;
};

/* Gathers the descriptors of @header in @ret, which has room for all that fit in CONTROL_BYTES. */
static size_t gather_fds(struct msghdr *header, int *ret)
{
	struct cmsghdr *control;
	size_t used = 0;

	for (control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control)) {
		size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fds[CONTROL_BYTES / sizeof(int)];

		if (control->cmsg_level != SOL_SOCKET)
			continue;
		memcpy(fds, CMSG_DATA(control), count * sizeof(int));
		if (control->cmsg_type == SCM_PIDFD && count == 1)
			fd_close(fds[0]);
		if (control->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(ret + used, fds, count * sizeof(int));
		used += count;
	}
	return used;
}

static int receive_exactly(int fd, struct wire *wire, char *at, size_t size)
{
	union {
		char bytes[CONTROL_BYTES];
		struct cmsghdr align;
	} control;
	int fds[CONTROL_BYTES / sizeof(int)];
	struct iovec iov = {.iov_base = at, .iov_len = size};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	size_t fds_used;
	ssize_t n;
	int r;

	n = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	fds_used = gather_fds(&header, fds);
	r = wire_feed(wire, n, fds, fds_used, header.msg_flags & MSG_CTRUNC);
	return r < 0 ? r : n > 0;
}

static int receive_once(int fd, struct wire *wire)
{
	const char *nul;
	char *at = NULL;
	size_t room;
	ssize_t n;
	int r;

	room = wire_room(wire, &at);
	if (room == 0) {
		r = wire_feed(wire, 0, NULL, 0, false);
		return r < 0 ? r : -EBUSY;
	}
	if (room == 1)
		return receive_exactly(fd, wire, at, room);
	n = recv(fd, at, room, MSG_DONTWAIT | MSG_PEEK);
	if (n < 0)
		return -errno;
	nul = memchr(at, 0, n);
	return n == 0 ? 0 : receive_exactly(fd, wire, at, nul ? (size_t)(nul - at) + 1 : (size_t)n);
}

int stream_receive(int fd, struct wire *wire)
{
	int r;

	do
		r = receive_once(fd, wire);
	while (r == -EINTR);
	return r;
}

void outbox_init(struct outbox *outbox)
{
	STAILQ_INIT(&outbox->parcels);
	outbox->bytes = 0;
}

static void parcel_close_fds(struct parcel *parcel)
{
	for (size_t i = 0; i < parcel->fds_used; i++)
		fd_close(parcel->fds[i]);
	parcel->fds_used = 0;
}

static void outbox_drop_first(struct outbox *outbox)
{
	struct parcel *parcel = STAILQ_FIRST(&outbox->parcels);

	STAILQ_REMOVE_HEAD(&outbox->parcels, link);
	outbox->bytes -= parcel->size + sizeof(*parcel);
	parcel_close_fds(parcel);
	shared_release(parcel->text);
	free(parcel->bytes);
	free(parcel);
}

void outbox_finish(struct outbox *outbox)
{
	while (!STAILQ_EMPTY(&outbox->parcels))
		outbox_drop_first(outbox);
}

bool outbox_is_empty(const struct outbox *outbox)
{
	return STAILQ_EMPTY(&outbox->parcels);
}

static void outbox_add(struct outbox *outbox, struct parcel *parcel)
{
	STAILQ_INSERT_TAIL(&outbox->parcels, parcel, link);
	outbox->bytes += parcel->size + sizeof(*parcel);
}

int outbox_push(struct outbox *outbox, char *bytes, size_t size, const int *fds, size_t fds_used)
{
	struct parcel *parcel = new0(struct parcel);

	if (!parcel) {
		for (size_t i = 0; i < fds_used; i++)
			fd_close(fds[i]);
		free(bytes);
		return -ENOMEM;
	}
	parcel->bytes = bytes;
	parcel->size = size;
	if (fds_used > 0)
		memcpy(parcel->fds, fds, fds_used * sizeof(*fds));
	parcel->fds_used = fds_used;
	outbox_add(outbox, parcel);
	return 0;
}

int outbox_push_shared(
	struct outbox *outbox, struct shared *text, const char *tail, size_t tail_size)
{
	struct parcel *parcel = new0(struct parcel);

	if (!parcel)
		return -ENOMEM;
	parcel->text = shared_reference(text);
	parcel->tail = tail;
	parcel->size = text->size + tail_size;
	outbox_add(outbox, parcel);
	return 0;
}

/* What is left of @parcel to be sent. Returns how many of the two pieces there are. */
static size_t parcel_pieces(const struct parcel *parcel, struct iovec *ret)
{
	size_t head = parcel->text ? parcel->text->size : parcel->size, n = 0;
	const char *bytes = parcel->text ? parcel->text->bytes : parcel->bytes;

	if (parcel->sent < head)
		ret[n++] = (struct iovec){(char *)bytes + parcel->sent, head - parcel->sent};
	if (head < parcel->size) {
		size_t sent = parcel->sent > head ? parcel->sent - head : 0;

		ret[n++] = (struct iovec){(char *)parcel->tail + sent, parcel->size - head - sent};
	}
	return n;
}

/* The first message, and with it those that follow, up to one with descriptors. */
static size_t gather_pieces(const struct outbox *outbox, struct iovec *ret, size_t max)
{
	const struct parcel *parcel;
	size_t n = 0;

	STAILQ_FOREACH (parcel, &outbox->parcels, link) {
		if (n > 0 && (n + 2 > max || parcel->fds_used > 0))
			break;
		n += parcel_pieces(parcel, ret + n);
		if (parcel->fds_used > 0)
			break;
	}
	return n;
}

static void outbox_sent(struct outbox *outbox, size_t bytes)
{
	struct parcel *parcel;

	while (bytes > 0 && (parcel = STAILQ_FIRST(&outbox->parcels))) {
		size_t here = MIN(bytes, parcel->size - parcel->sent);

		parcel->sent += here;
		bytes -= here;
		parcel_close_fds(parcel);
		if (parcel->sent == parcel->size)
			outbox_drop_first(outbox);
	}
}

static int outbox_send(struct outbox *outbox, int fd)
{
	const struct parcel *first = STAILQ_FIRST(&outbox->parcels);
	union {
		char bytes[CMSG_SPACE(sizeof(int) * LIMIT_VARLINK_FDS)];
		struct cmsghdr align;
	} control = {0};
	struct iovec pieces[PIECES];
	struct msghdr header = {
		.msg_iov = pieces,
		.msg_iovlen = gather_pieces(outbox, pieces, PIECES),
	};
	ssize_t n;

	if (first->fds_used > 0) {
		struct cmsghdr *rights = &control.align;

		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(sizeof(int) * first->fds_used);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int) * first->fds_used);
		memcpy(CMSG_DATA(rights), first->fds, sizeof(int) * first->fds_used);
	}
	n = sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	outbox_sent(outbox, n);
	return 0;
}

int outbox_flush(struct outbox *outbox, int fd)
{
	while (!STAILQ_EMPTY(&outbox->parcels)) {
		int r = outbox_send(outbox, fd);

		if (r < 0 && r != -EINTR)
			return r;
	}
	return 0;
}
