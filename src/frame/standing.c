/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame/standing.h"

#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "frame/wall.h"

void standing_init(struct standing *standing, const struct wall_options *options)
{
	struct link_message *hello = &standing->hello;

	*standing = (struct standing){.secrets_fd = -EBADF};
	hello->type = LINK_HELLO;
	hello->hello.version = LINK_VERSION;
	hello->hello.role = options->role;
	hello->hello.policy = options->policy;
	hello->hello.grace_ms = options->grace_ms;
	hello->hello.stall_ms = options->stall_ms;
	memcpy(hello->hello.id, options->id, sizeof(hello->hello.id));
	memcpy(hello->hello.name, options->name, sizeof(hello->hello.name));
}

int standing_greet(struct standing *standing, int link, const uint32_t *turn)
{
	const struct link_message *more[] = {&standing->leds, &standing->pointer_mode};
	struct link_message first;
	int r;

	standing->hello.hello.log_level = log_level();
	first = standing->hello;
	if (turn) {
		first.type = LINK_RESUME;
		first.hello.turn = *turn;
		/* It may have been told something else. */
		standing->pointer_mode.type = LINK_POINTER_MODE;
	}
	r = link_send(link, &first, -EBADF);
	if (r == 0 && standing->secrets.type)
		r = link_send(link, &standing->secrets, standing->secrets_fd);
	for (size_t i = 0; i < ARRAY_SIZE(more) && r == 0; i++)
		if (more[i]->type)
			r = link_send(link, more[i], -EBADF);
	return r;
}

bool standing_policy(
	struct standing *standing, const struct link_policy *policy, struct link_message *ret)
{
	if (memcmp(&standing->hello.hello.policy, policy, sizeof(*policy)) == 0)
		return false;
	standing->hello.hello.policy = *policy;
	*ret = (struct link_message){.type = LINK_POLICY};
	ret->policy = *policy;
	return true;
}

bool standing_name(struct standing *standing, const char *name, struct link_message *ret)
{
	if (strcmp(standing->hello.hello.name, name) == 0)
		return false;
	snprintf(standing->hello.hello.name, sizeof(standing->hello.hello.name), "%s", name);
	*ret = (struct link_message){.type = LINK_NAME};
	memcpy(ret->name.name, standing->hello.hello.name, sizeof(ret->name.name));
	return true;
}

bool standing_leds(struct standing *standing, uint32_t bits, struct link_message *ret)
{
	if (standing->leds.type && standing->leds.leds.bits == bits)
		return false;
	standing->leds.type = LINK_LEDS;
	standing->leds.leds.bits = bits;
	*ret = standing->leds;
	return true;
}

bool standing_pointer_mode(struct standing *standing, bool relative, struct link_message *ret)
{
	if (standing->pointer_mode.pointer_mode.relative == relative)
		return false;
	standing->pointer_mode.type = LINK_POINTER_MODE;
	standing->pointer_mode.pointer_mode.relative = relative;
	*ret = standing->pointer_mode;
	return true;
}

void standing_secrets(struct standing *standing, int fd, const struct link_message *tls)
{
	standing->secrets = (struct link_message){0};
	standing->secrets_fd = fd;
	if (fd < 0)
		return;
	standing->secrets.type = LINK_TLS;
	standing->secrets.tls = tls->tls;
}
