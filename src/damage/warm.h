/* SPDX-License-Identifier: GPL-2.0-or-later */
/* warm.h - where little has changed lately: where somebody types, or a clock ticks. Private to src/damage/.
 *
 * What changes next is likely to be there, or large. So that much is looked at pixel by pixel where elsewhere few rows are.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define WARM_PLACES 2u

/* In groups, and rows of blocks. */
struct place {
	size_t row, end_row, group, end_group;
};

struct warm {
	struct place places[WARM_PLACES]; /* the last one first */
	size_t used;
	/* By the look that is made, or was the last one. */
	struct place found[WARM_PLACES]; /* apart from each other */
	size_t found_used;
	bool much;  /* there is more than that */
	bool known; /* when it was over: all that was found was in places */
};

/* A look begins; groups [@begin, @end) of a row have changed; it is over: of a picture of so many rows and groups. */
void warm_begin(struct warm *warm);
void warm_found(struct warm *warm, size_t row, size_t begin, size_t end);
void warm_end(struct warm *warm, size_t rows, size_t groups);
/* Whether all of this is in one of the places. */
bool warm_holds(const struct warm *warm, const struct place *place);
