/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: the last entry is kept free for the mark of what was lost, so that there is always room for that. A mark is not
 * merged with what comes behind it: where there is room again, that is behind the mark, and the broker has let go of all keys there.
 */
#include "rfb/strokes.h"

#include <string.h>

#include "base/mem.h"

enum { ROOM = LIMIT_STROKES - 1 };

static_assert(ROOM > LINK_INPUTS, "more than one message waits");

static void lose(struct strokes *strokes)
{
	struct link_input *last = &strokes->at[strokes->used - 1];

	if (last->kind != LINK_INPUT_LOST) {
		last = &strokes->at[strokes->used++];
		*last = (struct link_input){.kind = LINK_INPUT_LOST};
	}
	last->lost++;
	strokes->moves = false;
	strokes->buttons = 0;
}

static bool add(struct strokes *strokes, const struct link_input *input)
{
	if (strokes->used >= ROOM) {
		lose(strokes);
		return false;
	}
	strokes->at[strokes->used++] = *input;
	return true;
}

void strokes_key(
	struct strokes *strokes, bool down, uint32_t keysym, uint32_t keycode, uint64_t now)
{
	const struct link_input input = {
		.at = now,
		.kind = LINK_INPUT_KEY,
		.on = down,
		.code = (uint16_t)keycode,
		.keysym = keysym,
	};

	if (add(strokes, &input))
		strokes->moves = false;
}

static int32_t sum(int32_t a, int32_t b)
{
	int32_t most = MIN(a + b, LIMIT_INPUT_STEP);

	return MAX(most, -LIMIT_INPUT_STEP);
}

/* The newer takes the older one's place. */
static bool merge(struct strokes *strokes, const struct link_input *input)
{
	struct link_input *last = &strokes->at[strokes->used - 1];
	struct link_input merged = *input;

	if (strokes->used <= LINK_INPUTS || !strokes->moves || last->on != input->on ||
		last->code != input->code)
		return false;
	if (input->on) {
		merged.x = sum(last->x, input->x);
		merged.y = sum(last->y, input->y);
	}
	*last = merged;
	return true;
}

void strokes_pointer(struct strokes *strokes, const struct parse_pointer *pointer, uint32_t width,
	uint32_t height, uint64_t now)
{
	struct link_input input = {
		.at = now,
		.kind = LINK_INPUT_POINTER,
		.on = pointer->relative,
		.code = pointer->buttons,
		.x = pointer->x,
		.y = pointer->y,
	};
	bool moves = pointer->buttons == strokes->buttons;

	if (!pointer->relative) {
		input.width = (uint16_t)width;
		input.height = (uint16_t)height;
	}
	if (merge(strokes, &input) || !add(strokes, &input))
		return;
	strokes->moves = moves;
	strokes->buttons = pointer->buttons;
}

bool strokes_message(const struct strokes *strokes, uint32_t viewer, struct link_message *ret)
{
	uint32_t n = MIN(strokes->used, (uint32_t)LINK_INPUTS);

	if (!n)
		return false;
	*ret = (struct link_message){.type = LINK_INPUT};
	ret->input.viewer = viewer;
	ret->input.used = n;
	memcpy(ret->input.at, strokes->at, n * sizeof(strokes->at[0]));
	return true;
}

void strokes_eat(struct strokes *strokes, uint32_t n)
{
	strokes->used -= n;
	memmove(strokes->at, strokes->at + n, strokes->used * sizeof(strokes->at[0]));
	/* What has gone may have been a password. */
	explicit_bzero(strokes->at + strokes->used, n * sizeof(strokes->at[0]));
	strokes->moves &= strokes->used > 0;
}
