/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rights.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "base/mem.h"
#include "varlink/server.h"

#define BIT(right) (1u << (right))

static const char *const names[RIGHTS_USED] = {
	[RIGHT_NONE] = "none",
	[RIGHT_OBSERVE] = "observe",
	[RIGHT_REGISTER] = "register",
	[RIGHT_CAPTURE] = "capture",
	[RIGHT_VIEW] = "view",
	[RIGHT_CONTROL] = "control",
	[RIGHT_EXCLUSIVE] = "exclusive",
	[RIGHT_INPUT] = "input",
	[RIGHT_TICKET] = "ticket",
	[RIGHT_MANAGE] = "manage",
	[RIGHT_ADMIN] = "admin",
};

/* Of everybody, where no file says otherwise: who may connect is a matter of the socket's mode. */
static const uint32_t without_file = BIT(RIGHT_OBSERVE) | BIT(RIGHT_REGISTER) | BIT(RIGHT_CAPTURE) |
				     BIT(RIGHT_VIEW) | BIT(RIGHT_CONTROL) | BIT(RIGHT_EXCLUSIVE) |
				     BIT(RIGHT_INPUT);

/* It holds the device, or did; what goes on with its picture is the policy's. */
static const uint32_t of_owner =
	BIT(RIGHT_OBSERVE) | BIT(RIGHT_INPUT) | BIT(RIGHT_TICKET) | BIT(RIGHT_MANAGE);

struct rights {
	uint32_t everybody;
};

const char *right_name(enum right right)
{
	return names[right];
}

int rights_create(struct rights **ret)
{
	struct rights *rights = new0(struct rights);

	if (!rights)
		return -ENOMEM;
	rights->everybody = without_file;
	*ret = rights;
	return 0;
}

void rights_destroy(struct rights *rights)
{
	free(rights);
}

static bool has_all(const struct varlink_peer *peer)
{
	return peer->uid == 0 || peer->uid == geteuid();
}

bool rights_allow(const struct rights *rights, const struct varlink_peer *peer, enum right right,
	const char *id, uid_t owner)
{
	if (right == RIGHT_NONE || has_all(peer))
		return true;
	if (id && owner != RIGHTS_NO_OWNER && owner == peer->uid && (of_owner & BIT(right)))
		return true;
	return rights->everybody & BIT(right);
}

bool rights_allow_some(
	const struct rights *rights, const struct varlink_peer *peer, enum right right)
{
	return right == RIGHT_NONE || has_all(peer) || (rights->everybody & BIT(right));
}
