/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The viewer's messages: whatever comes in, only permitted messages with fields in range come out, and how the bytes are cut
 * into pieces changes nothing. The first two bytes are the screen's size in units of 32 pixels, the third the size of the pieces
 * and, in its highest bit, whether the pointer moves in steps.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "rfb/encodings.h"
#include "rfb/parse.h"
#include "rfb/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool truth)
{
	if (!truth)
		abort();
}

static void check_format(const uint8_t *m)
{
	expect(m[4] == 8 || m[4] == 16 || m[4] == 32);
	expect(m[6] <= 1 && m[7] <= 1 && (m[7] || m[4] == 8));
	for (int i = 0; m[7] && i < 3; i++) {
		expect(wire_u16(m + 8 + 2 * i) && m[14 + i] < m[4]);
		expect((uint64_t)wire_u16(m + 8 + 2 * i) << m[14 + i] < 1ull << m[4]);
	}
}

static void check_message(const struct parser *parser, const uint8_t *m, size_t size)
{
	switch (m[0]) {
	case 0:
		expect(size == 20);
		check_format(m);
		break;
	case 2:
		expect(size == 4 + 4u * wire_u16(m + 2));
		for (size_t i = 4; i < size; i += 4)
			expect(encoding_permitted(wire_u32(m + i)) &&
				!encoding_extra(wire_u32(m + i)));
		break;
	case 3:
		expect(size == 10 && m[1] <= 1 && wire_u16(m + 6) && wire_u16(m + 8));
		expect(wire_u16(m + 2) + (uint32_t)wire_u16(m + 6) <= parser->width);
		expect(wire_u16(m + 4) + (uint32_t)wire_u16(m + 8) <= parser->height);
		break;
	case 150:
		expect(size == 10 && m[1] <= 1 && parser->known & EXTRA_CONTINUOUS_UPDATES);
		expect(wire_u16(m + 2) + (uint32_t)wire_u16(m + 6) <= parser->width);
		expect(wire_u16(m + 4) + (uint32_t)wire_u16(m + 8) <= parser->height);
		break;
	case 248:
		expect(parser->known & EXTRA_FENCE);
		expect(size == 9u + m[8] && m[8] <= FENCE_PAYLOAD);
		expect(!(wire_u32(m + 4) & ~(FENCE_REQUEST | FENCE_FLAGS)));
		break;
	case PARSE_NOTHING:
		expect(size == 1 && parser->known & EXTRA_FENCE);
		break;
	default:
		abort();
	}
}

/* What the hooks hear is part of the sum. */
struct heard {
	struct parser *parser;
	uint64_t sum;
};

static void hear(struct heard *heard, uint64_t what)
{
	heard->sum = heard->sum * 0x100000001b3 + what + 1;
}

static void on_extras(void *arg, unsigned int extras)
{
	struct heard *heard = arg;

	expect(extras <= EXTRA_ALL && extras == heard->parser->extras);
	hear(heard, extras);
}

static void on_layout(void *arg)
{
	struct heard *heard = arg;

	expect(heard->parser->extras & EXTRA_EXTENDED_DESKTOP_SIZE);
	hear(heard, 64);
}

static void on_size(void *arg, uint16_t width, uint16_t height, bool whole)
{
	struct heard *heard = arg;

	expect(heard->parser->extras & EXTRA_EXTENDED_DESKTOP_SIZE);
	hear(heard, (uint64_t)width << 32 | (uint32_t)height << 1 | whole);
}

static void on_key(void *arg, bool down, uint32_t keysym, uint32_t keycode)
{
	expect(keycode <= 0xff);
	hear(arg, (uint64_t)keysym << 32 | keycode << 1 | down);
}

static void on_pointer(void *arg, const struct parse_pointer *pointer)
{
	struct heard *heard = arg;

	if (!pointer->relative)
		expect(pointer->x >= 0 && pointer->x < (int32_t)heard->parser->width &&
			pointer->y >= 0 && pointer->y < (int32_t)heard->parser->height);
	expect(pointer->buttons <= 0xff || heard->parser->known & EXTRA_BUTTONS);
	expect(!pointer->relative || heard->parser->known & EXTRA_POINTER_MODE);
	hear(heard, (uint64_t)pointer->buttons << 48 ^ (uint64_t)pointer->x << 24 ^ pointer->y);
}

static void on_power(void *arg, uint8_t version, uint8_t code)
{
	struct heard *heard = arg;

	expect(heard->parser->known & EXTRA_XVP);
	hear(heard, version << 8 | code);
}

/* A sum over all that came out, and in *ret_error where it ended. */
static uint64_t run(const uint8_t *data, size_t size, uint32_t width, uint32_t height,
	bool relative, size_t piece, int *ret_error)
{
	uint8_t out[PARSE_OUT];
	struct parser parser;
	struct heard heard = {.parser = &parser};
	struct parse_hooks hooks = {
		.key = on_key,
		.pointer = on_pointer,
		.power = on_power,
		.extras = on_extras,
		.layout = on_layout,
		.size = on_size,
		.arg = &heard,
	};
	uint64_t sum = 0;
	size_t n;
	int r = 0;

	parser_init(&parser, width, height, &hooks);
	parser_relative(&parser, relative);
	for (size_t at = 0; at < size; at += r) {
		r = parse(&parser, data + at, MIN(piece, size - at), out, &n);
		if (r < 0) {
			expect(parser.reason != NULL);
			break;
		}
		expect(r > 0 && (size_t)r <= MIN(piece, size - at) && n <= PARSE_OUT);
		if (n)
			check_message(&parser, out, n);
		for (size_t i = 0; i < n; i++)
			sum = sum * 0x100000001b3 + out[i] + 1;
	}
	*ret_error = MIN(r, 0);
	return sum + heard.sum + parser.messages;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t width, height;
	uint64_t whole, pieces;
	int error, other_error;
	bool relative;

	if (size < 3)
		return 0;
	width = (data[0] + 1) * 32;
	height = (data[1] + 1) * 32;
	relative = data[2] & 0x80;
	whole = run(data + 3, size - 3, width, height, relative, SIZE_MAX, &error);
	pieces = run(data + 3, size - 3, width, height, relative, data[2] % 32 + 1, &other_error);
	expect(whole == pieces && error == other_error);
	return 0;
}
