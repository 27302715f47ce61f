/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame/link.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/packet.h"

int link_send(int link, const struct link_message *message, int fd)
{
	return packet_send(link, message, sizeof(*message), fd);
}

static bool text_ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

/* What goes into the log and into replies, which must be UTF-8: nothing but printable ASCII is sent. */
static bool text_is_plain(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!text[i])
			return true;
		if (text[i] < ' ' || text[i] > '~')
			return false;
	}
	return false;
}

static bool mode_valid(uint32_t mode)
{
	return mode == LINK_MODE_VIEW || mode == LINK_MODE_CONTROL;
}

static bool size_valid(uint32_t width, uint32_t height)
{
	return width && height && width <= LIMIT_WIDTH && height <= LIMIT_HEIGHT;
}

static bool broker_message_valid(const struct link_message *m, bool has_fd)
{
	switch (m->type) {
	case LINK_HELLO:
		return !has_fd && m->hello.version == LINK_VERSION &&
		       m->hello.viewers_maximum >= 1 &&
		       m->hello.viewers_maximum <= LIMIT_VIEWERS_MAX &&
		       m->hello.frames_maximum >= 1 && m->hello.frames_maximum <= 1000 &&
		       text_ends(m->hello.id, sizeof(m->hello.id)) && m->hello.id[0] &&
		       text_ends(m->hello.name, sizeof(m->hello.name));
	case LINK_LISTENER:
		return has_fd && mode_valid(m->listener.mode) &&
		       text_ends(m->listener.password, sizeof(m->listener.password)) &&
		       (m->listener.security == LINK_SECURITY_NONE ||
			       (m->listener.security == LINK_SECURITY_VNCAUTH &&
				       m->listener.password[0]));
	case LINK_VIEWER:
		return has_fd && mode_valid(m->viewer.mode) && m->viewer.viewer % 2 == 0 &&
		       text_ends(m->viewer.label, sizeof(m->viewer.label));
	case LINK_FRAME:
		return has_fd && size_valid(m->frame.width, m->frame.height);
	case LINK_SIZES:
		return !has_fd && ((!m->sizes.width && !m->sizes.height) ||
					  size_valid(m->sizes.width, m->sizes.height));
	case LINK_WANT_WRITE:
	case LINK_PUBLISH:
	case LINK_STOP:
		return !has_fd;
	case LINK_DETACH:
		return !has_fd && text_ends(m->seen.reason, sizeof(m->seen.reason));
	default:
		return false;
	}
}

static bool rfb_message_valid(const struct link_message *m, bool has_fd)
{
	if (has_fd)
		return false;
	switch (m->type) {
	case LINK_READY:
		return m->ready.version == LINK_VERSION;
	case LINK_MAY_WRITE:
	case LINK_BUSY:
	case LINK_TAKEN:
	case LINK_IDLE:
		return true;
	case LINK_VIEWER_ADDED:
	case LINK_VIEWER_GONE:
		return mode_valid(m->seen.mode) &&
		       text_is_plain(m->seen.peer, sizeof(m->seen.peer)) &&
		       text_is_plain(m->seen.reason, sizeof(m->seen.reason));
	case LINK_VIEWER_STATE:
		return text_is_plain(m->state.encoding, sizeof(m->state.encoding));
	case LINK_RESIZE:
		return size_valid(m->resize.width, m->resize.height);
	case LINK_WATCH:
		return m->watch.count <= LIMIT_VIEWERS_MAX;
	default:
		return false;
	}
}

int link_check(const struct link_message *message, bool from_broker, bool has_fd)
{
	return (from_broker ? broker_message_valid : rfb_message_valid)(message, has_fd) ? 0
											 : -EPROTO;
}

int link_receive(int link, bool from_broker, struct link_message *ret, int *ret_fd)
{
	_cleanup_fd_ int fd = -EBADF;
	int r = packet_receive(link, ret, sizeof(*ret), &fd);

	if (r < 0)
		return r;
	if (link_check(ret, from_broker, fd >= 0) < 0)
		return -EPROTO;
	*ret_fd = take_fd(&fd);
	return 0;
}
