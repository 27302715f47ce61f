/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "metrics/link.h"

#include <errno.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/packet.h"

int metrics_send(int link, const struct metrics_message *message, int fd)
{
	return packet_send(link, message, sizeof(*message), fd);
}

static bool is_true(const struct metrics_message *m, bool from_broker, bool has_fd)
{
	switch (m->type) {
	case METRICS_LISTENER:
		return from_broker && has_fd;
	case METRICS_TEXT:
		return from_broker && m->form < METRICS_FORMS && m->size <= LIMIT_METRICS_BYTES;
	case METRICS_PONG:
		return from_broker && !has_fd;
	case METRICS_ASK:
		return !from_broker && !has_fd && m->form < METRICS_FORMS;
	case METRICS_PING:
		return !from_broker && !has_fd;
	default:
		return false;
	}
}

int metrics_receive(int link, bool from_broker, struct metrics_message *ret, int *ret_fd)
{
	_cleanup_fd_ int fd = -EBADF;
	int r = packet_receive(link, ret, sizeof(*ret), &fd);

	if (r < 0)
		return r;
	if (!is_true(ret, from_broker, fd >= 0))
		return -EPROTO;
	*ret_fd = take_fd(&fd);
	return 0;
}
