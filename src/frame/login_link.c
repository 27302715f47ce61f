/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame/login_link.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/packet.h"
#include "frame/link.h"

int login_send(int link, const struct login_message *message)
{
	return packet_send(link, message, sizeof(*message), -EBADF);
}

static bool text_ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static bool ask_valid(const struct login_message *m)
{
	return m->ask.user[0] && text_ends(m->ask.user, sizeof(m->ask.user)) && m->ask.secret[0] &&
	       text_ends(m->ask.secret, sizeof(m->ask.secret)) &&
	       text_ends(m->ask.display, sizeof(m->ask.display)) &&
	       text_ends(m->ask.peer, sizeof(m->ask.peer));
}

int login_check(const struct login_message *m, bool from_broker)
{
	bool valid = false;

	if (from_broker)
		valid = m->type == LOGIN_ASK && ask_valid(m);
	else if (m->type == LOGIN_READY)
		valid = m->ready.version == LOGIN_VERSION;
	else if (m->type == LOGIN_ANSWER)
		valid = m->answer.mode <= LINK_MODE_EXCLUSIVE;
	return valid ? 0 : -EPROTO;
}

int login_receive(int link, bool from_broker, struct login_message *ret)
{
	_cleanup_fd_ int fd = -EBADF;
	int r = packet_receive(link, ret, sizeof(*ret), &fd);

	if (r < 0)
		return r;
	return fd >= 0 ? -EPROTO : login_check(ret, from_broker);
}
