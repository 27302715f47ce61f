/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "damage/warm.h"

#include <string.h>

#include "base/mem.h"

/* More is not where somebody types. */
#define ROWS_MAX   4u
#define GROUPS_MAX 8u
/* The next line, the next words. */
#define ROWS_AROUND   1u
#define GROUPS_AROUND 1u

void warm_begin(struct warm *warm)
{
	warm->now = (struct place){0};
}

void warm_found(struct warm *warm, size_t row, size_t begin, size_t end)
{
	struct place *now = &warm->now;

	if (!now->end_row) {
		*now = (struct place){row, row + 1, begin, end};
		return;
	}
	now->row = MIN(now->row, row);
	now->end_row = MAX(now->end_row, row + 1);
	now->group = MIN(now->group, begin);
	now->end_group = MAX(now->end_group, end);
}

static bool touch(const struct place *a, const struct place *b)
{
	return a->row < b->end_row && b->row < a->end_row && a->group < b->end_group &&
	       b->group < a->end_group;
}

static void remember(struct warm *warm, const struct place *place)
{
	size_t i = 0;

	while (i < warm->used && !touch(&warm->places[i], place))
		i++;
	if (i == warm->used && i < WARM_PLACES)
		warm->used++;
	i = MIN(i, (size_t)WARM_PLACES - 1);
	memmove(&warm->places[1], &warm->places[0], i * sizeof(warm->places[0]));
	warm->places[0] = *place;
}

void warm_end(struct warm *warm, size_t rows, size_t groups)
{
	struct place place = warm->now;

	if (!place.end_row || place.end_row - place.row > ROWS_MAX ||
		place.end_group - place.group > GROUPS_MAX)
		return;
	place.row -= MIN(place.row, ROWS_AROUND);
	place.group -= MIN(place.group, GROUPS_AROUND);
	place.end_row = MIN(place.end_row + ROWS_AROUND, rows);
	place.end_group = MIN(place.end_group + GROUPS_AROUND, groups);
	remember(warm, &place);
}
