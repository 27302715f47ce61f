/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages that a viewer may send once it has announced their extension: whole, cut at each byte, wrong, and unannounced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "rfb/encodings.h"
#include "rfb/parse.h"
#include "rfb/wire.h"

#define WIDTH  640
#define HEIGHT 480

/* What the hooks heard, as text. */
struct heard {
	char text[256];
	size_t size;
};

__attribute__((format(printf, 2, 3))) static void hear(struct heard *heard, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	heard->size += vsnprintf(
		heard->text + heard->size, sizeof(heard->text) - heard->size, format, args);
	va_end(args);
	assert_true(heard->size < sizeof(heard->text));
}

static void on_key(void *arg, bool down, uint32_t keysym, uint32_t keycode)
{
	hear(arg, "key %d %x %x;", down, keysym, keycode);
}

static void on_pointer(void *arg, const struct parse_pointer *pointer)
{
	hear(arg, "%s %x %d %d;", pointer->relative ? "step" : "place", pointer->buttons,
		pointer->x, pointer->y);
}

static void on_power(void *arg, uint8_t version, uint8_t code)
{
	hear(arg, "power %u %u;", version, code);
}

/* Some messages of a viewer that has announced @known, and what they come to. */
struct example {
	unsigned int known;
	bool relative;
	uint8_t in[96];
	size_t in_size;
	uint8_t out[96];
	size_t out_size;
	const char *heard;
};

/* A request behind it: whoever has lost count of the bytes shows it. */
static const uint8_t sentinel[10] = {3, 0, 0, 1, 0, 2, 0, 3, 0, 4};

static int feed(const struct example *example, size_t cut, uint8_t *out, size_t *ret_out,
	struct heard *heard)
{
	struct parse_hooks hooks = {
		.key = on_key, .pointer = on_pointer, .power = on_power, .arg = heard};
	uint8_t in[sizeof(example->in) + sizeof(sentinel)];
	size_t size = example->in_size + sizeof(sentinel), at = 0, n;
	struct parser parser;

	memcpy(in, example->in, example->in_size);
	memcpy(in + example->in_size, sentinel, sizeof(sentinel));
	parser_init(&parser, WIDTH, HEIGHT, &hooks);
	parser.known = example->known;
	parser_relative(&parser, example->relative);
	*ret_out = 0;
	while (at < size) {
		int r = parse(
			&parser, in + at, at < cut ? cut - at : size - at, out + *ret_out, &n);

		if (r < 0)
			return r;
		at += r;
		*ret_out += n;
	}
	assert_false(parser_inside(&parser));
	return 0;
}

static void expect(const struct example *example)
{
	for (size_t cut = 0; cut < example->in_size + sizeof(sentinel); cut++) {
		uint8_t out[2 * PARSE_OUT];
		struct heard heard = {0};
		size_t size;

		assert_int_equal(feed(example, cut, out, &size, &heard), 0);
		assert_int_equal(size, example->out_size + sizeof(sentinel));
		assert_memory_equal(out, example->out, example->out_size);
		assert_memory_equal(out + example->out_size, sentinel, sizeof(sentinel));
		assert_string_equal(heard.text, example->heard ? example->heard : "");
	}
}

static void expect_refused(const struct example *example)
{
	for (size_t cut = 0; cut < example->in_size; cut++) {
		uint8_t out[2 * PARSE_OUT];
		struct heard heard = {0};
		size_t size;

		assert_int_equal(feed(example, cut, out, &size, &heard), -EPROTO);
		assert_int_equal(size, 0);
		assert_string_equal(heard.text, "");
	}
}

static void extended_keys_go_to_the_hooks(void **state)
{
	static const struct example examples[] = {
		{EXTRA_KEYS, false, {255, 0, 0, 1, 0, 0, 0xff, 0x53, 0, 0, 0, 0xcd}, 12, {0}, 0,
			"key 1 ff53 cd;"},
		{EXTRA_KEYS, false, {255, 0, 0, 0, 0, 0, 0, 0x41, 0, 0, 0, 0x1e}, 12, {0}, 0,
			"key 0 41 1e;"},
		/* Any bit is "down"; a code that no keyboard has is none. */
		{EXTRA_KEYS, false, {255, 0, 0x80, 0, 0, 0, 0, 0x41, 0, 0, 1, 0x1e}, 12, {0}, 0,
			"key 1 41 0;"},
		/* The old message is heard still. */
		{EXTRA_KEYS, false, {4, 1, 0, 0, 0, 0, 0xff, 0x0d}, 8, {0}, 0, "key 1 ff0d 0;"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(examples); i++)
		expect(&examples[i]);
}

static void qemu_audio_is_refused(void **state)
{
	static const struct example audio = {
		EXTRA_ALL, false, {255, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 12, {0}, 0, NULL};

	expect_refused(&audio);
}

static void buttons_come_in_two_bytes_once_announced(void **state)
{
	static const struct example examples[] = {
		{0, false, {5, 0x81, 0, 7, 0, 8}, 6, {0}, 0, "place 81 7 8;"},
		{EXTRA_BUTTONS, false, {5, 0x01, 0, 7, 0, 8}, 6, {0}, 0, "place 1 7 8;"},
		{EXTRA_BUTTONS, false, {5, 0x81, 0, 7, 0, 8, 0x02}, 7, {0}, 0, "place 101 7 8;"},
		{EXTRA_BUTTONS, false, {5, 0xff, 0, 7, 0, 8, 0xff}, 7, {0}, 0, "place 7fff 7 8;"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(examples); i++)
		expect(&examples[i]);
}

static void pointers_stay_on_the_screen_or_make_steps(void **state)
{
	static const struct example examples[] = {
		{0, false, {5, 0, 0xff, 0xff, 0xff, 0xff}, 6, {0}, 0, "place 0 639 479;"},
		{EXTRA_POINTER_MODE, false, {5, 0, 0x80, 0, 0, 3}, 6, {0}, 0, "place 0 639 3;"},
		{0, true, {5, 0, 0x7f, 0xff, 0, 3}, 6, {0}, 0, "place 0 639 3;"},
		{EXTRA_POINTER_MODE, true, {5, 1, 0x7f, 0xff, 0x7f, 0xff}, 6, {0}, 0,
			"step 1 0 0;"},
		{EXTRA_POINTER_MODE, true, {5, 0, 0x80, 0x04, 0x7f, 0xfe}, 6, {0}, 0,
			"step 0 5 -1;"},
		{EXTRA_POINTER_MODE, true, {5, 0, 0, 0, 0xff, 0xff}, 6, {0}, 0,
			"step 0 -32767 32768;"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(examples); i++)
		expect(&examples[i]);
}

static void power_is_told_as_it_comes(void **state)
{
	static const struct example examples[] = {
		{EXTRA_XVP, false, {250, 0xee, 1, 2}, 4, {0}, 0, "power 1 2;"},
		{EXTRA_XVP, false, {250, 0, 255, 255}, 4, {0}, 0, "power 255 255;"},
		{EXTRA_XVP, false, {250, 0, 1, 4, 250, 0, 1, 3}, 8, {0}, 0, "power 1 4;power 1 3;"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(examples); i++)
		expect(&examples[i]);
}

static void fences_go_on_with_flags_that_are_known(void **state)
{
	struct example fence = {
		EXTRA_FENCE,
		false,
		{248, 0xee, 0xee, 0xee, 0xff, 0xff, 0xff, 0xff, 0},
		9,
		{248, 0, 0, 0, 0x80, 0, 0, 7, 0},
		9,
		NULL,
	};

	expect(&fence);
	/* An answer stays one. */
	fence.in[4] = 0x7f;
	fence.out[4] = 0;
	expect(&fence);
	for (size_t size = 1; size <= FENCE_PAYLOAD; size++) {
		fence.in[8] = fence.out[8] = size;
		fence.in[8 + size] = fence.out[8 + size] = 0xf0 ^ size;
		fence.in_size = fence.out_size = 9 + size;
		expect(&fence);
	}
	/* More than there may be: skipped to its end, not answered. */
	memset(fence.in + 9, 3, FENCE_PAYLOAD + 1);
	fence.in[8] = FENCE_PAYLOAD + 1;
	fence.in_size = 9 + FENCE_PAYLOAD + 1;
	fence.out_size = 0;
	expect(&fence);
}

static void continuous_updates_are_cut_to_the_screen(void **state)
{
	static const struct {
		uint16_t asked[4], got[4];
	} areas[] = {
		{{0, 0, 640, 480}, {0, 0, 640, 480}},
		{{0, 0, 65535, 65535}, {0, 0, 640, 480}},
		{{10, 20, 30, 40}, {10, 20, 30, 40}},
		{{630, 470, 30, 40}, {630, 470, 10, 10}},
		{{640, 0, 30, 40}, {640, 0, 0, 40}},
		{{65535, 65535, 65535, 65535}, {640, 480, 0, 0}},
		{{0, 0, 0, 0}, {0, 0, 0, 0}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(areas); i++)
		for (unsigned int on = 0; on < 2; on++) {
			struct example example = {
				.known = EXTRA_CONTINUOUS_UPDATES,
				.in = {150, on ? 0x80 : 0},
				.in_size = 10,
				.out = {150, on},
				.out_size = 10,
			};

			for (size_t j = 0; j < 4; j++) {
				wire_put_u16(example.in + 2 + 2 * j, areas[i].asked[j]);
				wire_put_u16(example.out + 2 + 2 * j, areas[i].got[j]);
			}
			expect(&example);
		}
}

/* rfbproto.rst: incremental requests are ignored while continuous updates are active, full ones are not. */
static void continuous_updates_replace_requests(void **state)
{
	static const struct example example = {
		EXTRA_CONTINUOUS_UPDATES,
		false,
		{3, 1, 0, 0, 0, 0, 0, 1, 0, 1,		/* before */
			150, 1, 0, 0, 0, 0, 0, 9, 0, 9, /* on */
			3, 1, 0, 0, 0, 0, 0, 2, 0, 2,	/* ignored */
			3, 0, 0, 0, 0, 0, 0, 3, 0, 3,	/* full */
			150, 0, 0, 0, 0, 0, 0, 9, 0, 9, /* off */
			3, 1, 0, 0, 0, 0, 0, 4, 0, 4},
		60,
		{3, 1, 0, 0, 0, 0, 0, 1, 0, 1, 150, 1, 0, 0, 0, 0, 0, 9, 0, 9, 3, 0, 0, 0, 0, 0, 0,
			3, 0, 3, 150, 0, 0, 0, 0, 0, 0, 9, 0, 9, 3, 1, 0, 0, 0, 0, 0, 4, 0, 4},
		50,
		NULL,
	};

	expect(&example);
}

static void what_was_not_announced_is_refused(void **state)
{
	static const struct {
		uint8_t type;
		unsigned int extra;
	} messages[] = {
		{150, EXTRA_CONTINUOUS_UPDATES},
		{248, EXTRA_FENCE},
		{250, EXTRA_XVP},
		{255, EXTRA_KEYS},
	};

	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		struct example example = {
			.known = EXTRA_ALL & ~messages[i].extra,
			.in = {messages[i].type},
			.in_size = 12,
		};

		expect_refused(&example);
	}
}

/* The worker answers it when the next message comes: it must hear of one that is not for it, and of no more. */
static void a_synchronous_fence_is_followed_by_something(void **state)
{
	static const struct example examples[] = {
		{EXTRA_ALL, false,
			{248, 0, 0, 0, 0x80, 0, 0, 4, 0, 5, 0, 0, 1, 0, 2, 5, 0, 0, 1, 0, 2}, 21,
			{248, 0, 0, 0, 0x80, 0, 0, 4, 0, PARSE_NOTHING}, 10,
			"place 0 1 2;place 0 1 2;"},
		{EXTRA_ALL, false,
			{248, 0, 0, 0, 0x80, 0, 0, 7, 0, 6, 0, 0, 0, 0, 0, 0, 3, 9, 9, 9}, 20,
			{248, 0, 0, 0, 0x80, 0, 0, 7, 0, PARSE_NOTHING}, 10, NULL},
		/* One behind the other; the second one is followed by the sentinel. */
		{EXTRA_ALL, false, {248, 0, 0, 0, 0x80, 0, 0, 4, 0, 248, 0, 0, 0, 0x80, 0, 0, 4, 0},
			18, {248, 0, 0, 0, 0x80, 0, 0, 4, 0, 248, 0, 0, 0, 0x80, 0, 0, 4, 0}, 18,
			NULL},
		/* Not synchronous, or an answer. */
		{EXTRA_ALL, false, {248, 0, 0, 0, 0x80, 0, 0, 3, 0, 5, 0, 0, 1, 0, 2}, 15,
			{248, 0, 0, 0, 0x80, 0, 0, 3, 0}, 9, "place 0 1 2;"},
		{EXTRA_ALL, false, {248, 0, 0, 0, 0, 0, 0, 4, 0, 5, 0, 0, 1, 0, 2}, 15,
			{248, 0, 0, 0, 0, 0, 0, 4, 0}, 9, "place 0 1 2;"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(examples); i++)
		expect(&examples[i]);
}

/* What is on its way when a viewer drops an extension is understood still. */
static void what_was_announced_once_stays_known(void **state)
{
	static const uint8_t in[] = {2, 0, 0, 1, 0xff, 0xff, 0xfe, 0xc8, /* Fence */
		2, 0, 0, 0,						 /* nothing */
		248, 0, 0, 0, 0x80, 0, 0, 0, 0};
	struct parser parser;
	uint8_t out[PARSE_OUT];
	size_t at = 0, n;

	parser_init(&parser, WIDTH, HEIGHT, NULL);
	while (at < sizeof(in)) {
		int r = parse(&parser, in + at, sizeof(in) - at, out, &n);

		assert_true(r > 0);
		at += r;
	}
	assert_int_equal(n, 9);
	assert_memory_equal(out, in + 12, 9);
	assert_int_equal(parser.extras, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extended_keys_go_to_the_hooks),
		cmocka_unit_test(qemu_audio_is_refused),
		cmocka_unit_test(buttons_come_in_two_bytes_once_announced),
		cmocka_unit_test(pointers_stay_on_the_screen_or_make_steps),
		cmocka_unit_test(power_is_told_as_it_comes),
		cmocka_unit_test(fences_go_on_with_flags_that_are_known),
		cmocka_unit_test(a_synchronous_fence_is_followed_by_something),
		cmocka_unit_test(continuous_updates_are_cut_to_the_screen),
		cmocka_unit_test(continuous_updates_replace_requests),
		cmocka_unit_test(what_was_not_announced_is_refused),
		cmocka_unit_test(what_was_announced_once_stays_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
