/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The wall's messages through a real socket pair. Whatever is sent, link_receive() gives one message with everything in
 * range, or an error; and no descriptor is lost. First byte: bit 0: which way; bits 1 and 2: how many descriptors come with it;
 * bit 3: the rest is sent as it is, else filled up to a message's size.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"
#include "frame/link.h"

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

static void check_strings(const struct link_message *m)
{
	const char *ends = NULL;

	switch (m->type) {
	case LINK_HELLO:
	case LINK_RESUME:
		ends = memchr(m->hello.id, 0, sizeof(m->hello.id))
			       ? memchr(m->hello.name, 0, sizeof(m->hello.name))
			       : NULL;
		break;
	case LINK_LISTENER:
		ends = memchr(m->listener.password, 0, sizeof(m->listener.password));
		break;
	case LINK_NAME:
		ends = memchr(m->name.name, 0, sizeof(m->name.name));
		break;
	case LINK_CHECK:
		ends = memchr(m->check.user, 0, sizeof(m->check.user))
			       ? memchr(m->check.secret, 0, sizeof(m->check.secret))
			       : NULL;
		break;
	case LINK_VIEWER:
		ends = memchr(m->viewer.label, 0, sizeof(m->viewer.label));
		break;
	case LINK_VIEWER_ADDED:
	case LINK_VIEWER_GONE:
		ends = memchr(m->seen.peer, 0, sizeof(m->seen.peer))
			       ? memchr(m->seen.reason, 0, sizeof(m->seen.reason))
			       : NULL;
		break;
	case LINK_HERE:
		ends = memchr(m->here.peer, 0, sizeof(m->here.peer));
		expect(m->here.in <= 1 && (m->here.in || m->here.viewer % 2 == 0));
		break;
	case LINK_DETACH:
		ends = memchr(m->seen.reason, 0, sizeof(m->seen.reason));
		break;
	case LINK_VIEWER_STATE:
		ends = memchr(m->state.encoding, 0, sizeof(m->state.encoding));
		break;
	default:
		return;
	}
	expect(ends != NULL);
}

static void check_sizes(const struct link_message *m)
{
	if (m->type == LINK_SIZES)
		expect(m->sizes.width <= LIMIT_WIDTH && m->sizes.height <= LIMIT_HEIGHT &&
			!m->sizes.width == !m->sizes.height);
	if (m->type == LINK_RESIZE)
		expect(m->resize.width && m->resize.width <= LIMIT_WIDTH && m->resize.height &&
			m->resize.height <= LIMIT_HEIGHT);
}

static void check_input(const struct link_message *m)
{
	for (uint32_t i = 0; m->type == LINK_INPUT && i < m->input.used; i++) {
		const struct link_input *input = &m->input.at[i];

		expect(i < LINK_INPUTS);
		if (input->kind == LINK_INPUT_POINTER && !input->on)
			expect(input->x >= 0 && input->x < LIMIT_WIDTH && input->y >= 0 &&
				input->y < LIMIT_HEIGHT);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t whole[sizeof(struct link_message)] = {0};
	struct link_message message;
	bool from_broker;
	int pair[2], fd = -EBADF, r, before, after;
	size_t fds;

	if (size < 2 || size > 4096)
		return 0;
	from_broker = data[0] & 1;
	fds = data[0] >> 1 & 3;
	before = dup(0);
	fd_close(before);
	expect(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	memcpy(whole, data + 1, MIN(size - 1, sizeof(whole)));
	if (data[0] & 8)
		send_raw(pair[1], data + 1, size - 1, fds);
	else
		send_raw(pair[1], whole, sizeof(whole), fds);
	r = link_receive(pair[0], from_broker, &message, &fd);
	expect(r == 0 || r == -EPROTO);
	if (r == 0) {
		expect(link_check(&message, from_broker, fd >= 0) == 0);
		expect(fds <= 1 && (fd >= 0) == (fds == 1));
		check_strings(&message);
		check_sizes(&message);
		check_input(&message);
		fd_close(fd);
	}
	close(pair[0]);
	close(pair[1]);
	after = dup(0);
	expect(after == before);
	fd_close(after);
	return 0;
}
