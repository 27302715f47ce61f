/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: head[] gathers the fixed part of one message, with the little that may follow it (one screen, a fence's
 * payload). When it is whole, the message either comes out or is followed by more: `skip` bytes nobody wants (cut text, screens) or
 * `entries` of SetEncodings, which are gathered in head[4..7] one by one. Only when both are 0 does the next message begin. So the parser never holds more than head[] and the list of
 * encodings that were let through, whatever the viewer claims to be sending.
 */
#include "rfb/parse.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "rfb/encodings.h"
#include "rfb/wire.h"

enum message {
	SET_PIXEL_FORMAT = 0,
	SET_ENCODINGS = 2,
	UPDATE_REQUEST = 3,
	KEY = 4,
	POINTER = 5,
	CUT_TEXT = 6,
	SET_SCALE = 8,
	SET_SERVER_INPUT = 9,
	SET_SW = 10,
	PALM_SCALE = 15,
	CONTINUOUS_UPDATES = 150,
	FENCE = 248,
	XVP = 250,
	SET_DESKTOP_SIZE = 251,
	QEMU = 255,
};

#define QEMU_KEY 0
#define LONG_POINTER \
	0x80 /* marks a PointerEvent with a second byte of buttons (ExtendedMouseButtons) */
#define NO_STEP		0x7fff /* a step of nothing in a PointerEvent (QEMU Pointer Motion Change) */
#define XT_KEYCODES_END 0xff

#define SCREEN_BYTES 16 /* each, in SetDesktopSize (rfbproto.rst) */

static_assert(4 + 4 * PARSE_ENCODINGS <= PARSE_OUT, "the longest message fits");
static_assert(9 + FENCE_PAYLOAD <= sizeof(((struct parser *)0)->head), "so does a fence");

void parser_init(
	struct parser *parser, uint32_t width, uint32_t height, const struct parse_hooks *hooks)
{
	*parser = (struct parser){.hooks = hooks, .width = width, .height = height};
}

void parser_resize(struct parser *parser, uint32_t width, uint32_t height)
{
	parser->width = width;
	parser->height = height;
}

void parser_relative(struct parser *parser, bool relative)
{
	parser->relative = relative;
}

bool parser_inside(const struct parser *parser)
{
	return parser->have || parser->skip || parser->entries;
}

static int refuse(struct parser *parser, const char *reason)
{
	parser->reason = reason;
	return -EPROTO;
}

/* Was the message announced by that extra? Then its size. */
static size_t announced(const struct parser *parser, unsigned int extra, size_t size)
{
	return parser->known & extra ? size : 0;
}

/* Bytes of the fixed part; 0: no such message. */
static size_t head_size(const struct parser *parser, uint8_t type)
{
	switch (type) {
	case SET_PIXEL_FORMAT:
		return 20;
	case QEMU:
		return announced(parser, EXTRA_KEYS, 12);
	case CONTINUOUS_UPDATES:
		return announced(parser, EXTRA_CONTINUOUS_UPDATES, 10);
	case FENCE:
		return announced(parser, EXTRA_FENCE, 9);
	case XVP:
		return announced(parser, EXTRA_XVP, 4);
	case UPDATE_REQUEST:
		return 10;
	case KEY:
	case CUT_TEXT:
	case SET_DESKTOP_SIZE:
		return 8;
	case POINTER:
	case SET_SW:
		return 6;
	case SET_ENCODINGS:
	case SET_SCALE:
	case SET_SERVER_INPUT:
	case PALM_SCALE:
		return 4;
	default:
		return 0;
	}
}

/* RFB 7.4: a maximum is 2^n - 1, and its bits lie inside the pixel. */
static bool channel_valid(uint16_t maximum, uint8_t shift, uint8_t bits)
{
	return maximum && (maximum & (maximum + 1u)) == 0 && shift < bits &&
	       (uint64_t)maximum << shift < 1ull << bits;
}

static int set_pixel_format(struct parser *parser, uint8_t *out, size_t *ret_out)
{
	const uint8_t *format = parser->head + 4;
	uint8_t bits = format[0], depth = format[1];
	bool true_colour = format[3];

	if (bits != 8 && bits != 16 && bits != 32)
		return refuse(parser, "pixel format: bits per pixel not 8, 16 or 32");
	if (!depth || depth > 32)
		return refuse(parser, "pixel format: depth out of range");
	if (!true_colour && bits != 8)
		return refuse(parser, "pixel format: colour map with more than 8 bits");
	for (int i = 0; true_colour && i < 3; i++)
		if (!channel_valid(wire_u16(format + 4 + 2 * i), format[10 + i], bits))
			return refuse(parser, "pixel format: maximum or shift out of range");
	memset(out, 0, 20);
	memcpy(out + 4, format, 13);
	out[6] = !!format[2];
	out[7] = true_colour;
	if (!true_colour) /* which colours there are is the server's choice then */
		memset(out + 8, 0, 9);
	*ret_out = 20;
	return 0;
}

static void update_request(struct parser *parser, uint8_t *out, size_t *ret_out)
{
	const uint8_t *head = parser->head;
	uint32_t x = wire_u16(head + 2), y = wire_u16(head + 4);
	uint32_t width = wire_u16(head + 6), height = wire_u16(head + 8);

	x = MIN(x, parser->width - 1);
	y = MIN(y, parser->height - 1);
	/* A request that lies outside still asks for news of the size: a viewer that has not heard of a smaller screen would
	 * wait for ever if it came to nothing. One pixel keeps it alive. */
	width = MIN(width, parser->width - x);
	height = MIN(height, parser->height - y);
	if (!head[1] && parser->extras & EXTRA_EXTENDED_DESKTOP_SIZE && parser->hooks &&
		parser->hooks->layout)
		parser->hooks->layout(parser->hooks->arg);
	if (head[1] && parser->continuous) /* to be ignored then, says rfbproto.rst */
		return;
	out[0] = UPDATE_REQUEST;
	out[1] = !!head[1];
	wire_put_u16(out + 2, x);
	wire_put_u16(out + 4, y);
	wire_put_u16(out + 6, MAX(width, 1u));
	wire_put_u16(out + 8, MAX(height, 1u));
	*ret_out = 10;
}

static void set_desktop_size(struct parser *parser)
{
	const struct parse_hooks *hooks = parser->hooks;
	const uint8_t *head = parser->head, *screen = head + 8;
	uint32_t screens = head[6];
	bool whole = screens == 1 && !wire_u16(screen + 4) && !wire_u16(screen + 6) &&
		     memcmp(screen + 8, head + 2, 4) == 0;

	parser->skip = screens ? (screens - 1) * SCREEN_BYTES : 0;
	if (parser->extras & EXTRA_EXTENDED_DESKTOP_SIZE && hooks && hooks->size)
		hooks->size(hooks->arg, wire_u16(head + 2), wire_u16(head + 4), whole);
}

static int cut_text(struct parser *parser)
{
	int64_t length = (int32_t)wire_u32(parser->head + 4);

	/* Below zero: the extended clipboard's way to say its length. It was not offered, but is easy to skip. */
	length = length < 0 ? -length : length;
	if (length > LIMIT_CUT_TEXT)
		return refuse(parser, "cut text is too long");
	parser->skip = length;
	return 0;
}

static void key(struct parser *parser, bool down, uint32_t keysym, uint32_t keycode)
{
	if (parser->hooks && parser->hooks->key)
		parser->hooks->key(
			parser->hooks->arg, down, keysym, keycode <= XT_KEYCODES_END ? keycode : 0);
}

static int qemu(struct parser *parser)
{
	const uint8_t *head = parser->head;

	if (head[1] != QEMU_KEY)
		return refuse(parser, "a message of QEMU's that was not offered");
	key(parser, wire_u16(head + 2), wire_u32(head + 4), wire_u32(head + 8));
	return 0;
}

static bool pointer_is_long(const struct parser *parser)
{
	return parser->known & EXTRA_BUTTONS && parser->head[1] & LONG_POINTER;
}

static void pointer(struct parser *parser)
{
	const uint8_t *head = parser->head;
	struct parse_pointer event = {
		.buttons = head[1],
		.relative = parser->relative && parser->known & EXTRA_POINTER_MODE,
		.x = wire_u16(head + 2),
		.y = wire_u16(head + 4),
	};

	if (pointer_is_long(parser))
		event.buttons = (head[1] & ~LONG_POINTER) | head[6] << 7;
	if (event.relative) {
		event.x -= NO_STEP;
		event.y -= NO_STEP;
	} else {
		event.x = MIN(event.x, (int32_t)parser->width - 1);
		event.y = MIN(event.y, (int32_t)parser->height - 1);
	}
	if (parser->hooks && parser->hooks->pointer)
		parser->hooks->pointer(parser->hooks->arg, &event);
}

static void power(struct parser *parser)
{
	if (parser->hooks && parser->hooks->power)
		parser->hooks->power(parser->hooks->arg, parser->head[2], parser->head[3]);
}

/* One that is longer than it may be is not answered. */
static void fence(struct parser *parser, uint8_t *out, size_t *ret_out)
{
	uint8_t size = parser->head[8];

	if (size > FENCE_PAYLOAD) {
		parser->skip = size;
		return;
	}
	memset(out, 0, 4);
	out[0] = FENCE;
	wire_put_u32(out + 4, wire_u32(parser->head + 4) & (FENCE_REQUEST | FENCE_FLAGS));
	memcpy(out + 8, parser->head + 8, 1 + size);
	*ret_out = 9 + size;
}

/* An area that lies outside is empty: its updates are none. */
static void continuous_updates(struct parser *parser, uint8_t *out, size_t *ret_out)
{
	const uint8_t *head = parser->head;
	uint32_t x = MIN((uint32_t)wire_u16(head + 2), parser->width);
	uint32_t y = MIN((uint32_t)wire_u16(head + 4), parser->height);

	parser->continuous = head[1];
	out[0] = CONTINUOUS_UPDATES;
	out[1] = !!head[1];
	wire_put_u16(out + 2, x);
	wire_put_u16(out + 4, y);
	wire_put_u16(out + 6, MIN((uint32_t)wire_u16(head + 6), parser->width - x));
	wire_put_u16(out + 8, MIN((uint32_t)wire_u16(head + 8), parser->height - y));
	*ret_out = 10;
}

static void begin_encodings(struct parser *parser)
{
	parser->entries = wire_u16(parser->head + 2);
	parser->looked = 0;
	parser->encoding_count = 0;
	parser->extras_coming = 0;
}

static void end_encodings(struct parser *parser, uint8_t *out, size_t *ret_out)
{
	const struct parse_hooks *hooks = parser->hooks;

	parser->extras = parser->extras_coming;
	parser->known |= parser->extras;
	if (hooks && hooks->extras)
		hooks->extras(hooks->arg, parser->extras);
	out[0] = SET_ENCODINGS;
	out[1] = 0;
	wire_put_u16(out + 2, parser->encoding_count);
	for (uint32_t i = 0; i < parser->encoding_count; i++)
		wire_put_u32(out + 4 + 4 * i, parser->encodings[i]);
	*ret_out = 4 + 4 * parser->encoding_count;
}

static void look_at_encoding(struct parser *parser, uint32_t encoding)
{
	if (parser->looked++ >= LIMIT_ENCODINGS)
		return;
	parser->extras_coming |= encoding_extra(encoding);
	encoding = encoding_clamped(encoding);
	if (parser->encoding_count >= PARSE_ENCODINGS || !encoding_permitted(encoding))
		return;
	for (uint32_t i = 0; i < parser->encoding_count; i++)
		if (parser->encodings[i] == encoding)
			return;
	parser->encodings[parser->encoding_count++] = encoding;
}

/* The fixed part is whole. */
static int act(struct parser *parser, uint8_t *out, size_t *ret_out)
{
	int r = 0;

	switch (parser->head[0]) {
	case SET_PIXEL_FORMAT:
		r = set_pixel_format(parser, out, ret_out);
		break;
	case SET_ENCODINGS:
		begin_encodings(parser);
		if (!parser->entries)
			end_encodings(parser, out, ret_out);
		break;
	case UPDATE_REQUEST:
		update_request(parser, out, ret_out);
		break;
	case CUT_TEXT:
		r = cut_text(parser);
		break;
	case SET_DESKTOP_SIZE:
		set_desktop_size(parser);
		break;
	case KEY:
		key(parser, parser->head[1], wire_u32(parser->head + 4), 0);
		break;
	case POINTER:
		pointer(parser);
		break;
	case CONTINUOUS_UPDATES:
		continuous_updates(parser, out, ret_out);
		break;
	case FENCE:
		fence(parser, out, ret_out);
		break;
	case XVP:
		power(parser);
		break;
	case QEMU:
		r = qemu(parser);
		break;
	default: /* nobody wants it */
		break;
	}
	return r;
}

/* Bytes to gather before act(). */
static size_t wanted(const struct parser *parser, uint8_t type)
{
	size_t size = head_size(parser, type);

	if (!size || parser->have < size)
		return size;
	if (type == SET_DESKTOP_SIZE && parser->head[6])
		size += SCREEN_BYTES;
	else if (type == POINTER && pointer_is_long(parser))
		size++;
	else if (type == FENCE && parser->head[8] <= FENCE_PAYLOAD)
		size += parser->head[8];
	return size;
}

static size_t gather(struct parser *parser, size_t want, const uint8_t *data, size_t size)
{
	size_t n = MIN(want - parser->have, size);

	memcpy(parser->head + parser->have, data, n);
	parser->have += n;
	return n;
}

static size_t take_entry(
	struct parser *parser, const uint8_t *data, size_t size, uint8_t *out, size_t *ret_out)
{
	size_t n = gather(parser, 8, data, size);

	if (parser->have < 8)
		return n;
	look_at_encoding(parser, wire_u32(parser->head + 4));
	parser->have = 4;
	if (--parser->entries == 0)
		end_encodings(parser, out, ret_out);
	return n;
}

/* The message is over when nothing of it is still to come. */
static void finish(struct parser *parser, uint8_t *out, size_t *ret_out)
{
	bool fence = *ret_out && out[0] == FENCE;

	if (parser->skip || parser->entries)
		return;
	parser->have = 0;
	parser->messages++;
	if (parser->sync && !*ret_out) {
		out[0] = PARSE_NOTHING;
		*ret_out = 1;
	}
	parser->sync = fence && !(~wire_u32(out + 4) & (FENCE_REQUEST | FENCE_SYNC_NEXT));
}

int parse(struct parser *parser, const uint8_t *data, size_t size, uint8_t out[PARSE_OUT],
	size_t *ret_out)
{
	size_t at = 0, n, want;

	*ret_out = 0;
	while (at < size && !*ret_out) {
		if (parser->skip) {
			n = MIN((size_t)parser->skip, size - at);
			parser->skip -= n;
			at += n;
			finish(parser, out, ret_out);
		} else if (parser->entries) {
			at += take_entry(parser, data + at, size - at, out, ret_out);
			finish(parser, out, ret_out);
		} else {
			want = wanted(parser, parser->have ? parser->head[0] : data[at]);
			if (!want)
				return refuse(parser, "a message type that was not offered");
			at += gather(parser, want, data + at, size - at);
			if (parser->have < wanted(parser, parser->head[0]))
				continue;
			if (act(parser, out, ret_out) < 0)
				return -EPROTO;
			finish(parser, out, ret_out);
		}
	}
	return at;
}
