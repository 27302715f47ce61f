/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policy files. The first line is an id; the rest is read, and what it then gives to a few users is held to what its lines say. */
#include <fnmatch.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "rights_rules.h"
#include "varlink/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* Instead of the host's: three letters make one that is known. */
struct passwd *getpwnam(const char *name)
{
	static struct passwd user;

	user.pw_uid = 1000;
	return strlen(name) == 3 ? &user : NULL;
}

struct group *getgrnam(const char *name)
{
	static struct group group;

	group.gr_gid = 1001;
	return strlen(name) == 3 ? &group : NULL;
}

static bool names(
	const struct rights *rights, const struct rule *rule, const struct varlink_peer *peer)
{
	for (unsigned int i = 0; i < rule->subjects_used; i++) {
		const struct rule_subject *subject = &rights->subjects[rule->subjects + i];

		if (subject->id == (subject->group ? peer->gid : peer->uid))
			return true;
	}
	return rule->subjects_used == 0;
}

/* As one who trusts fnmatch(3) would decide. */
static bool may(const struct rights *rights, const struct varlink_peer *peer, enum right right,
	const char *id)
{
	for (size_t i = 0; i < rights->rules_used; i++) {
		const struct rule *rule = &rights->rules[i];

		if ((rule->rights & 1u << right) && names(rights, rule, peer) &&
			fnmatch(rule->pattern, id, 0) == 0)
			return true;
	}
	return false;
}

static void compare(const struct rights *rights, const char *id)
{
	static const struct varlink_peer peers[] = {
		{.uid = 1000, .gid = 1000}, {.uid = 4711, .gid = 1001}, {.uid = 4711, .gid = 4711}};

	for (size_t i = 0; i < ARRAY_SIZE(peers); i++)
		for (enum right right = RIGHT_OBSERVE; right < RIGHTS_USED; right++) {
			bool wanted = may(rights, &peers[i], right, id);

			require(rights_allow(rights, &peers[i], right, id, RIGHTS_NO_OWNER) ==
				wanted);
			require(!wanted || rights_allow_some(rights, &peers[i], right));
			require(!rights_allow(rights, &peers[i], right, NULL, RIGHTS_NO_OWNER) ||
				wanted);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	size_t id_size = end ? (size_t)(end - data) : 0;
	struct rights *rights = NULL;
	char id[LIMIT_ID_CHARS + 1] = "vm1", *text, *error;
	int r;

	if (!end || size > LIMIT_POLICY_BYTES)
		return -1;
	if (id_size && id_size <= LIMIT_ID_CHARS && !memchr(data, '\0', id_size)) {
		memcpy(id, data, id_size);
		id[id_size] = '\0';
	}
	size -= id_size + 1;
	text = malloc(size + 1);
	require(text);
	memcpy(text, end + 1, size);
	r = rights_parse("/policy", text, size, &rights, &error);
	require((r == 0) == (error == NULL));
	if (r == 0) {
		require(rights->rules_used <= LIMIT_POLICY_RULES);
		require(rights->subjects_used <= LIMIT_POLICY_SUBJECTS);
		compare(rights, id);
	} else {
		require(strncmp(error, "/policy:", 8) == 0);
	}
	rights_destroy(rights);
	free(error);
	free(text);
	return 0;
}
