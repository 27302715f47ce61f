/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tally.h - how often each of some words has come: methods and their errors, reasons. Main thread.
 *
 * A fixed number of them: what comes when all places are taken is counted together, so that nobody can make it grow.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TALLY_WORDS 96
#define TALLY_CHARS 48

enum tally_what {
	TALLY_CALLS,	/* methods of the control socket, and the errors they answered; "" for none */
	TALLY_REFUSALS, /* errors that Register answered */
	TALLY_DROPPED,	/* why viewers were sent off */
	TALLY_WHATS,
};

struct tally {
	size_t used;
	uint64_t others;
	struct tally_entry {
		char first[TALLY_CHARS], second[TALLY_CHARS]; /* longer ones are cut */
		uint64_t count;
	} entries[TALLY_WORDS];
};

/* @second: "" where there is one word only. */
void tally_count(enum tally_what what, const char *first, const char *second);
const struct tally *tally_read(enum tally_what what);
