/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "rfb/encodings.h"
#include "rfb/parse.h"
#include "rfb/wire.h"

#define WIDTH  640
#define HEIGHT 480

/* Feeds @data @step bytes at a time; gathers what comes out. Returns 0 or parse()'s error. */
static int feed(struct parser *parser, const void *data, size_t size, size_t step, uint8_t *out,
	size_t *ret_out)
{
	const uint8_t *bytes = data;
	size_t at = 0, n, total = 0;
	int r;

	while (at < size) {
		r = parse(parser, bytes + at, MIN(step, size - at), out + total, &n);
		if (r < 0)
			return r;
		assert_true(r > 0 && (size_t)r <= MIN(step, size - at));
		at += r;
		total += n;
	}
	*ret_out = total;
	return 0;
}

/* Whole, byte by byte, and in uneven pieces: always the same. */
static void expect(const void *in, size_t in_size, const void *out, size_t out_size)
{
	static const size_t steps[] = {SIZE_MAX, 1, 3, 7};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		uint8_t got[4 * PARSE_OUT];
		struct parser parser;
		size_t size;

		parser_init(&parser, WIDTH, HEIGHT, NULL);
		parser.extras = EXTRA_EXTENDED_DESKTOP_SIZE;
		assert_int_equal(feed(&parser, in, in_size, steps[i], got, &size), 0);
		assert_false(parser_inside(&parser));
		assert_int_equal(size, out_size);
		assert_memory_equal(got, out, out_size);
	}
}

static void expect_refused(const void *in, size_t size)
{
	uint8_t out[4 * PARSE_OUT];
	struct parser parser;
	size_t n;

	for (size_t step = 1; step <= size; step += size - 1 ? size - 1 : 1) {
		parser_init(&parser, WIDTH, HEIGHT, NULL);
		assert_int_equal(feed(&parser, in, size, step, out, &n), -EPROTO);
		assert_non_null(parser.reason);
	}
}

static const uint8_t format32[20] = {0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0};

static void good_pixel_formats_pass(void **state)
{
	static const uint8_t formats[][20] = {
		{0, 0, 0, 0, 32, 24, 1, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16},
		{0, 0, 0, 0, 16, 16, 0, 1, 0, 31, 0, 63, 0, 31, 11, 5, 0},
		{0, 0, 0, 0, 16, 15, 1, 1, 0, 31, 0, 31, 0, 31, 10, 5, 0},
		{0, 0, 0, 0, 8, 8, 0, 1, 0, 7, 0, 7, 0, 3, 0, 3, 6},
		{0, 0, 0, 0, 8, 3, 0, 1, 0, 1, 0, 1, 0, 1, 2, 1, 0},
		{0, 0, 0, 0, 32, 30, 0, 1, 3, 255, 3, 255, 3, 255, 20, 10, 0},
	};

	expect(format32, 20, format32, 20);
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		expect(formats[i], 20, formats[i], 20);
}

static void pixel_format_is_cleaned(void **state)
{
	uint8_t in[20];

	memcpy(in, format32, 20);
	memset(in + 1, 0xee, 3);
	memset(in + 17, 0xee, 3);
	in[7] = 0x80;
	expect(in, 20, format32, 20);
	/* With a colour map the rest means nothing. */
	in[4] = in[5] = 8;
	in[7] = 0;
	memset(in + 8, 0xff, 9);
	expect(in, 20, (uint8_t[20]){0, 0, 0, 0, 8, 8}, 20);
}

static void bad_pixel_formats_are_refused(void **state)
{
	static const struct {
		int at;
		uint8_t value;
	} bad[] = {
		{4, 0}, {4, 24}, {4, 15}, {4, 64}, {4, 255}, /* bits */
		{5, 0}, {5, 33}, {5, 255},		     /* depth */
		{7, 0},					     /* a colour map of 32 bits */
		{9, 0}, {11, 0}, {13, 0},		     /* maximum 0 */
		{9, 200}, {8, 2}, {12, 255},		     /* not 2^n - 1, or too many bits */
		{14, 25}, {15, 32}, {16, 255},		     /* shift */
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint8_t in[20];

		memcpy(in, format32, 20);
		in[bad[i].at] = bad[i].value;
		if (bad[i].at == 12) {
			in[13] = 255;
			in[16] = 17;
		}
		expect_refused(in, 20);
	}
}

static size_t put_encodings(uint8_t *at, const int32_t *encodings, size_t count)
{
	at[0] = 2;
	at[1] = 0;
	wire_put_u16(at + 2, count);
	for (size_t i = 0; i < count; i++)
		wire_put_u32(at + 4 + 4 * i, encodings[i]);
	return 4 + 4 * count;
}

static void encodings_are_filtered_in_order(void **state)
{
	static const int32_t offered[] = {7, 1, -260, 16, 9, 7, 8, 15, -223, -224, -256, -23,
		0x48323634, -312, -313, -258, -309, -261, -316, (int32_t)0xc0a1e5ce,
		(int32_t)0xfffe0003, -239, -314, -308, 0, 50, -512, -764, -763};
	static const int32_t kept[] = {7, 1, 16, 9, -224, -256, -23, 0, -511, -767};
	uint8_t in[512], out[512];
	size_t in_size = put_encodings(in, offered, ARRAY_SIZE(offered));
	size_t out_size = put_encodings(out, kept, ARRAY_SIZE(kept));

	expect(in, in_size, out, out_size);
	expect("\2\xee\0\0", 4, "\2\0\0\0", 4);
}

struct told {
	unsigned int extras, lists, layouts, sizes;
	uint16_t width, height;
	bool whole;
};

static void on_extras(void *arg, unsigned int extras)
{
	struct told *told = arg;

	told->extras = extras;
	told->lists++;
}

static void on_layout(void *arg)
{
	struct told *told = arg;

	told->layouts++;
}

static void on_size(void *arg, uint16_t width, uint16_t height, bool whole)
{
	struct told *told = arg;

	told->sizes++;
	told->width = width;
	told->height = height;
	told->whole = whole;
}

static struct told tell(unsigned int extras, const void *in, size_t size, size_t step)
{
	struct told told = {0};
	struct parse_hooks hooks = {
		.extras = on_extras, .layout = on_layout, .size = on_size, .arg = &told};
	uint8_t out[4 * PARSE_OUT];
	struct parser parser;
	size_t n;

	parser_init(&parser, WIDTH, HEIGHT, &hooks);
	parser.extras = extras;
	assert_int_equal(feed(&parser, in, size, step, out, &n), 0);
	assert_false(parser_inside(&parser));
	if (told.lists)
		assert_int_equal(parser.extras, told.extras);
	return told;
}

static void extras_go_to_the_hooks(void **state)
{
	static const struct {
		int32_t list[8];
		size_t count;
		unsigned int extras;
	} cases[] = {
		{{0, 5}, 2, 0},
		{{0}, 0, 0},
		{{-223}, 1, EXTRA_DESKTOP_SIZE},
		{{-308}, 1, EXTRA_EXTENDED_DESKTOP_SIZE},
		{{7, -232, -239, -240, -314, -223, -308, 0}, 8, 63},
		{{-314, -314}, 2, EXTRA_CURSOR_ALPHA},
		{{-239, -240}, 2, EXTRA_CURSOR | EXTRA_XCURSOR},
		{{-232}, 1, EXTRA_POINTER_POSITION},
		{{-315, -311, -238, -241, -222, -306, -310}, 7, 0},
		{{-313, -312, -309, -307, -261, -258, -257, -316}, 8,
			EXTRA_ALL & ~63 & ~EXTRA_VMWARE_LEDS & ~EXTRA_H264},
		{{7, 50, 16}, 3, EXTRA_H264},
		{{0x574d5668}, 1, EXTRA_VMWARE_LEDS},
	};
	uint8_t in[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t size = put_encodings(in, cases[i].list, cases[i].count);

		for (size_t step = 1; step < 9; step += 3) {
			struct told told = tell(63, in, size, step);

			assert_int_equal(told.lists, 1);
			assert_int_equal(told.extras, cases[i].extras);
		}
	}
}

static void sixty_five_thousand_encodings_are_survived(void **state)
{
	size_t size = 4 + 4 * 65535;
	uint8_t *in = calloc(1, size), out[2 * PARSE_OUT];
	struct parser parser;
	size_t n;

	assert_non_null(in);
	in[0] = 2;
	wire_put_u16(in + 2, 65535);
	for (uint32_t i = 0; i < 65535; i++)
		wire_put_u32(in + 4 + 4 * i, i < LIMIT_ENCODINGS - 1 ? 0xfffffe00 + i : 5 + i % 2);
	parser_init(&parser, WIDTH, HEIGHT, NULL);
	assert_int_equal(feed(&parser, in, size, 4096, out, &n), 0);
	assert_false(parser_inside(&parser));
	assert_int_equal(parser.messages, 1);
	assert_true(n <= PARSE_OUT);
	/* The list was full before the last ones; they were not looked at. */
	for (size_t i = 4; i < n; i += 4)
		assert_int_not_equal(wire_u32(out + i), 6);
	free(in);
}

static void request(
	uint8_t *at, uint8_t incremental, uint16_t x, uint16_t y, uint16_t width, uint16_t height)
{
	at[0] = 3;
	at[1] = incremental;
	wire_put_u16(at + 2, x);
	wire_put_u16(at + 4, y);
	wire_put_u16(at + 6, width);
	wire_put_u16(at + 8, height);
}

static void requests_are_cut_to_the_screen(void **state)
{
	static const uint16_t cases[][8] = {
		{0, 0, 640, 480, 0, 0, 640, 480},
		{10, 20, 30, 40, 10, 20, 30, 40},
		{0, 0, 65535, 65535, 0, 0, 640, 480},
		{600, 470, 100, 100, 600, 470, 40, 10},
		{65535, 65535, 65535, 65535, 639, 479, 1, 1}, /* outside: still a request */
		{640, 0, 10, 10, 639, 0, 1, 10},
		{5, 5, 0, 0, 5, 5, 1, 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const uint16_t *c = cases[i];
		uint8_t in[10], out[10];

		request(in, i % 2 ? 0xff : 0, c[0], c[1], c[2], c[3]);
		request(out, i % 2, c[4], c[5], c[6], c[7]);
		expect(in, 10, out, 10);
	}
}

static void cut_text_is_skipped_up_to_a_bound(void **state)
{
	uint8_t in[8 + 1000 + 10] = {6}, out[PARSE_OUT];
	struct parser parser;
	size_t n;

	wire_put_u32(in + 4, 1000);
	memset(in + 8, 3, 1000);
	request(in + 1008, 1, 0, 0, 1, 1);
	expect(in, sizeof(in), in + 1008, 10);
	wire_put_u32(in + 4, (uint32_t)-1000); /* as the extended clipboard says it */
	expect(in, sizeof(in), in + 1008, 10);
	wire_put_u32(in + 4, 0);
	expect(in, 8, "", 0);
	wire_put_u32(in + 4, LIMIT_CUT_TEXT);
	parser_init(&parser, WIDTH, HEIGHT, NULL);
	assert_int_equal(feed(&parser, in, sizeof(in), SIZE_MAX, out, &n), 0);
	assert_true(parser_inside(&parser));
	assert_int_equal(n, 0);
	wire_put_u32(in + 4, LIMIT_CUT_TEXT + 1);
	expect_refused(in, 8);
	wire_put_u32(in + 4, 0x80000000);
	expect_refused(in, 8);
	wire_put_u32(in + 4, 0x7fffffff);
	expect_refused(in, 8);
}

struct seen {
	unsigned int keys, pointers;
	uint32_t keysym;
	uint16_t x, y;
	uint8_t buttons;
	bool down;
};

static void on_key(void *arg, bool down, uint32_t keysym, uint32_t keycode)
{
	struct seen *seen = arg;

	seen->keys++;
	seen->down = down;
	seen->keysym = keysym;
	assert_int_equal(keycode, 0);
}

static void on_pointer(void *arg, const struct parse_pointer *pointer)
{
	struct seen *seen = arg;

	seen->pointers++;
	assert_false(pointer->relative);
	seen->buttons = pointer->buttons;
	seen->x = pointer->x;
	seen->y = pointer->y;
}

static void input_goes_to_the_hooks_only(void **state)
{
	static const uint8_t in[] = {4, 1, 0, 0, 0, 0, 0xff, 0x0d, 5, 0x84, 1, 2, 1, 4};
	struct seen seen = {0};
	struct parse_hooks hooks = {.key = on_key, .pointer = on_pointer, .arg = &seen};
	struct parser parser;
	uint8_t out[PARSE_OUT];
	size_t n;

	parser_init(&parser, WIDTH, HEIGHT, &hooks);
	assert_int_equal(feed(&parser, in, sizeof(in), 1, out, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(seen.keys, 1);
	assert_int_equal(seen.keysym, 0xff0d);
	assert_true(seen.down);
	assert_int_equal(seen.pointers, 1);
	assert_int_equal(seen.buttons, 0x84);
	assert_int_equal(seen.x, 0x102);
	assert_int_equal(seen.y, 0x104);
	expect(in, sizeof(in), "", 0);
}

static void put_size(uint8_t *at, uint16_t width, uint16_t height, uint8_t screens)
{
	memset(at, 0xee, 8 + 16 * screens);
	at[0] = 251;
	wire_put_u16(at + 2, width);
	wire_put_u16(at + 4, height);
	at[6] = screens;
	for (uint8_t *screen = at + 8; screens--; screen += 16) {
		wire_put_u16(screen + 4, 0);
		wire_put_u16(screen + 6, 0);
		wire_put_u16(screen + 8, width);
		wire_put_u16(screen + 10, height);
	}
}

static void desktop_size_goes_to_the_hooks(void **state)
{
	static const size_t steps[] = {SIZE_MAX, 1, 3, 7};
	uint8_t in[8 + 255 * 16 + 10];

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		for (unsigned int screens = 0; screens < 256; screens += screens < 3 ? 1 : 84) {
			struct told told;

			put_size(in, 1024, 65535, screens);
			request(in + 8 + 16 * screens, 0, 0, 0, 1, 1);
			expect(in, 18 + 16 * screens, in + 8 + 16 * screens, 10);
			told = tell(EXTRA_EXTENDED_DESKTOP_SIZE, in, 18 + 16 * screens, steps[i]);
			assert_int_equal(told.sizes, 1);
			assert_int_equal(told.width, 1024);
			assert_int_equal(told.height, 65535);
			assert_int_equal(told.whole, screens == 1);
			assert_int_equal(told.layouts, 1);
			/* Never announced: nobody is there to understand the answer. */
			told = tell(EXTRA_DESKTOP_SIZE, in, 18 + 16 * screens, steps[i]);
			assert_int_equal(told.sizes + told.layouts, 0);
		}
}

static void odd_layouts_are_noticed(void **state)
{
	static const uint16_t layouts[][4] = {{1, 0, 800, 600}, {0, 1, 800, 600}, {0, 0, 799, 600},
		{0, 0, 800, 601}, {0, 0, 0, 0}, {65535, 65535, 65535, 65535}};
	uint8_t in[24];

	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		struct told told;

		put_size(in, 800, 600, 1);
		for (size_t j = 0; j < 4; j++)
			wire_put_u16(in + 12 + 2 * j, layouts[i][j]);
		told = tell(EXTRA_EXTENDED_DESKTOP_SIZE, in, sizeof(in), 5);
		assert_int_equal(told.sizes, 1);
		assert_false(told.whole);
	}
}

static void layout_is_wanted_by_full_requests(void **state)
{
	uint8_t in[10];

	request(in, 0, 0, 0, 1, 1);
	assert_int_equal(tell(EXTRA_EXTENDED_DESKTOP_SIZE, in, 10, 1).layouts, 1);
	assert_int_equal(tell(EXTRA_DESKTOP_SIZE, in, 10, 1).layouts, 0);
	in[1] = 1;
	assert_int_equal(tell(EXTRA_EXTENDED_DESKTOP_SIZE, in, 10, 1).layouts, 0);
}

static void unasked_messages_are_skipped(void **state)
{
	uint8_t in[4 + 4 + 4 + 6 + 10] = {8, 2, 0, 0, 15, 2, 0, 0, 9, 1, 0, 0, 10, 0, 0, 0, 0, 0};

	request(in + 18, 1, 1, 2, 3, 4);
	expect(in, sizeof(in), in + 18, 10);
}

static void other_types_are_refused(void **state)
{
	for (unsigned int type = 0; type < 256; type++) {
		static const uint8_t known[] = {0, 2, 3, 4, 5, 6, 8, 9, 10, 15, 251};
		uint8_t in[2] = {type, 0};

		if (!memchr(known, type, sizeof(known)))
			expect_refused(in, 1);
	}
}

static void messages_are_counted_and_never_joined(void **state)
{
	uint8_t in[30], out[PARSE_OUT];
	struct parser parser;
	size_t n;

	for (int i = 0; i < 3; i++)
		request(in + 10 * i, 1, i, i, 1, 1);
	parser_init(&parser, WIDTH, HEIGHT, NULL);
	assert_int_equal(parse(&parser, in, sizeof(in), out, &n), 10);
	assert_int_equal(n, 10);
	assert_int_equal(parse(&parser, in + 10, 15, out, &n), 10);
	assert_int_equal(parse(&parser, in + 20, 5, out, &n), 5);
	assert_int_equal(n, 0);
	assert_true(parser_inside(&parser));
	assert_int_equal(parser.messages, 2);
	parser_resize(&parser, 2, 1);
	assert_int_equal(parse(&parser, in + 25, 5, out, &n), 5);
	request(in, 1, 1, 0, 1, 1); /* x 2, y 2 is outside by now */
	assert_memory_equal(out, in, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_pixel_formats_pass),
		cmocka_unit_test(pixel_format_is_cleaned),
		cmocka_unit_test(bad_pixel_formats_are_refused),
		cmocka_unit_test(encodings_are_filtered_in_order),
		cmocka_unit_test(extras_go_to_the_hooks),
		cmocka_unit_test(sixty_five_thousand_encodings_are_survived),
		cmocka_unit_test(requests_are_cut_to_the_screen),
		cmocka_unit_test(cut_text_is_skipped_up_to_a_bound),
		cmocka_unit_test(input_goes_to_the_hooks_only),
		cmocka_unit_test(desktop_size_goes_to_the_hooks),
		cmocka_unit_test(odd_layouts_are_noticed),
		cmocka_unit_test(layout_is_wanted_by_full_requests),
		cmocka_unit_test(unasked_messages_are_skipped),
		cmocka_unit_test(other_types_are_refused),
		cmocka_unit_test(messages_are_counted_and_never_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
