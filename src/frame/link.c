/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame/link.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
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
	return mode >= LINK_MODE_VIEW && mode <= LINK_MODE_EXCLUSIVE;
}

static bool is_switch(uint32_t value)
{
	return value <= 1;
}

static bool policy_valid(const struct link_policy *policy)
{
	return policy->viewers_maximum >= 1 && policy->viewers_maximum <= LIMIT_VIEWERS_MAX &&
	       policy->frames_maximum >= 1 && policy->frames_maximum <= 1000 &&
	       policy->sharing <= LINK_SHARING_FORCE_SHARED && is_switch(policy->power) &&
	       is_switch(policy->h264);
}

/* What a password answers, and nothing else does. */
#define VNC_OFFERS (LINK_OFFER_VNCAUTH | LINK_OFFER_TLS_VNC | LINK_OFFER_X509_VNC)

static bool listener_valid(const struct link_listener *listener)
{
	return mode_valid(listener->mode) && listener->offers && listener->transports &&
	       !(listener->offers & ~LINK_OFFER_ALL) &&
	       !(listener->transports & ~LINK_TRANSPORT_ALL) && is_switch(listener->tickets) &&
	       is_switch(listener->login) &&
	       text_ends(listener->password, sizeof(listener->password)) &&
	       (!(listener->offers & VNC_OFFERS) || listener->password[0] || listener->tickets) &&
	       text_is_plain(listener->origins, sizeof(listener->origins));
}

static bool size_valid(uint32_t width, uint32_t height)
{
	return width && height && width <= LIMIT_WIDTH && height <= LIMIT_HEIGHT;
}

/* Of some frame. Which one is the receiver's business. */
static bool publish_valid(const struct link_message *m)
{
	if (m->publish.moves > LIMIT_MOVES)
		return false;
	for (uint32_t i = 0; i < m->publish.moves; i++)
		if (!move_valid(&m->publish.move[i], LIMIT_WIDTH, LIMIT_HEIGHT))
			return false;
	return true;
}

static bool broker_message_valid(const struct link_message *m, bool has_fd)
{
	switch (m->type) {
	case LINK_HELLO:
	case LINK_RESUME:
		return !has_fd && m->hello.version == LINK_VERSION &&
		       m->hello.log_level <= LOG_LEVEL_DEBUG && m->hello.role <= LINK_ROLE_GATE &&
		       policy_valid(&m->hello.policy) &&
		       text_ends(m->hello.id, sizeof(m->hello.id)) && m->hello.id[0] &&
		       text_ends(m->hello.name, sizeof(m->hello.name));
	case LINK_LISTENER:
		return has_fd && listener_valid(&m->listener);
	case LINK_POLICY:
		return !has_fd && policy_valid(&m->policy);
	case LINK_VIEWER:
		return has_fd && mode_valid(m->viewer.mode) && m->viewer.viewer % 2 == 0 &&
		       text_ends(m->viewer.label, sizeof(m->viewer.label)) &&
		       text_is_plain(m->viewer.peer, sizeof(m->viewer.peer));
	case LINK_TLS:
		return has_fd && m->tls.certificates <= LIMIT_PEM && m->tls.key <= LIMIT_PEM &&
		       m->tls.authorities <= LIMIT_PEM && m->tls.rsa_key <= LIMIT_PEM;
	case LINK_VERDICT:
		return is_switch(m->verdict.allowed) && (!has_fd || m->verdict.allowed) &&
		       (!m->verdict.allowed || mode_valid(m->verdict.mode));
	case LINK_NAME:
		return !has_fd && text_ends(m->name.name, sizeof(m->name.name));
	case LINK_LEDS:
		return !has_fd && m->leds.bits <= 7;
	case LINK_POINTER_MODE:
		return !has_fd && is_switch(m->pointer_mode.relative);
	case LINK_LOG_LEVEL:
		return !has_fd && m->log.level <= LOG_LEVEL_DEBUG;
	case LINK_FRAME:
		return has_fd && size_valid(m->frame.width, m->frame.height);
	case LINK_SIZES:
		return !has_fd && ((!m->sizes.width && !m->sizes.height) ||
					  size_valid(m->sizes.width, m->sizes.height));
	case LINK_PUBLISH:
		return !has_fd && publish_valid(m);
	case LINK_WANT_WRITE:
	case LINK_UNLISTEN:
	case LINK_STOP:
		return !has_fd;
	case LINK_DETACH:
		return !has_fd && text_ends(m->seen.reason, sizeof(m->seen.reason));
	default:
		return false;
	}
}

/* A display's name is an id, which handover/context.h knows to check; a user's may be any text without control characters. */
static bool check_valid(const struct link_message *m)
{
	return m->check.viewer % 2 == 1 && m->check.kind >= LINK_CHECK_CHALLENGE &&
	       m->check.kind <= LINK_CHECK_NAME && mode_valid(m->check.mode) &&
	       text_is_plain(m->check.display, sizeof(m->check.display)) &&
	       text_is_plain(m->check.peer, sizeof(m->check.peer)) &&
	       text_ends(m->check.user, sizeof(m->check.user)) &&
	       text_ends(m->check.secret, sizeof(m->check.secret));
}

static bool here_valid(const struct link_message *m)
{
	return mode_valid(m->here.mode) && is_switch(m->here.in) &&
	       (m->here.in || m->here.viewer % 2 == 0) &&
	       text_is_plain(m->here.peer, sizeof(m->here.peer));
}

/* More than any program can do between two messages is a lie; so nothing overflows for a lifetime. */
static bool times_valid(const struct measure_times *times)
{
	for (size_t i = 0; i < MEASURE_BUCKETS; i++)
		if (times->buckets[i] > 1u << 24)
			return false;
	return times->sum_ns < 1ull << 50;
}

static bool resumed_valid(const struct link_message *m)
{
	return m->resumed.version == LINK_VERSION &&
	       m->resumed.viewers <= LIMIT_VIEWERS_MAX + LIMIT_KNOCKING &&
	       ((!m->resumed.width && !m->resumed.height) ||
		       size_valid(m->resumed.width, m->resumed.height));
}

static bool pointer_valid(const struct link_input *input)
{
	const int32_t most = LIMIT_INPUT_STEP;

	if (input->on)
		return !input->width && !input->height && input->x >= -most && input->x <= most &&
		       input->y >= -most && input->y <= most;
	return size_valid(input->width, input->height) && input->x >= 0 && input->y >= 0 &&
	       input->x < input->width && input->y < input->height;
}

static bool input_valid(const struct link_message *m)
{
	if (!m->input.used || m->input.used > LINK_INPUTS)
		return false;
	for (uint32_t i = 0; i < m->input.used; i++) {
		const struct link_input *input = &m->input.at[i];

		if (!is_switch(input->on) ||
			(input->kind == LINK_INPUT_KEY && input->code > UINT8_MAX) ||
			(input->kind == LINK_INPUT_POINTER && !pointer_valid(input)) ||
			input->kind < LINK_INPUT_KEY || input->kind > LINK_INPUT_LOST)
			return false;
	}
	return true;
}

static bool rfb_message_valid(const struct link_message *m, bool has_fd)
{
	if (has_fd)
		return false;
	switch (m->type) {
	case LINK_READY:
		return m->ready.version == LINK_VERSION;
	case LINK_RESUMED:
		return resumed_valid(m);
	case LINK_HERE:
		return here_valid(m);
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
	case LINK_TIMES:
		return times_valid(&m->times.encode) && times_valid(&m->times.wire);
	case LINK_RESIZE:
		return size_valid(m->resize.width, m->resize.height);
	case LINK_WATCH:
		return m->watch.count <= LIMIT_VIEWERS_MAX;
	case LINK_CHECK:
		return check_valid(m);
	case LINK_INPUT:
		return input_valid(m);
	case LINK_POWER:
		return m->power.action >= LINK_POWER_SHUTDOWN &&
		       m->power.action <= LINK_POWER_RESET;
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
