/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/suspects.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/mem.h"

enum { FAMILY_FREE, FAMILY_UNIX = 1, FAMILY_IPV4 = 4, FAMILY_IPV6 = 6 };

/* What comes before the port. */
static void cut_address(const char *peer, char ret[INET6_ADDRSTRLEN])
{
	const char *from = peer + (peer[0] == '['), *to = strrchr(peer, ':');
	size_t size;

	if (to && to > from && to[-1] == ']')
		to--;
	size = to > from ? to - from : 0;
	size = MIN(size, (size_t)INET6_ADDRSTRLEN - 1);
	memcpy(ret, from, size);
	ret[size] = '\0';
}

struct suspect suspects_named(const char *peer)
{
	struct suspect suspect = {.family = FAMILY_UNIX};
	char text[INET6_ADDRSTRLEN];
	struct in6_addr in6;
	struct in_addr in;

	cut_address(peer, text);
	if (inet_pton(AF_INET, text, &in) == 1) {
		suspect.family = FAMILY_IPV4;
		memcpy(suspect.network, &in, sizeof(in));
	} else if (inet_pton(AF_INET6, text, &in6) == 1) {
		suspect.family = FAMILY_IPV6;
		memcpy(suspect.network, &in6, sizeof(suspect.network));
	}
	return suspect;
}

bool suspects_same(const struct suspect *a, const struct suspect *b)
{
	return a->family == b->family && memcmp(a->network, b->network, sizeof(a->network)) == 0;
}

static const struct suspect *find(const struct suspects *suspects, const char *peer)
{
	struct suspect wanted = suspects_named(peer);

	for (size_t i = 0; i < ARRAY_SIZE(suspects->table); i++) {
		const struct suspect *suspect = &suspects->table[i];

		if (suspects_same(suspect, &wanted))
			return suspect;
	}
	return NULL;
}

static bool is_forgotten(const struct suspect *suspect, uint64_t now)
{
	return now >= suspect->failed_ms + LIMIT_SUSPECT_FORGET_MS;
}

static uint64_t sentence_ms(uint32_t failures)
{
	uint32_t times = failures - LIMIT_SUSPECT_FAILURES;

	if (failures < LIMIT_SUSPECT_FAILURES)
		return 0;
	/* Beyond that the shift alone is more than the most. */
	times = MIN(times, 16u);
	return MIN((uint64_t)LIMIT_SUSPECT_MS << times, (uint64_t)LIMIT_SUSPECT_MAX_MS);
}

uint64_t suspects_refused_ms(const struct suspects *suspects, const char *peer, uint64_t now)
{
	const struct suspect *suspect = find(suspects, peer);
	uint64_t until;

	if (!suspect || is_forgotten(suspect, now))
		return 0;
	until = suspect->failed_ms + sentence_ms(suspect->failures);
	return until > now ? until - now : 0;
}

/* A free place, or that of whoever failed longest ago. */
static struct suspect *make_room(struct suspects *suspects)
{
	struct suspect *oldest = &suspects->table[0];

	for (size_t i = 0; i < ARRAY_SIZE(suspects->table); i++) {
		struct suspect *suspect = &suspects->table[i];

		if (suspect->family == FAMILY_FREE)
			return suspect;
		if (suspect->failed_ms < oldest->failed_ms)
			oldest = suspect;
	}
	return oldest;
}

void suspects_failed(struct suspects *suspects, const char *peer, uint64_t now)
{
	struct suspect *suspect = (struct suspect *)find(suspects, peer);

	if (!suspect) {
		suspect = make_room(suspects);
		*suspect = suspects_named(peer);
	} else if (is_forgotten(suspect, now)) {
		suspect->failures = 0;
	}
	if (suspect->failures < UINT32_MAX)
		suspect->failures++;
	suspect->failed_ms = now;
}

void suspects_cleared(struct suspects *suspects, const char *peer)
{
	struct suspect *suspect = (struct suspect *)find(suspects, peer);

	if (suspect)
		*suspect = (struct suspect){0};
}
