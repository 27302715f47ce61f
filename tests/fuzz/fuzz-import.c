/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages to and from the import program through a real socket pair. Whatever is sent, import_receive() gives one message with
 * everything in range, or an error; and no descriptor is lost. First byte: bit 0: which way; bits 1 and 2: how many descriptors come
 * with it; bit 3: the rest is sent as it is, else filled up to a message's size.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"
#include "capture/import_link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool truth)
{
	if (!truth)
		abort();
}

static void send_raw(int to, const void *data, size_t size, size_t fds)
{
	struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(3 * sizeof(int))];
	} control = {0};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int list[3] = {to, to, to};

	if (fds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(fds * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(fds * sizeof(int));
		memcpy(CMSG_DATA(&control.header), list, fds * sizeof(int));
	}
	expect(sendmsg(to, &msg, MSG_DONTWAIT) == (ssize_t)size);
}

/* What the other side is going to index and add up without looking again. */
static void check_ranges(const struct import_message *m)
{
	switch (m->type) {
	case IMPORT_HELLO:
		expect(memchr(m->hello.id, 0, sizeof(m->hello.id)) != NULL);
		break;
	case IMPORT_SURFACE:
		expect(m->surface.surface < IMPORT_SURFACES);
		expect(m->surface.size && m->surface.size <= LIMIT_FRAME_BYTES + 4096ull);
		break;
	case IMPORT_GIVE:
		expect(m->give.index < LIMIT_DMABUFS);
		expect(m->give.width <= LIMIT_WIDTH && m->give.height <= LIMIT_HEIGHT);
		expect((int)m->give.stride > 0 && (int)m->give.offset >= 0);
		break;
	case IMPORT_DROP:
		expect(m->drop.index < LIMIT_DMABUFS);
		break;
	case IMPORT_COPY:
		expect(m->copy.index < LIMIT_DMABUFS && m->copy.surface < IMPORT_SURFACES);
		expect(m->copy.start + (uint64_t)m->copy.stride * m->copy.rows <=
			LIMIT_FRAME_BYTES + 4096ull);
		expect(m->copy.row_bytes <= m->copy.stride);
		break;
	case IMPORT_READY:
		expect(m->version == IMPORT_VERSION);
		break;
	case IMPORT_DONE:
		expect(m->done.step <= IMPORT_NO_ROOM && m->done.error < 4096);
		break;
	default:
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t whole[sizeof(struct import_message)] = {0};
	struct import_message message;
	bool from_daemon;
	int pair[2], fd = -EBADF, r, before, after;
	size_t fds;

	if (size < 2 || size > 4096)
		return 0;
	from_daemon = data[0] & 1;
	fds = data[0] >> 1 & 3;
	before = dup(0);
	fd_close(before);
	expect(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	memcpy(whole, data + 1, MIN(size - 1, sizeof(whole)));
	if (data[0] & 8)
		send_raw(pair[1], data + 1, size - 1, fds);
	else
		send_raw(pair[1], whole, sizeof(whole), fds);
	r = import_receive(pair[0], from_daemon, &message, &fd);
	expect(r == 0 || r == -EPROTO);
	if (r == 0) {
		expect(fds <= 1 && (fd >= 0) == (fds == 1));
		expect((message.type < IMPORT_READY) == from_daemon);
		check_ranges(&message);
		fd_close(fd);
	}
	close(pair[0]);
	close(pair[1]);
	after = dup(0);
	expect(after == before);
	fd_close(after);
	return 0;
}
