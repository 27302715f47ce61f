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
	warm->found_used = 0;
	warm->much = false;
}

static bool touch(const struct place *a, const struct place *b)
{
	return a->row < b->end_row && b->row < a->end_row && a->group < b->end_group &&
	       b->group < a->end_group;
}

static struct place around(const struct place *place)
{
	return (struct place){
		.row = place->row - MIN(place->row, (size_t)ROWS_AROUND),
		.end_row = place->end_row + ROWS_AROUND,
		.group = place->group - MIN(place->group, (size_t)GROUPS_AROUND),
		.end_group = place->end_group + GROUPS_AROUND,
	};
}

static bool are_near(const struct place *a, const struct place *b)
{
	struct place wider = around(a);

	return touch(&wider, b);
}

static void join(struct place *place, const struct place *more)
{
	place->row = MIN(place->row, more->row);
	place->end_row = MAX(place->end_row, more->end_row);
	place->group = MIN(place->group, more->group);
	place->end_group = MAX(place->end_group, more->end_group);
}

void warm_found(struct warm *warm, size_t row, size_t begin, size_t end)
{
	struct place here = {row, row + 1, begin, end};
	size_t i = 0;

	if (warm->much)
		return;
	/* What grows may come near to what was found before it. */
	while (i < warm->found_used) {
		if (are_near(&warm->found[i], &here)) {
			join(&here, &warm->found[i]);
			warm->found[i] = warm->found[--warm->found_used];
			i = 0;
		} else {
			i++;
		}
	}
	if (warm->found_used == WARM_PLACES)
		warm->much = true;
	else
		warm->found[warm->found_used++] = here;
	warm->much |=
		here.end_row - here.row > ROWS_MAX || here.end_group - here.group > GROUPS_MAX;
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
	bool little = warm->found_used && !warm->much;

	warm->known = little;
	for (size_t i = 0; little && i < warm->found_used; i++)
		warm->known &= warm_holds(warm, &warm->found[i]);
	for (size_t i = 0; little && i < warm->found_used; i++) {
		struct place place = around(&warm->found[i]);

		place.end_row = MIN(place.end_row, rows);
		place.end_group = MIN(place.end_group, groups);
		remember(warm, &place);
	}
}

bool warm_holds(const struct warm *warm, const struct place *place)
{
	for (size_t i = 0; i < warm->used; i++) {
		const struct place *in = &warm->places[i];

		if (in->row <= place->row && place->end_row <= in->end_row &&
			in->group <= place->group && place->end_group <= in->end_group)
			return true;
	}
	return false;
}
