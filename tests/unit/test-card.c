/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testcard/card.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "testcard/pointer.h"
#include "testcard/producer.h"
#include "vfio-displayd/surface.h"

static const uint32_t sizes[][2] = {
	{320, 200}, {640, 480}, {1281, 719}, {320, 1500}, {3000, 200}, {1080, 1920}};

static struct canvas canvas_make(uint32_t width, uint32_t height, int junk)
{
	struct canvas canvas = {.width = width, .height = height, .stride = width * 4};

	canvas.pixels = malloc((size_t)canvas.stride * height);
	assert_non_null(canvas.pixels);
	memset(canvas.pixels, junk, (size_t)canvas.stride * height);
	return canvas;
}

static bool inside(const struct area *area, int64_t x, int64_t y)
{
	return x >= area->x && y >= area->y && x < area->x + area->width &&
	       y < area->y + area->height;
}

static bool moves(const struct card *card, uint32_t x, uint32_t y)
{
	for (size_t i = 0; i < CARD_MOVING; i++)
		if (inside(&card->moving[i], x, y))
			return true;
	return false;
}

static void sizes_have_limits(void **state)
{
	struct card card;

	assert_int_equal(card_init(&card, 319, 200, 30), -EINVAL);
	assert_int_equal(card_init(&card, 320, 199, 30), -EINVAL);
	assert_int_equal(card_init(&card, 7681, 4320, 30), -EINVAL);
	assert_int_equal(card_init(&card, 7680, 4321, 30), -EINVAL);
	assert_int_equal(card_init(&card, 640, 480, 0), -EINVAL);
	assert_int_equal(card_init(&card, 640, 480, 121), -EINVAL);
	assert_int_equal(card_init(&card, 7680, 4320, 120), 0);
	card_finish(&card);
}

static void moving_parts_have_their_places(void **state)
{
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		struct card card;

		assert_int_equal(card_init(&card, sizes[s][0], sizes[s][1], 30), 0);
		for (size_t i = 0; i < CARD_MOVING; i++) {
			const struct area *a = &card.moving[i];

			assert_true(a->width > 0 && a->height > 0);
			assert_true(a->x > 0 && a->x + a->width < card.width);
			assert_true(a->y > card.panel.y && a->y + a->height < card.height);
			for (size_t j = 0; j < i; j++) {
				const struct area *b = &card.moving[j];

				assert_true(a->x >= b->x + (int64_t)b->width ||
					    b->x >= a->x + (int64_t)a->width);
			}
		}
		card_finish(&card);
	}
}

/* Every pixel is drawn, and by one of the two functions alone. */
static void pictures_depend_on_the_frame_alone(void **state)
{
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		uint32_t width = sizes[s][0], height = sizes[s][1];
		struct canvas a = canvas_make(width, height, 0xa5),
			      b = canvas_make(width, height, 0x5a);
		struct card card;

		assert_int_equal(card_init(&card, width, height, 30), 0);
		card_draw(&card, &a);
		for (uint64_t frame = 0; frame < 100; frame += 7)
			card_move(&card, &a, frame);
		card_move(&card, &b, 12345);
		for (uint32_t i = 0; i < width * height; i++)
			if (!moves(&card, i % width, i / width))
				assert_int_equal(b.pixels[i], 0x5a5a5a5a);
		card_draw(&card, &b);
		card_move(&card, &a, 12345);
		card_move(&card, &b, 12345);
		assert_memory_equal(a.pixels, b.pixels, (size_t)a.stride * height);
		for (uint32_t i = 0; i < width * height; i++)
			assert_int_equal(a.pixels[i] >> 24, 0);
		free(a.pixels);
		free(b.pixels);
		card_finish(&card);
	}
}

static unsigned int differences(
	const struct canvas *a, const struct canvas *b, const struct area *area)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < a->width * a->height; i++)
		n += inside(area, i % a->width, i / a->width) && a->pixels[i] != b->pixels[i];
	return n;
}

static void every_part_moves_between_frames(void **state)
{
	struct canvas a = canvas_make(640, 480, 0), b = canvas_make(640, 480, 0);
	struct card card;

	assert_int_equal(card_init(&card, 640, 480, 30), 0);
	for (uint64_t frame = 0; frame < 300; frame++) {
		card_move(&card, &a, frame);
		card_move(&card, &b, frame + 1);
		for (size_t i = 0; i < CARD_MOVING; i++)
			assert_int_not_equal(differences(&a, &b, &card.moving[i]), 0);
		/* The ball, not the arena. */
		assert_true(differences(&a, &b, &card.moving[CARD_ARENA]) <
			    card.moving[CARD_ARENA].width * card.moving[CARD_ARENA].height / 4);
	}
	free(a.pixels);
	free(b.pixels);
	card_finish(&card);
}

static void same_time_looks_the_same_at_any_rate(void **state)
{
	struct canvas a = canvas_make(400, 300, 0), b = canvas_make(400, 300, 0);
	struct card slow, fast;

	assert_int_equal(card_init(&slow, 400, 300, 1), 0);
	assert_int_equal(card_init(&fast, 400, 300, 120), 0);
	card_move(&slow, &a, 77);
	card_move(&fast, &b, 77 * 120);
	assert_memory_equal(a.pixels, b.pixels, 400 * 300 * 4);
	/* Years later it still draws. */
	card_move(&fast, &b, UINT64_MAX / 1000);
	card_finish(&slow);
	card_finish(&fast);
	free(a.pixels);
	free(b.pixels);
}

static void pointers_are_premultiplied(void **state)
{
	static uint32_t images[POINTER_SHAPES][128 * 128];

	for (uint32_t side = 32; side <= 128; side *= 2) {
		for (uint32_t shape = 0; shape < POINTER_SHAPES; shape++) {
			unsigned int clear = 0, white = 0;

			pointer_draw(shape, side, images[shape]);
			for (uint32_t i = 0; i < side * side; i++) {
				uint32_t pixel = images[shape][i], alpha = pixel >> 24;

				assert_true((pixel & 0xff) <= alpha);
				assert_true((pixel >> 8 & 0xff) <= alpha);
				assert_true((pixel >> 16 & 0xff) <= alpha);
				clear += alpha == 0;
				white += pixel == 0xffffffff;
			}
			assert_true(clear > side && white > side);
		}
		assert_memory_not_equal(images[0], images[1], side * side * 4);
	}
}

static void pointers_stay_on_the_card(void **state)
{
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		uint32_t width = sizes[s][0], height = sizes[s][1];
		struct pointer now, last = {0};

		for (uint64_t ms = 0; ms < 30000; ms += 33, last = now) {
			pointer_at(width, height, ms, &now);
			assert_int_equal(now.side, pointer_side(width, height));
			assert_true(now.hot_x < now.side && now.hot_y < now.side);
			assert_in_range(now.x + (int32_t)now.hot_x, 0, width - 1);
			assert_in_range(now.y + (int32_t)now.hot_y, 0, height - 1);
			if (ms)
				assert_int_equal(
					now.serial != last.serial, now.shape != last.shape);
		}
		assert_in_range(now.serial, 10, 11);
	}
}

static void producer_makes_a_surface(void **state)
{
	struct vfio_displayd_surface *surface;
	struct producer *producer;
	uint64_t signals, start;
	struct stat st;

	assert_int_equal(producer_create(100, 100, 30, true, &producer), -EINVAL);
	assert_int_equal(producer_create(333, 222, 30, true, &producer), 0);
	assert_int_equal(fcntl(producer_surface(producer), F_GET_SEALS),
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	assert_int_equal(fstat(producer_surface(producer), &st), 0);
	surface = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, producer_surface(producer), 0);
	assert_ptr_not_equal(surface, MAP_FAILED);
	assert_int_equal(surface->magic, VFIO_DISPLAYD_SURFACE_MAGIC);
	assert_int_equal(surface->version, VFIO_DISPLAYD_SURFACE_VERSION);
	for (size_t i = 0; i < 2; i++) {
		const struct vfio_displayd_surface_plane *plane = &surface->planes[i];

		assert_int_equal(plane->format, i ? DRM_FORMAT_ARGB8888 : DRM_FORMAT_XRGB8888);
		assert_true(plane->start >= 4096 && plane->start % 64 == 0);
		assert_true(plane->stride >= plane->width * 4);
		assert_true(plane->size >= (uint64_t)plane->stride * plane->height);
		assert_true(plane->start + plane->size <= (uint64_t)st.st_size);
	}
	assert_int_equal(surface->planes[0].width, 333);
	assert_int_equal(surface->planes[0].height, 222);

	assert_int_equal(
		read(producer_change(producer), &signals, sizeof(signals)), sizeof(signals));
	assert_int_equal(read(producer_change(producer), &signals, sizeof(signals)), -1);
	start = surface->planes[1].start;
	for (uint64_t frame = 1; frame <= 100; frame++) {
		uint32_t sequence = surface->sequence;

		producer_paint(producer, frame);
		assert_int_equal(surface->sequence, sequence + 2);
		assert_int_equal(surface->sequence % 2, 0);
	}
	assert_int_equal(
		read(producer_change(producer), &signals, sizeof(signals)), sizeof(signals));
	assert_int_equal(signals, 100);
	assert_int_not_equal(surface->planes[1].start, start);
	munmap(surface, st.st_size);
	producer_destroy(producer);
}

/* What is in the surface is the card, at its stride. */
static void producer_shows_the_card(void **state)
{
	struct canvas canvas = canvas_make(333, 222, 0);
	const uint8_t *map;
	struct producer *producer;
	struct card card;

	assert_int_equal(producer_create(333, 222, 60, false, &producer), 0);
	producer_paint(producer, 50);
	assert_int_equal(card_init(&card, 333, 222, 60), 0);
	card_draw(&card, &canvas);
	card_move(&card, &canvas, 50);
	map = mmap(NULL, 4096 + 1344 * 222, PROT_READ, MAP_SHARED, producer_surface(producer), 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(((const struct vfio_displayd_surface *)map)->planes[0].stride, 1344);
	assert_int_equal(((const struct vfio_displayd_surface *)map)->planes[1].format, 0);
	for (size_t y = 0; y < 222; y++)
		assert_memory_equal(map + 4096 + y * 1344, canvas.pixels + y * 333, 333 * 4);
	munmap((void *)map, 4096 + 1344 * 222);
	producer_destroy(producer);
	card_finish(&card);
	free(canvas.pixels);
	producer_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_have_limits),
		cmocka_unit_test(moving_parts_have_their_places),
		cmocka_unit_test(pictures_depend_on_the_frame_alone),
		cmocka_unit_test(every_part_moves_between_frames),
		cmocka_unit_test(same_time_looks_the_same_at_any_rate),
		cmocka_unit_test(pointers_are_premultiplied),
		cmocka_unit_test(pointers_stay_on_the_card),
		cmocka_unit_test(producer_makes_a_surface),
		cmocka_unit_test(producer_shows_the_card),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
