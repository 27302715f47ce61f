/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * A flood of one must not hide what others do. So lines are counted for whom they are about: the user who called, or else the display;
 * both fall into one of a fixed number of buckets, where those who share one by chance share its fate. Ids are a registrant's to choose, so
 * which bucket is another's cannot be known from outside. Nor must a flood of what costs nothing, to be denied or to come and
 * go, hide what the same one has done: each is counted by itself. What is left out is counted and told when a line is written again.
 */
#include "audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "varlink/server.h"

static const struct {
	const char *message_id;
	enum log_level level;
} kinds[] = {
	[AUDIT_REGISTERED] = {"450d8b944a804677b9210a9abc576c5e", LOG_LEVEL_INFO},
	[AUDIT_UNREGISTERED] = {"1ac7131bccf64dc28352a0e15abe03ea", LOG_LEVEL_INFO},
	[AUDIT_ENDED] = {"a21c53d818eb4d68b0c179c25676f234", LOG_LEVEL_INFO},
	[AUDIT_UPDATED] = {"31abb82426b34651a8a2d67142f9fcc5", LOG_LEVEL_INFO},
	[AUDIT_ATTACHED] = {"239af61c9b0a44d5ac7613a2e42f3d94", LOG_LEVEL_INFO},
	[AUDIT_VIEWER_IN] = {"2fa85c643da44ec6bfd6f5cd71db0d1e", LOG_LEVEL_INFO},
	[AUDIT_VIEWER_OUT] = {"3648db94cd9e4ce0ad1fb666b591fc4a", LOG_LEVEL_INFO},
	[AUDIT_DETACHED] = {"2b974498176f4229944cf54b0a0d3501", LOG_LEVEL_INFO},
	[AUDIT_TICKET_ISSUED] = {"e37aa6ef22794a2fac3032334927036e", LOG_LEVEL_INFO},
	[AUDIT_TICKET_USED] = {"7b60bae147ae4eb0bddf2823bd46c14f", LOG_LEVEL_INFO},
	[AUDIT_LOGGED_IN] = {"3e52bcad3f7f45c2b94e8cb4066ebd15", LOG_LEVEL_INFO},
	[AUDIT_REFUSED] = {"97be09d4fbe841829e21602f4203273d", LOG_LEVEL_NOTICE},
	[AUDIT_DENIED] = {"e8d102a5f4a5448ba243a54ea483d261", LOG_LEVEL_NOTICE},
	[AUDIT_POLICY] = {"8212d00d431d4cf993fb39daa0a9f708", LOG_LEVEL_INFO},
	[AUDIT_POLICY_KEPT] = {"1817dbb727f94d468a02882b7a6346bc", LOG_LEVEL_ERR},
};

static_assert(ARRAY_SIZE(kinds) == AUDIT_KINDS, "a MESSAGE_ID for each kind");

static struct bucket {
	uint64_t since; /* ms */
	unsigned int lines, left_out;
} buckets[LIMIT_AUDIT_BUCKETS];

const char *audit_message_id(size_t kind)
{
	return kind < AUDIT_KINDS ? kinds[kind].message_id : NULL;
}

static uint32_t seed(void)
{
	static uint32_t number;

	if (!number && getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
		number = (uint32_t)loop_now_ms();
	return number;
}

enum sort { DEEDS, DENIALS, COMINGS };

static enum sort sort_of(enum audit_kind kind)
{
	if (kind == AUDIT_DENIED || kind == AUDIT_REFUSED)
		return DENIALS;
	return kind == AUDIT_VIEWER_IN || kind == AUDIT_VIEWER_OUT ? COMINGS : DEEDS;
}

static uint32_t mix(uint32_t hash, uint32_t more)
{
	hash = (hash ^ more) * 2654435761u;
	return hash ^ hash >> 15;
}

static struct bucket *bucket_of(enum audit_kind kind, const struct audit *fields)
{
	uint32_t hash = mix(seed(), sort_of(kind));

	if (fields->peer)
		hash = mix(mix(hash, 1), (uint32_t)fields->peer->uid);
	else if (fields->owner)
		hash = mix(mix(hash, 1), (uint32_t)*fields->owner);
	else
		for (const char *c = fields->display ? fields->display : ""; *c; c++)
			hash = mix(hash, (unsigned char)*c);
	return &buckets[hash % ARRAY_SIZE(buckets)];
}

static const uid_t *user_of(const struct audit *fields)
{
	return fields->peer ? &fields->peer->uid : fields->owner;
}

static void tell_left_out(const struct audit *fields, unsigned int n)
{
	const uid_t *user = user_of(fields);

	if (user)
		log_notice(NULL, "%u lines about uid %u were left out", n, (unsigned int)*user);
	else
		log_notice(fields->display, "%u lines about it were left out", n);
}

static void tell_flood(const struct audit *fields)
{
	const uid_t *user = user_of(fields);

	if (user)
		log_notice(NULL, "uid %u does too much for a line each", (unsigned int)*user);
	else
		log_notice(fields->display, "too much happens for a line each");
}

static bool worth_a_line(struct bucket *bucket, const struct audit *fields)
{
	uint64_t now = loop_now_ms();
	unsigned int left_out = bucket->left_out;

	if (now - bucket->since >= LIMIT_VIEWER_LINES_MS || bucket->since == 0) {
		*bucket = (struct bucket){.since = now};
		if (left_out)
			tell_left_out(fields, left_out);
	}
	if (bucket->lines++ < (user_of(fields) ? LIMIT_AUDIT_LINES : LIMIT_VIEWER_LINES))
		return true;
	if (bucket->left_out++ == 0)
		tell_flood(fields);
	return false;
}

static const char *number(char *text, size_t size, unsigned long long value)
{
	snprintf(text, size, "%llu", value);
	return text;
}

void audit(enum audit_kind kind, const struct audit *fields, const char *format, ...)
{
	const struct varlink_peer *peer = fields->peer;
	char uid[24], gid[24], pid[24], process[24];
	const struct log_field list[] = {
		{"MESSAGE_ID", kinds[kind].message_id},
		/* Before what others choose the length of: what does not fit is left out. */
		{"PEER_UID", peer ? number(uid, sizeof(uid), peer->uid) : NULL},
		{"PEER_GID", peer ? number(gid, sizeof(gid), peer->gid) : NULL},
		{"PEER_PID", peer ? number(pid, sizeof(pid), (unsigned int)peer->pid) : NULL},
		{"PEER_PIDFDID", peer && peer->process
					 ? number(process, sizeof(process), peer->process)
					 : NULL},
		{"VFIO_MACHINE", fields->machine},
		{"VFIO_VIEWER", fields->viewer},
		{"VFIO_ADDRESS", fields->address},
		{"VFIO_MODE", fields->mode},
		{"VFIO_LABEL", fields->label},
		{"VFIO_REASON", fields->reason},
		{"VFIO_RIGHT", fields->right ? right_name(fields->right) : NULL},
	};
	va_list args;

	if (!worth_a_line(bucket_of(kind, fields), fields))
		return;
	va_start(args, format);
	log_event(kinds[kind].level, fields->display, list, ARRAY_SIZE(list), format, args);
	va_end(args);
}
