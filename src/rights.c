/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rights_rules.h"

#include <errno.h>
#include <unistd.h>

#include "base/mem.h"
#include "idmap.h"
#include "varlink/server.h"

#define BIT(right) (1u << (right))

static const uint32_t includes[RIGHTS_USED] = {
	[RIGHT_OBSERVE] = BIT(RIGHT_OBSERVE),
	[RIGHT_REGISTER] = BIT(RIGHT_REGISTER),
	[RIGHT_CAPTURE] = BIT(RIGHT_CAPTURE),
	[RIGHT_VIEW] = BIT(RIGHT_VIEW),
	[RIGHT_CONTROL] = BIT(RIGHT_VIEW) | BIT(RIGHT_CONTROL),
	[RIGHT_EXCLUSIVE] = BIT(RIGHT_VIEW) | BIT(RIGHT_CONTROL) | BIT(RIGHT_EXCLUSIVE),
	[RIGHT_INPUT] = BIT(RIGHT_INPUT),
	[RIGHT_TICKET] = BIT(RIGHT_TICKET),
	[RIGHT_MANAGE] = BIT(RIGHT_MANAGE),
	[RIGHT_ADMIN] = BIT(RIGHTS_USED) - 1,
};

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

/* It holds the device, or did; who else looks at its picture, and by what way, is the policy's. */
static const uint32_t of_owner =
	BIT(RIGHT_OBSERVE) | BIT(RIGHT_INPUT) | BIT(RIGHT_TICKET) | BIT(RIGHT_MANAGE);

uint32_t right_bits(enum right right)
{
	return includes[right];
}

const char *right_name(enum right right)
{
	return names[right];
}

/* Where it cannot be read, nobody is taken for somebody else. */
static bool some_are_hidden(void)
{
	struct idmap users;

	return idmap_read(IDMAP_UID_PATH, &users) < 0 || !idmap_is_whole(&users);
}

int rights_create(struct rights **ret)
{
	struct rights *rights = new0(struct rights);

	if (!rights)
		return -ENOMEM;
	rights->some_hidden = some_are_hidden();
	rights->rules[rights->rules_used++] = (struct rule){.rights = without_file, .pattern = "*"};
	*ret = rights;
	return 0;
}

void rights_destroy(struct rights *rights)
{
	if (!rights)
		return;
	free(rights->path);
	free(rights);
}

const char *rights_path(const struct rights *rights)
{
	return rights->path;
}

/* After a star that did not fit, only the last one is worth another try: so it takes no more than size times size steps. */
bool rule_matches_id(const char *pattern, const char *id)
{
	const char *star = NULL, *resume = NULL;

	while (*id) {
		if (*pattern == '*') {
			star = ++pattern;
			resume = id;
		} else if (*pattern == '?' || *pattern == *id) {
			pattern++;
			id++;
		} else if (star) {
			pattern = star;
			id = ++resume;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

static bool matches_all(const char *pattern)
{
	return pattern[strspn(pattern, "*")] == '\0';
}

static bool peer_is(const struct varlink_peer *peer, const struct rule_subject *subject)
{
	if (!subject->group)
		return peer->uid == subject->id;
	for (size_t i = 0; i < peer->groups_used; i++)
		if (peer->groups[i] == subject->id)
			return true;
	return peer->gid == subject->id;
}

static bool rule_names(
	const struct rights *rights, const struct rule *rule, const struct varlink_peer *peer)
{
	for (unsigned int i = 0; i < rule->subjects_used; i++)
		if (peer_is(peer, &rights->subjects[rule->subjects + i]))
			return true;
	return rule->subjects_used == 0;
}

static bool has_all(const struct varlink_peer *peer)
{
	return peer->uid == 0 || peer->uid == geteuid();
}

bool rights_owns(const struct rights *rights, const struct varlink_peer *peer, uid_t owner)
{
	if (rights->some_hidden && peer->uid == IDMAP_HIDDEN)
		return false;
	return owner != RIGHTS_NO_OWNER && owner == peer->uid;
}

bool rights_allow(const struct rights *rights, const struct varlink_peer *peer, enum right right,
	const char *id, uid_t owner)
{
	if (right == RIGHT_NONE)
		return true;
	if (peer->monitor && right != RIGHT_OBSERVE)
		return false;
	if (has_all(peer) || (id && (of_owner & BIT(right)) && rights_owns(rights, peer, owner)))
		return true;
	for (size_t i = 0; i < rights->rules_used; i++) {
		const struct rule *rule = &rights->rules[i];

		if ((rule->rights & BIT(right)) && rule_names(rights, rule, peer) &&
			(id ? rule_matches_id(rule->pattern, id) : matches_all(rule->pattern)))
			return true;
	}
	return false;
}

bool rights_allow_some(
	const struct rights *rights, const struct varlink_peer *peer, enum right right)
{
	if (rights_allow(rights, peer, right, NULL, RIGHTS_NO_OWNER))
		return true;
	if (peer->monitor && right != RIGHT_OBSERVE)
		return false;
	for (size_t i = 0; i < rights->rules_used; i++)
		if ((rights->rules[i].rights & BIT(right)) &&
			rule_names(rights, &rights->rules[i], peer))
			return true;
	return false;
}
