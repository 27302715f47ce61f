/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A film and its viewers, without a network: four bytes are a step, and the first says what happens: publishes, other sizes, other pictures, viewers
 * that come, take what there is, hold it for long, lag and leave. Whatever the order, a viewer is sent each picture behind the one before, of the place
 * that its decoder is for, or begins with one that stands alone; the last one shows the frame; and no byte changes while somebody holds it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "damage/tiles.h"
#include "rfb/film.h"
#include "rfb/h264.h"
#include "rfb/motion.h"
#include "rfb/spool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	STEP = 4,
	STEPS_MAX = 400,
	VIEWERS = 4,
	PICTURES = 120 /* that one input asks for: it ends soon on any machine */
};

#define MS     1000000ull
#define WIDTH  1040u
#define HEIGHT 400u
#define BITMAP \
	(DIV_ROUND_UP(DIV_ROUND_UP(WIDTH, BLOCK_PIXELS), 64) * DIV_ROUND_UP(HEIGHT, BLOCK_PIXELS))

/* What it knows of what it was sent. */
struct watcher {
	bool there, begun;
	struct film_place place;
	struct rect area;
	uint64_t last; /* shot */
	const struct shot *held[FILM_BATCH];
	size_t held_count;
	uint64_t held_sum;
};

static struct film *film;
static struct watcher watchers[VIEWERS];
static uint32_t *pixels, width, height, generation;
static uint64_t now, serial;
static unsigned int look, pictures;
static bool on;

static void expect(bool truth)
{
	if (!truth)
		abort();
}

/* ---- the frame ---- */

/* Soft colours, noise, or few. */
static void draw(void)
{
	uint32_t noise = (uint32_t)serial;

	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < width; x++) {
			uint32_t *at = &pixels[y * width + x];

			noise = noise * 1664525 + 1013904223;
			*at = look % 4 == 3   ? 0x102030 * (1 + (x + (uint32_t)serial) / 16 % 5)
			      : look % 4 == 2 ? noise >> 8
					      : (x + (uint32_t)serial * 5) % 256 << 16 |
							y % 256 << 8 | (x + y) % 256;
		}
}

static void resize(uint8_t choice)
{
	static const uint32_t sizes[][2] = {
		{320, 240}, {321, 243}, {1040, 128}, {192, 128}, {480, 320}, {64, 64}, {1, 1}};

	width = sizes[choice % ARRAY_SIZE(sizes)][0];
	height = sizes[choice % ARRAY_SIZE(sizes)][1];
	film_frame(film, width, height, ++generation);
}

/* Some blocks from a corner on, or all. */
static void publish(uint8_t corner, uint8_t extent)
{
	uint32_t columns = DIV_ROUND_UP(width, BLOCK_PIXELS),
		 rows = DIV_ROUND_UP(height, BLOCK_PIXELS);
	uint32_t left = corner % 8, top = corner / 64, words = DIV_ROUND_UP(columns, 64);
	uint64_t bitmap[BITMAP] = {0};

	for (uint32_t y = top; y < rows && y <= top + extent / 16 * 2; y++)
		for (uint32_t x = left; x < columns && x <= left + extent % 16 * 5; x++)
			bitmap[y * words + x / 64] |= 1ull << x % 64;
	serial++;
	film_published(film, bitmap, now);
}

static void play(uint8_t corner, uint8_t extent)
{
	for (unsigned int i = 0; i < 45; i++) {
		now += 25 * MS;
		publish(corner, extent);
	}
}

/* ---- viewers ---- */

static uint64_t sum_of(const struct watcher *watcher)
{
	uint64_t sum = 1469598103934665603ull;

	for (size_t i = 0; i < watcher->held_count; i++)
		for (size_t j = 0; j < watcher->held[i]->size; j++)
			sum = (sum ^ watcher->held[i]->bytes[j]) * 1099511628211ull;
	return sum;
}

static void drop(struct watcher *watcher)
{
	expect(sum_of(watcher) == watcher->held_sum);
	film_drop(film, watcher->held, watcher->held_count);
	watcher->held_count = 0;
	watcher->held_sum = sum_of(watcher);
}

static void check_shot(const struct shot *shot, uint64_t number)
{
	const uint8_t *bytes = shot->bytes;
	size_t head = 3;

	expect(shot->number == number && shot->size > 4);
	if (!bytes[2])
		head = 4;
	expect(!bytes[0] && !bytes[1] && bytes[head - 1] == 1);
	expect((bytes[head] & 31) == (shot->key ? 7 : 1)); /* a sequence's parameters; a slice */
}

static void check_shots(
	struct watcher *watcher, const struct film_want *want, const struct rect *area, bool anew)
{
	const struct shot *const *shots = watcher->held;
	size_t count = watcher->held_count;

	expect(anew ? shots[0]->key : watcher->begun && shots[0]->number == watcher->last + 1);
	expect(anew || memcmp(&watcher->area, area, sizeof(*area)) == 0);
	for (size_t i = 0; i < count; i++)
		check_shot(shots[i], shots[0]->number + i);
	expect(shots[count - 1]->serial == want->serial);
	expect(watcher->place.serial == want->serial && watcher->place.reel == want->reel);
	watcher->begun = true;
	watcher->area = *area;
	watcher->last = shots[count - 1]->number;
}

static void check_area(const struct rect *area)
{
	expect(area->x + area->width <= width && area->y + area->height <= height);
	expect(area->width % 2 == 0 && area->height % 2 == 0);
	expect(area->width * area->height >= MOTION_PIXELS);
	expect(area->width * area->height <= LIMIT_FILM_PIXELS);
}

/* As canvas.c does it. */
static void take(struct watcher *watcher, unsigned int step)
{
	struct film_want want = {.serial = serial, .pixels = pixels, .stride = width, .now = now};
	struct rect area;
	bool anew = false;

	if (!watcher->there || !film_showing(film, generation, &area, &want.reel) ||
		pictures++ >= PICTURES)
		return;
	expect(on);
	check_area(&area);
	drop(watcher);
	want.step = step % (H264_STEPS + 1);
	draw();
	watcher->held_count = film_take(film, &want, &watcher->place, watcher->held, &anew);
	expect(watcher->held_count <= FILM_BATCH);
	watcher->held_sum = sum_of(watcher);
	if (watcher->held_count)
		check_shots(watcher, &want, &area, anew);
}

static void come_or_leave(struct watcher *watcher)
{
	drop(watcher);
	watcher->there = !watcher->there;
	film_audience(film, watcher->there);
	*watcher = (struct watcher){.there = watcher->there};
	watcher->held_sum = sum_of(watcher);
}

static void check_all(void)
{
	bool anybody = false;
	struct rect area;
	uint32_t reel;

	for (size_t i = 0; i < VIEWERS; i++)
		anybody |= watchers[i].there;
	expect(!film_showing(film, generation + 1, &area, &reel));
	if (film_showing(film, generation, &area, &reel))
		expect(on && anybody && reel);
}

static void step(const uint8_t *at)
{
	struct watcher *watcher = &watchers[at[1] % VIEWERS];

	now += at[3] * MS;
	switch (at[0] % 10) {
	case 0:
		publish(at[1], at[2]);
		break;
	case 1:
		play(at[1], at[2]);
		break;
	case 2: /* and all that it was sent is on its way until the next time */
		take(watcher, at[2]);
		break;
	case 3:
		take(watcher, at[2]);
		drop(watcher);
		break;
	case 4: /* in step with what is published */
		for (unsigned int i = 0; i < at[2] % 20; i++) {
			now += 25 * MS;
			publish(0, 0xff);
			take(watcher, 0);
			drop(watcher);
		}
		break;
	case 5:
		come_or_leave(watcher);
		break;
	case 6:
		resize(at[1]);
		break;
	case 7:
		look = at[1];
		watcher->place.reel = 0; /* it has listed its encodings again */
		break;
	case 8:
		film_tidy(film);
		break;
	case 9:
		on = at[1] & 3;
		film_switch(film, on);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!pixels)
		pixels = calloc((size_t)WIDTH * HEIGHT, sizeof(*pixels));
	if (!pixels || film_create(NULL, NULL, &film) < 0)
		return 0;
	memset(watchers, 0, sizeof(watchers));
	for (size_t i = 0; i < VIEWERS; i++)
		watchers[i].held_sum = sum_of(&watchers[i]);
	now = 1000 * MS;
	serial = look = pictures = generation = 0;
	on = h264_there();
	resize(0);
	come_or_leave(&watchers[0]);
	for (size_t at = 0; at + STEP <= size && at < STEP * STEPS_MAX; at += STEP) {
		step(data + at);
		check_all();
	}
	for (size_t i = 0; i < VIEWERS; i++)
		if (watchers[i].there)
			come_or_leave(&watchers[i]);
	film_tidy(film);
	expect(!film_tidy(film));
	film_destroy(film);
	return 0;
}
