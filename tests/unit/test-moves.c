/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moves that are found, held against the frame: who has what was published before, makes them and takes what is left has the new frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/limits.h"
#include "base/mem.h"
#include "damage/move.h"
#include "damage/span.h"
#include "damage/tiles.h"
#include "field.h"

static uint32_t seed = 7;

static uint32_t below(uint32_t end)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint64_t)(seed >> 8) * end >> 24;
}

struct scene {
	struct field field;
	uint32_t *screen; /* a viewer's */
	uint64_t *left;
	struct move moves[LIMIT_MOVES];
	size_t count;
	unsigned int changed, rest; /* pixels */
};

static void scene_begin(
	struct scene *s, uint32_t width, uint32_t height, const struct format *format)
{
	*s = (struct scene){0};
	field_init(&s->field, width, height, height, format);
	s->screen = calloc(height, s->field.frame_stride);
	memcpy(s->screen, s->field.frame, height * s->field.frame_stride);
	s->left = calloc(s->field.words, sizeof(uint64_t));
}

static void scene_end(struct scene *s)
{
	field_finish(&s->field);
	free(s->screen);
	free(s->left);
}

static void make(struct scene *s, const struct move *move)
{
	size_t stride = s->field.frame_stride / 4;
	uint32_t *between = malloc(s->field.frame_stride * s->field.view.height);
	struct rect to = move_to(move);

	memcpy(between, s->screen, s->field.frame_stride * s->field.view.height);
	for (uint32_t y = 0; y < to.height; y++)
		memcpy(s->screen + (to.y + y) * stride + to.x,
			between + (move->from.y + y) * stride + move->from.x, to.width * 4);
	free(between);
}

static bool is_set(const struct scene *s, const uint64_t *bitmap, uint32_t x, uint32_t y)
{
	return bitmap[y / 16 * s->field.stride_words + x / 1024] >> x / 16 % 64 & 1;
}

/* What the viewer does. @exact: the frame stands still. */
static void see(struct scene *s)
{
	struct field *f = &s->field;
	size_t stride = f->frame_stride / 4;

	s->count = tiles_take_moves(f->tiles, s->moves, s->left);
	tiles_take_damage(f->tiles, f->bitmap);
	assert_int_equal(tiles_take_moves(f->tiles, s->moves, s->left), 0);
	assert_true(s->count <= LIMIT_MOVES);
	if (!s->count)
		memcpy(s->left, f->bitmap, f->words * 8);
	for (size_t i = 0; i < s->count; i++) {
		struct rect to = move_to(&s->moves[i]);

		assert_true(move_valid(&s->moves[i], f->view.width, f->view.height));
		for (size_t j = i + 1; j < s->count; j++)
			assert_false(rects_meet(&to, &s->moves[j].from));
		make(s, &s->moves[i]);
		for (uint32_t y = to.y; y < to.y + to.height; y++)
			assert_memory_equal(s->screen + y * stride + to.x,
				f->frame + y * stride + to.x, to.width * 4);
	}
	s->changed = s->rest = 0;
	for (uint32_t y = 0; y < f->view.height; y++)
		for (uint32_t x = 0; x < f->view.width; x++) {
			bool left = is_set(s, s->left, x, y), damaged = is_set(s, f->bitmap, x, y);

			assert_true(damaged || !left);
			s->changed += damaged;
			s->rest += left;
			if (left)
				s->screen[y * stride + x] = f->frame[y * stride + x];
			else if (s->screen[y * stride + x] != f->frame[y * stride + x])
				fail_msg("pixel %u,%u is wrong", x, y);
		}
}

static bool rests; /* after each look */

static void look(struct scene *s)
{
	assert_true(field_look(&s->field, gate_open) >= 0);
	see(s);
	if (rests)
		tiles_rest(s->field.tiles);
}

/* Letters, more or less, on white. */
static void text(struct scene *s, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	field_fill(&s->field, x, y, width, height, 0xffffffff);
	for (uint32_t v = y; v + 12 <= y + height; v += 16)
		for (uint32_t u = x; u + 8 <= x + width; u += 8)
			if (below(6))
				for (unsigned int i = 0; i < 10; i++)
					field_fill(
						&s->field, u + below(7), v + i, 1 + below(2), 1, 0);
}

/* What was drawn goes elsewhere, in the source; row by row from the right end, as memmove() would. */
static void shove(struct scene *s, struct rect from, int32_t dx, int32_t dy)
{
	struct field *f = &s->field;
	uint8_t *copy = malloc((size_t)from.width * from.height * f->view.bytes);

	for (uint32_t y = 0; y < from.height; y++)
		memcpy(copy + y * from.width * f->view.bytes, field_at(f, from.x, from.y + y),
			from.width * f->view.bytes);
	for (uint32_t y = 0; y < from.height; y++)
		memcpy(field_at(f, from.x + dx, from.y + y + dy),
			copy + y * from.width * f->view.bytes, from.width * f->view.bytes);
	free(copy);
}

static bool finds(void)
{
	return span_usable() && strcmp(tiles_selected(), "scalar") != 0;
}

static void scrolls(void)
{
	struct scene s;

	scene_begin(&s, 640, 400, &formats[0]);
	text(&s, 0, 0, 640, 400);
	look(&s);
	assert_int_equal(s.count, 0);
	for (int by = 1; by < 200; by += 1 + by / 4) {
		shove(&s, (struct rect){0, by, 640, 400 - by}, 0, -by);
		text(&s, 0, 400 - by, 640, by);
		look(&s);
		if (finds()) {
			assert_int_equal(s.count, 1);
			assert_int_equal(s.moves[0].dy, -by);
			assert_true(s.rest <= 640u * (by + 31));
		} else {
			assert_int_equal(s.count, 0);
		}
		shove(&s, (struct rect){0, 0, 640, 400 - by}, 0, by);
		text(&s, 0, 0, 640, by);
		look(&s);
		if (finds())
			assert_true(s.count >= 1 && s.rest <= 640u * (by + 31));
	}
	scene_end(&s);
}

static void test_scrolls(void **state)
{
	each_kernel(scrolls);
}

/* Two windows scroll at the same time, one up, one down, on a desktop; the rest of it stands. */
static void test_windows(void **state)
{
	struct scene s;

	scene_begin(&s, 1000, 600, &formats[0]);
	field_noise(&s.field);
	text(&s, 64, 50, 384, 400);
	text(&s, 530, 70, 320, 333);
	look(&s);
	for (int i = 0; i < 5 && finds(); i++) {
		shove(&s, (struct rect){64, 50 + 16, 384, 384}, 0, -16);
		text(&s, 64, 50 + 384, 384, 16);
		shove(&s, (struct rect){530, 70, 320, 333 - 48}, 0, 48);
		text(&s, 530, 70, 320, 48);
		look(&s);
		assert_true(s.count >= 2);
		/* The right one's edges are in columns that are not only its own. */
		assert_true(s.rest < s.changed / 2);
	}
	scene_end(&s);
}

/* A window whose sides are anywhere scrolls, on a desktop of which no two rows are alike: what moves ends where the window does. */
static void edges(void)
{
	struct scene s;

	for (uint32_t i = 0; i < 24; i++) {
		uint32_t x = 1 + below(200), width = 200 + below(300), by = 1 + below(40);
		bool up = i % 2;

		scene_begin(&s, 704, 400, &formats[0]);
		field_noise(&s.field);
		text(&s, x, 40, width, 320);
		look(&s);
		shove(&s, (struct rect){x, up ? 40 + by : 40, width, 320 - by}, 0,
			up ? -(int)by : (int)by);
		text(&s, x, up ? 360 - by : 40, width, by);
		look(&s);
		if (finds()) {
			assert_true(s.count >= 1);
			/* New rows, and of the sides those that nothing tells about. */
			assert_true(s.rest <= (width + 32) * (by + 30) + 2 * 32 * (by + 30));
		}
		scene_end(&s);
	}
}

static void test_edges(void **state)
{
	each_kernel(edges);
}

static void test_drags(void **state)
{
	struct rect window = {100, 100, 400, 300};
	struct scene s;

	scene_begin(&s, 1000, 600, &formats[0]);
	field_fill(&s.field, 0, 0, 1000, 600, 0x336699);
	for (uint32_t i = 0; i < 300; i++)
		field_fill(&s.field, below(1000), below(600), 1, 1, below(1 << 24));
	text(&s, window.x, window.y, window.width, window.height);
	look(&s);
	for (int i = 0; i < 30 && finds(); i++) {
		int dx = (int)below(41) - 20, dy = (int)below(41) - 20;

		if (!move_valid(&(struct move){window, dx, dy}, 1000, 600))
			continue;
		shove(&s, window, dx, dy);
		window.x += dx;
		window.y += dy;
		look(&s);
		assert_true(s.count >= 1);
		assert_true(s.rest < s.changed / 2);
	}
	scene_end(&s);
}

/* Nothing may be found where nothing moved, or nothing can be told. */
static void test_noise_and_patterns(void **state)
{
	struct scene s;

	scene_begin(&s, 640, 400, &formats[0]);
	for (int i = 0; i < 6; i++) {
		field_noise(&s.field);
		look(&s);
		assert_int_equal(s.count, 0);
	}
	for (uint32_t i = 0; i < 6; i++) {
		field_fill(&s.field, 0, 0, 640, 400, i * 0x102030);
		look(&s);
		assert_int_equal(s.count, 0);
	}
	for (uint32_t i = 0; i < 12; i++) {
		for (uint32_t y = 0; y < 400; y++)
			field_fill(&s.field, 0, y, 640, 1, (y + i) % 12 * 0x101010);
		look(&s);
	}
	for (uint32_t i = 0; i < 12; i++) {
		for (uint32_t x = 0; x < 640; x++)
			field_fill(&s.field, x, 0, 1, 400, (x + i) % 7 * 0x101010);
		look(&s);
	}
	scene_end(&s);
}

/* The guest was still drawing: what the second look finds is the rest of the same move, seen from what was published. */
static void test_looks_before_a_publish(void **state)
{
	struct scene s;

	scene_begin(&s, 640, 400, &formats[0]);
	text(&s, 0, 0, 640, 400);
	look(&s);
	for (int round = 0; round < 6; round++) {
		uint32_t by = 16 + below(20);

		shove(&s, (struct rect){0, by, 640, 200}, 0, -(int)by);
		assert_true(field_look(&s.field, gate_open) > 0);
		shove(&s, (struct rect){0, 200 + by, 640, 200 - by}, 0, -(int)by);
		text(&s, 0, 400 - by, 640, by);
		assert_true(field_look(&s.field, gate_open) > 0);
		see(&s);
		assert_int_equal(s.count, 1);
		assert_true(s.rest < s.changed / 4);
		if (round == 3)
			tiles_rest(s.field.tiles);
	}
	scene_end(&s);
}

static void film(struct scene *s, uint32_t width)
{
	for (uint32_t y = 0; y < s->field.view.height; y++)
		for (uint32_t x = 0; x < width; x++)
			field_fill(&s->field, x, y, 1, 1, below(1 << 24));
}

/* Beside a film as wide as most of the picture, while which spans are not hashed for some time, a window stands. What is below changed rows may be stored
 * for nothing, and is known as it was: when the window scrolls, that is found. */
static void beside_a_film(void)
{
	for (unsigned int looks = 4; looks < 16; looks += 1 + !finds() * 16) {
		struct scene s;

		scene_begin(&s, 1024, 240, &formats[0]);
		text(&s, 704, 0, 320, 240);
		for (unsigned int i = 0; i < looks; i++) {
			film(&s, 704);
			look(&s);
			assert_int_equal(s.count, 0);
		}
		/* Little; what follows is worth a search again. */
		field_fill(&s.field, 0, 0, 8, 8, below(1 << 24));
		look(&s);
		shove(&s, (struct rect){704, 16, 320, 224}, 0, -16);
		text(&s, 704, 224, 320, 16);
		look(&s);
		if (finds()) {
			assert_int_equal(s.count, 1);
			/* No further than what went. */
			assert_int_equal(s.moves[0].from.x, 704);
			assert_true(s.rest <= 320 * (16 + 31));
		}
		scene_end(&s);
	}
}

static void test_beside_a_film(void **state)
{
	each_kernel(beside_a_film);
}

/* A window as wide as most of the picture scrolls; what stands beside it is blank, and would go by any shift. */
static void beside_nothing(void)
{
	struct scene s;

	scene_begin(&s, 1024, 240, &formats[0]);
	field_fill(&s.field, 0, 0, 1024, 240, 0x336699);
	text(&s, 320, 0, 704, 240);
	look(&s);
	shove(&s, (struct rect){320, 16, 704, 224}, 0, -16);
	text(&s, 320, 224, 704, 16);
	look(&s);
	if (finds()) {
		assert_int_equal(s.count, 1);
		assert_int_equal(s.moves[0].from.x, 320);
		assert_int_equal(s.moves[0].from.width, 704);
	}
	scene_end(&s);
}

static void test_beside_nothing(void **state)
{
	each_kernel(beside_nothing);
}

/* Little has changed: nobody looks. */
static void test_typing(void **state)
{
	struct scene s;

	scene_begin(&s, 640, 400, &formats[0]);
	text(&s, 0, 0, 640, 400);
	look(&s);
	shove(&s, (struct rect){0, 16, 64, 200}, 0, -16);
	look(&s);
	assert_int_equal(s.count, 0);
	scene_end(&s);
}

static sigjmp_buf vanished;

static void on_segv(int signal)
{
	siglongjmp(vanished, 1);
}

/* A look at a source some of which is gone. False: it was left there. */
static bool look_on(struct scene *s)
{
	struct field *f = &s->field;
	size_t page = below(f->map_bytes / 4096 - 1) * 4096;
	volatile bool whole = false;
	bool vanishes = !below(4);

#ifdef __SANITIZE_THREAD__
	vanishes = false; /* it runs handlers with their signal blocked */
#endif
	if (sigsetjmp(vanished, 1) == 0) {
		if (vanishes)
			mprotect(f->map + page, 4096, PROT_NONE);
		whole = field_look(f, gate_open) >= 0;
	}
	mprotect(f->map + page, 4096, PROT_READ | PROT_WRITE);
	return whole;
}

static void random_scene(const struct format *format)
{
	static const uint32_t sizes[][2] = {{640, 400}, {1001, 333}, {100, 700}, {65, 65},
		{1920, 96}, {127, 300}, {64, 64}, {1, 1}};
	size_t size = below(ARRAY_SIZE(sizes));
	uint32_t width = sizes[size][0], height = sizes[size][1], rows;
	bool whole;
	struct scene s;

	scene_begin(&s, width, height, format);
	text(&s, 0, 0, width, height);
	rows = s.field.view.rows_readable;
	for (int round = 0; round < 25; round++) {
		for (uint32_t n = 1 + below(3); n; n--) {
			struct rect from = {.width = 1 + below(width), .height = 1 + below(height)};

			from.x = below(width - from.width + 1);
			from.y = below(height - from.height + 1);
			shove(&s, from,
				below(2) ? 0 : (int)below(width - from.width + 1) - (int)from.x,
				(int)below(height - from.height + 1) - (int)from.y);
			if (!below(3))
				field_fill(&s.field, from.x, from.y, from.width,
					MIN(from.height, 20u), below(1 << 24));
		}
		/* Another buffer may end sooner. */
		s.field.view.rows_readable =
			rows - (format->modifier || below(2) ? 0 : below(rows));
		whole = look_on(&s);
		/* Not every look is published; and what is published is all there is. */
		if (whole && below(4))
			see(&s);
		if (whole && !below(3))
			tiles_rest(s.field.tiles);
	}
	scene_end(&s);
}

static void test_random_pictures(void **state)
{
	const struct sigaction action = {.sa_handler = on_segv};
	struct sigaction before;

	assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
	for (size_t i = 0; i < 10; i++)
		random_scene(&formats[0]);
	for (size_t i = 0; i < FORMATS; i++)
		for (int j = 0; j < 2; j++)
			if (formats[i].bytes != 3)
				random_scene(&formats[i]);
	sigaction(SIGSEGV, &before, NULL);
}

/* Kernels that do not hash spans leave none behind that are not true. */
static void test_kernels_take_turns(void **state)
{
	static const char *const kernels[] = {"scalar", "pclmul", "avx2", "avx512"};
	const char *selected = tiles_selected();
	struct scene s;

	scene_begin(&s, 640, 400, &formats[0]);
	text(&s, 0, 0, 640, 400);
	for (int round = 0; round < 40; round++) {
		uint32_t by = 1 + below(100);

		tiles_select(kernels[below(ARRAY_SIZE(kernels))]);
		shove(&s, (struct rect){0, by, 640, 400 - by}, 0, -(int)by);
		look(&s);
	}
	tiles_select(selected);
	scene_end(&s);
}

#ifndef __SANITIZE_THREAD__
struct drawer {
	struct scene *scene;
	_Atomic bool stop;
};

static void *draw(void *arg)
{
	struct drawer *drawer = arg;
	struct field *f = &drawer->scene->field;
	uint32_t by = 0;

	/* Not through field_fill(): what is drawn while it is read need not be whole. */
	while (!atomic_load(&drawer->stop)) {
		by = by * 5 + 3;
		for (uint32_t y = 0; y + 16 < f->view.height; y++)
			memcpy(field_at(f, 0, y), field_at(f, 0, y + 1 + by % 15),
				f->view.width * f->view.bytes);
	}
	return NULL;
}

/* The source changes under the look: what is found is about the frame. */
static void test_under_the_look(void **state)
{
	struct drawer drawer;
	struct scene s;
	pthread_t thread;

	scene_begin(&s, 640, 400, &formats[0]);
	drawer = (struct drawer){.scene = &s};
	text(&s, 0, 0, 640, 400);
	look(&s);
	assert_int_equal(pthread_create(&thread, NULL, draw, &drawer), 0);
	for (int i = 0; i < 100; i++) {
		look(&s);
		if (i % 10 == 0)
			text(&s, 0, 300, 640, 100);
	}
	atomic_store(&drawer.stop, true);
	pthread_join(thread, NULL);
	scene_end(&s);
}
#endif

/* A span's hash is that of its pixels, wherever they are, and however it came about. */
static void test_spans(void **state)
{
	static uint32_t pixels[400];
	uint64_t rolled[ARRAY_SIZE(pixels)];
	struct span_key key;

	if (!span_usable())
		skip();
	assert_int_equal(span_key_draw(&key), 0);
	for (size_t i = 0; i < ARRAY_SIZE(pixels); i++)
		pixels[i] = below(1 << 24);
	memcpy(pixels + 205, pixels + 64, SPAN_PIXELS * 4);
	for (size_t count = 1; count <= ARRAY_SIZE(pixels) - SPAN_PIXELS + 1; count++) {
		span_roll(&key, pixels, count, rolled);
		for (size_t x = 0; x < count; x++)
			assert_true(rolled[x] == span_hash(&key, pixels + x, SPAN_BLOCKS));
	}
	assert_true(rolled[205] == rolled[64]);
	assert_true(rolled[204] != rolled[64]);
	pixels[210] ^= 1;
	assert_true(span_hash(&key, pixels + 205, SPAN_BLOCKS) != rolled[64]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_scrolls),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_drags),
		cmocka_unit_test(test_noise_and_patterns),
		cmocka_unit_test(test_looks_before_a_publish),
		cmocka_unit_test(test_beside_a_film),
		cmocka_unit_test(test_beside_nothing),
		cmocka_unit_test(test_typing),
		cmocka_unit_test(test_random_pictures),
		cmocka_unit_test(test_kernels_take_turns),
#ifndef __SANITIZE_THREAD__
		cmocka_unit_test(test_under_the_look),
#endif
	};

	int failed = cmocka_run_group_tests_name("moves", tests, NULL, NULL);

	/* The same is found by who has to learn it from the frame. */
	rests = true;
	return failed + cmocka_run_group_tests_name("moves after rests", tests, NULL, NULL);
}
