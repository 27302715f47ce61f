/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moves and what a viewer has not got yet, held against pictures: a model of a frame that is published, and of screens that lag. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "damage/move.h"
#include "damage/tiles.h"
#include "frame/frame.h"
#include "rfb/bitmaps.h"

#define WIDTH	1050 /* a second word in each row, a narrow last block */
#define HEIGHT	75
#define SCREENS 4
#define ROUNDS	3000
#define WORDS	10 /* of a bitmap */

static uint32_t seed = 1;

static uint32_t below(uint32_t end)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint64_t)(seed >> 8) * end >> 24;
}

static struct rect somewhere(void)
{
	struct rect rect = {.width = 1 + below(WIDTH / 2), .height = 1 + below(HEIGHT / 2)};

	rect.x = below(WIDTH - rect.width + 1);
	rect.y = below(HEIGHT - rect.height + 1);
	return rect;
}

/* Often, all of the width: what scrolls. */
static struct move some_move(void)
{
	struct move move = {.from = somewhere()};

	if (below(3) == 0) {
		move.from.x = 0;
		move.from.width = WIDTH;
	}
	move.dx = below(2) ? 0 : (int32_t)below(WIDTH) - (int32_t)move.from.x;
	move.dy = (int32_t)below(HEIGHT) - (int32_t)move.from.y;
	return move;
}

static void make(uint32_t *pixels, const struct move *move)
{
	static uint32_t between[WIDTH * HEIGHT];
	struct rect to = move_to(move);

	memcpy(between, pixels, sizeof(between));
	for (uint32_t y = 0; y < to.height; y++)
		memcpy(pixels + (to.y + y) * WIDTH + to.x,
			between + (move->from.y + y) * WIDTH + move->from.x, to.width * 4);
}

/* Blocks that differ. */
static void compare(const uint32_t *a, const uint32_t *b, uint64_t *bitmap)
{
	size_t stride = tiles_bitmap_stride(WIDTH);

	memset(bitmap, 0, tiles_bitmap_words(WIDTH, HEIGHT) * sizeof(*bitmap));
	for (size_t y = 0; y < HEIGHT; y++)
		for (size_t x = 0; x < WIDTH; x++)
			if (a[y * WIDTH + x] != b[y * WIDTH + x])
				bitmap[y / 16 * stride + x / 1024] |= 1ull << x / 16 % 64;
}

static bool in(const uint64_t *bitmap, size_t x, size_t y)
{
	return bitmap[y / 16 * tiles_bitmap_stride(WIDTH) + x / 1024] >> x / 16 % 64 & 1;
}

struct screen {
	struct bitmaps bitmaps;
	bool copies;
	uint32_t pixels[WIDTH * HEIGHT];
};

struct model {
	struct frame *frame;
	uint32_t pixels[WIDTH * HEIGHT];
	struct screen screens[SCREENS];
};

static size_t choose_moves(struct move *moves)
{
	size_t count = 0;

	for (uint32_t tries = below(6); tries && count < LIMIT_MOVES; tries--) {
		struct move move = some_move();
		struct rect to;
		bool meets = !move_valid(&move, WIDTH, HEIGHT);

		for (size_t i = 0; i < count && !meets; i++) {
			struct rect before = move_to(&moves[i]);

			to = move_to(&move);
			meets = rects_meet(&before, &move.from) || rects_meet(&before, &to);
		}
		if (!meets)
			moves[count++] = move;
	}
	return count;
}

/* Around the pixels that differ; nothing where none does. */
static struct rect news_of(const uint32_t *a, const uint32_t *b)
{
	uint32_t left = WIDTH, top = HEIGHT, right = 0, bottom = 0;

	for (uint32_t y = 0; y < HEIGHT; y++)
		for (uint32_t x = 0; x < WIDTH; x++)
			if (a[y * WIDTH + x] != b[y * WIDTH + x]) {
				left = MIN(left, x);
				top = MIN(top, y);
				right = MAX(right, x + 1);
				bottom = y + 1;
			}
	return right ? (struct rect){left, top, right - left, bottom - top} : (struct rect){0};
}

static void publish(struct model *model)
{
	static uint32_t before[WIDTH * HEIGHT], moved[WIDTH * HEIGHT];
	struct move moves[LIMIT_MOVES];
	size_t count = below(2) ? choose_moves(moves) : 0;
	struct rect news = {0};

	memcpy(before, model->pixels, sizeof(before));
	for (size_t i = 0; i < count; i++)
		make(model->pixels, &moves[i]);
	memcpy(moved, model->pixels, sizeof(moved));
	for (uint32_t n = below(4); n; n--) {
		struct rect rect = somewhere();

		rect.height = MIN(rect.height, 5u);
		for (size_t y = rect.y; y < rect.y + rect.height; y++)
			for (size_t x = rect.x; x < rect.x + rect.width; x++)
				model->pixels[y * WIDTH + x] = below(1 << 24);
	}
	compare(before, model->pixels, frame_damage(model->frame));
	compare(moved, model->pixels, frame_left(model->frame));
	/* It is not always known. */
	if (!count && below(4))
		news = news_of(before, model->pixels);
	memcpy(frame_live(model->frame)->news,
		(uint32_t[]){news.x, news.y, news.width, news.height},
		sizeof(frame_live(model->frame)->news));
	for (size_t i = 0; i < SCREENS; i++)
		bitmaps_follow(&model->screens[i].bitmaps, model->frame, moves,
			model->screens[i].copies ? count : 0);
}

/* As its viewer does it. Returns the pixels sent. */
static size_t update(struct model *model, struct screen *screen)
{
	size_t sent = 0;

	bitmaps_take(&screen->bitmaps, model->frame);
	for (size_t i = 0; i < screen->bitmaps.taken_count; i++) {
		assert_true(screen->copies);
		make(screen->pixels, &screen->bitmaps.taken_moves[i]);
	}
	for (size_t y = 0; y < HEIGHT; y++)
		for (size_t x = 0; x < WIDTH; x++)
			if (in(screen->bitmaps.taken, x, y) &&
				rects_meet(&screen->bitmaps.taken_within,
					&(struct rect){x, y, 1, 1})) {
				screen->pixels[y * WIDTH + x] = model->pixels[y * WIDTH + x];
				sent++;
			}
	return sent;
}

/* A viewer that has nothing. */
static void come(struct model *model, struct screen *screen)
{
	memset(screen->pixels, 0xff, sizeof(screen->pixels));
	assert_int_equal(bitmaps_prepare(&screen->bitmaps, model->frame), 0);
	bitmaps_install(&screen->bitmaps, model->frame, false);
}

static void screens_that_lag_are_exact(void **state)
{
	struct model *model = new0(struct model);
	size_t sent[SCREENS] = {0}, moved = 0;

	assert_int_equal(frame_create(WIDTH, HEIGHT, 1, &model->frame), 0);
	for (size_t i = 0; i < SCREENS; i++) {
		struct screen *screen = &model->screens[i];

		screen->copies = i != 0;
		come(model, screen);
	}
	for (unsigned int round = 0; round < ROUNDS; round++) {
		publish(model);
		for (size_t i = 0; i < SCREENS; i++) {
			/* Each publish; each; every other; one in thirty. */
			static const uint32_t one_in[SCREENS] = {1, 1, 2, 30};
			struct screen *screen = &model->screens[i];

			if (!below(50))
				come(model, screen);
			if (below(one_in[i]))
				continue;
			sent[i] += update(model, screen);
			moved += screen->bitmaps.taken_count;
			assert_memory_equal(screen->pixels, model->pixels, sizeof(model->pixels));
		}
	}
	assert_true(moved > ROUNDS / 2);
	assert_true(sent[1] < sent[0]);
	for (size_t i = 0; i < SCREENS; i++)
		bitmaps_finish(&model->screens[i].bitmaps);
	frame_destroy(model->frame);
	free(model);
}

static void what_is_wrong_goes_along(void **state)
{
	uint64_t bitmap[WORDS], before[WORDS], scratch[WORDS];

	for (unsigned int round = 0; round < 20000; round++) {
		struct move move = some_move();
		struct rect to = move_to(&move), wrong = somewhere();

		if (!move_valid(&move, WIDTH, HEIGHT))
			continue;
		memset(bitmap, 0, sizeof(bitmap));
		move_mark(&wrong, WIDTH, NULL, bitmap);
		memcpy(before, bitmap, sizeof(bitmap));
		move_wrong(&move, WIDTH, HEIGHT, bitmap, scratch);
		for (size_t y = 0; y < HEIGHT; y += 1 + below(7))
			for (size_t x = 0; x < WIDTH; x += 1 + below(40)) {
				struct rect pixel = {x, y, 1, 1};
				bool was = rects_meet(&pixel, &to)
						   ? in(before, x - move.dx, y - move.dy)
						   : in(before, x, y);

				if (was)
					assert_true(in(bitmap, x, y));
			}
	}
}

static void a_whole_block_is_put_right(void **state)
{
	struct move move = {.from = {0, 20, WIDTH, 55}, .dy = -20}; /* to rows 0 to 54 */
	size_t set;
	uint64_t bitmap[WORDS], scratch[WORDS];
	struct rect all = {0, 0, WIDTH, HEIGHT}, end = {1040, 0, 10, 48}, row = {0, 0, 32, 1};

	memset(bitmap, 0, sizeof(bitmap));
	move_mark(&row, WIDTH, NULL, bitmap);
	assert_int_equal(move_count(&all, WIDTH, bitmap, &set), 66 * 5);
	assert_int_equal(set, 2);
	move_wrong(&move, WIDTH, HEIGHT, bitmap, scratch);
	move_count(&all, WIDTH, bitmap, &set);
	assert_int_equal(set, 0);
	/* The narrow blocks at the right edge are covered, too. */
	move_mark(&end, WIDTH, NULL, bitmap);
	assert_int_equal(move_count(&end, WIDTH, bitmap, &set), 3);
	assert_int_equal(set, 3);
	move.from.height = 20; /* from rows 20 to 39, to 0 to 19 */
	move_wrong(&move, WIDTH, HEIGHT, bitmap, scratch);
	move_count(&end, WIDTH, bitmap, &set);
	assert_int_equal(
		set, 3); /* what was wrong went along, and rows 20 to 47 are as they were */
}

static void lies(void **state)
{
	static const struct move moves[] = {
		{{0, 0, 10, 10}, 0, 0},
		{{0, 0, 0, 10}, 1, 0},
		{{0, 0, 10, 0}, 1, 0},
		{{0, 0, 10, 10}, -1, 0},
		{{0, 0, 10, 10}, 0, -1},
		{{0, 0, 10, 10}, INT32_MIN, INT32_MAX},
		{{WIDTH - 9, 0, 10, 10}, -20, 0},
		{{UINT32_MAX, 0, 10, 10}, 1, 0},
		{{1, 1, UINT32_MAX, UINT32_MAX}, 1, 0},
		{{0, 0, WIDTH, HEIGHT}, 0, 1},
		{{5, 5, 10, 10}, WIDTH - 14, 0},
		{{5, 5, 10, 10}, 0, HEIGHT - 14},
	};

	for (size_t i = 0; i < ARRAY_SIZE(moves); i++)
		assert_false(move_valid(&moves[i], WIDTH, HEIGHT));
	assert_true(
		move_valid(&(struct move){{5, 5, 10, 10}, WIDTH - 15, HEIGHT - 15}, WIDTH, HEIGHT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(screens_that_lag_are_exact),
		cmocka_unit_test(what_is_wrong_goes_along),
		cmocka_unit_test(a_whole_block_is_put_right),
		cmocka_unit_test(lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
