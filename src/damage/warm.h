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
	struct place now; /* around all that a look has found; empty: end_row is 0 */
};

/* A look begins; groups [@begin, @end) of a row have changed; it is over: of a picture of so many rows and groups. */
void warm_begin(struct warm *warm);
void warm_found(struct warm *warm, size_t row, size_t begin, size_t end);
void warm_end(struct warm *warm, size_t rows, size_t groups);
