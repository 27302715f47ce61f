/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/tally.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static struct tally tallies[TALLY_WHATS];

void tally_count(enum tally_what what, const char *first, const char *second)
{
	struct tally *tally = &tallies[what];
	struct tally_entry *entry = tally->entries;

	for (; entry < tally->entries + tally->used; entry++)
		if (strncmp(entry->first, first, TALLY_CHARS - 1) == 0 &&
			strncmp(entry->second, second, TALLY_CHARS - 1) == 0) {
			entry->count++;
			return;
		}
	if (tally->used == ARRAY_SIZE(tally->entries)) {
		tally->others++;
		return;
	}
	tally->used++;
	snprintf(entry->first, sizeof(entry->first), "%s", first);
	snprintf(entry->second, sizeof(entry->second), "%s", second);
	entry->count = 1;
}

const struct tally *tally_read(enum tally_what what)
{
	return &tallies[what];
}
