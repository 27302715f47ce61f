/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A viewer and the guest's cursor: drawn into its picture, or a shape that it draws itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <endian.h>
#include <string.h>

#include "rfb/encodings.h"
#include "small-viewer.h"

/* Hidden: one transparent pixel. */
static void assert_no_shape(const struct client *client)
{
	assert_int_equal(client->shapes, 1);
	assert_int_equal(client->shape_width, 1);
	assert_int_equal(client->shape_height, 1);
	assert_int_equal(client->alpha ? client->shape[0] : client->mask[0], 0);
}

/* A square of one premultiplied colour. */
static void set_cursor(struct fixture *f, int32_t x, int32_t y, uint32_t side, uint32_t colour)
{
	struct frame_cursor *cursor = &frame_live(f->broker)->cursor;

	for (uint32_t i = 0; i < side * side; i++)
		frame_cursor_pixels(f->broker)[i] = colour;
	*cursor = (struct frame_cursor){
		.serial = cursor->serial + 1,
		.visible = 1,
		.width = side,
		.height = side,
		.x = x,
		.y = y,
		.hot_x = 1,
		.hot_y = 2,
	};
}

static void assert_drawn(struct fixture *f, const struct client *client)
{
	const struct frame_cursor *cursor = &frame_live(f->broker)->cursor;

	for (uint32_t y = 0; y < client->height; y++)
		for (uint32_t x = 0; x < client->width; x++) {
			uint32_t expected = *pixel(f, x, y), over = 0;
			bool inside = cursor->visible && (int)x >= cursor->x &&
				      (int)x < cursor->x + (int)cursor->width &&
				      (int)y >= cursor->y &&
				      (int)y < cursor->y + (int)cursor->height;

			if (inside)
				over = frame_cursor_pixels(
					f->broker)[(y - cursor->y) * cursor->width + x - cursor->x];
			for (unsigned int shift = 0; inside && shift < 24; shift += 8) {
				uint32_t under = expected >> shift & 0xff;

				under = (over >> shift & 0xff) +
					(under * (255 - (over >> 24)) + 127) / 255;
				expected = (expected & ~(0xffu << shift)) | under << shift;
			}
			assert_int_equal(seen(client, x, y), expected);
		}
}

static void cursor_is_drawn(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);
	uint32_t before = *pixel(f, 50, 40);

	want_write(f);
	set_cursor(f, 45, 33, 20, 0x80402010);
	publish(f, false);
	update(client, true);
	assert_int_equal(client->area, 20 * 20);
	assert_drawn(f, client);
	assert_int_equal(*pixel(f, 50, 40), before); /* the frame itself is not touched */

	/* Moved over the corner: both places and nothing else. */
	want_write(f);
	frame_live(f->broker)->cursor.x = -7;
	frame_live(f->broker)->cursor.y = 95;
	publish(f, false);
	update(client, true);
	assert_int_equal(client->area, 20 * 20 + 13 * 6);
	assert_drawn(f, client);

	/* What the broker paints beneath shows: no private page is left behind. */
	want_write(f);
	paint(f, 0, 64, 203, 37, 77);
	publish(f, true);
	update(client, true);
	assert_drawn(f, client);

	want_write(f);
	set_cursor(f, 100, 50, 20, 0xffffff00); /* reshaped and moved */
	publish(f, false);
	update(client, true);
	assert_drawn(f, client);

	want_write(f);
	frame_live(f->broker)->cursor.visible = 0;
	publish(f, false);
	update(client, true);
	assert_int_equal(client->area, 20 * 20);
	assert_screen(f, client);
	request_all(client, true);
	assert_quiet(client);
}

/* It covers all of the frame before and after a move: what is seen is another part of it. */
static void cursor_larger_than_the_frame(void **state)
{
	struct fixture *f = *state;
	struct client *client;
	uint32_t *image;

	show_frame(f, 50, 40);
	paint_all(f, 3);
	publish(f, true);
	client = watching(f);
	want_write(f);
	set_cursor(f, -20, -30, FRAME_CURSOR_SIDE, 0);
	image = frame_cursor_pixels(f->broker);
	for (uint32_t i = 0; i < FRAME_CURSOR_SIDE * FRAME_CURSOR_SIDE; i++)
		image[i] = 0x80000000 | (i * 2654435761u & 0x3f3f3f);
	publish(f, false);
	update(client, true);
	assert_drawn(f, client);
	for (int i = 0; i < 3; i++) {
		want_write(f);
		frame_live(f->broker)->cursor.x -= 11;
		frame_live(f->broker)->cursor.y -= 7;
		publish(f, false);
		update(client, true);
		assert_drawn(f, client);
	}
}

static void cursor_lies(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);
	struct frame_cursor *cursor = &frame_live(f->broker)->cursor;

	want_write(f);
	set_cursor(f, INT32_MAX - 3, INT32_MIN, 16, 0xffffffff);
	publish(f, false);
	want_write(f);
	cursor->x = cursor->y = 3;
	cursor->width = FRAME_CURSOR_SIDE + 1;
	publish(f, false);
	update(client, false);
	assert_screen(f, client);
	want_write(f);
	cursor->width = 16;
	cursor->hot_x = cursor->hot_y = UINT32_MAX;
	publish(f, false);
	ENCODINGS(client, ENCODING_RAW, ENCODING_CURSOR);
	update(client, false);
	assert_int_equal(client->shape_width, 16);
	assert_int_equal(client->hot_x, 0);
	assert_int_equal(client->hot_y, 0);
}

static void cursor_is_a_shape(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	ENCODINGS(client, ENCODING_RAW, ENCODING_CURSOR);
	update(client, true); /* hidden */
	assert_no_shape(client);

	want_write(f);
	set_cursor(f, 45, 33, 10, 0x80402010);		/* half of (128, 64, 32) */
	frame_cursor_pixels(f->broker)[3] = 0x7f000000; /* more than half transparent */
	publish(f, false);
	update(client, true);
	assert_int_equal(client->shapes, 1);
	assert_int_equal(client->rects, 0);
	assert_int_equal(client->shape_width, 10);
	assert_int_equal(client->shape_height, 10);
	assert_int_equal(client->hot_x, 1);
	assert_int_equal(client->hot_y, 2);
	assert_int_equal(client->shape[0], 0x804020);
	assert_int_equal(client->mask[0], 0xef);
	assert_int_equal(client->mask[1], 0xc0);

	/* A move is the viewer's own business. */
	want_write(f);
	frame_live(f->broker)->cursor.x = 90;
	publish(f, false);
	request_all(client, true);
	assert_quiet(client);
	want_write(f);
	frame_live(f->broker)->cursor.visible = 0;
	publish(f, false);
	get_update(client);
	assert_no_shape(client);
	update(client, false);
	assert_screen(f, client);
}

static void shape_is_cut(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	ENCODINGS(client, ENCODING_RAW, ENCODING_CURSOR);
	update(client, true);
	/* 128 wide, but only a few pixels of it are to be seen. */
	want_write(f);
	set_cursor(f, 10, 10, 128, 0);
	frame_cursor_pixels(f->broker)[40 * 128 + 50] = 0xffffffff;
	frame_live(f->broker)->cursor.hot_x = 48;
	frame_live(f->broker)->cursor.hot_y = 43;
	publish(f, false);
	update(client, true);
	assert_int_equal(client->shapes, 1);
	assert_int_equal(client->shape_width, 3);
	assert_int_equal(client->shape_height, 4);
	assert_int_equal(client->hot_x, 0);
	assert_int_equal(client->hot_y, 3);

	/* With alpha, what is nearly transparent is seen too. */
	ENCODINGS(client, ENCODING_RAW, ENCODING_CURSOR, ENCODING_CURSOR_ALPHA);
	want_write(f);
	frame_cursor_pixels(f->broker)[47 * 128 + 40] = 0x01010101;
	frame_live(f->broker)->cursor.serial++;
	publish(f, false);
	update(client, true);
	assert_int_equal(client->shapes, 1);
	assert_true(client->alpha);
	assert_int_equal(client->shape_width, 11);
	assert_int_equal(client->shape_height, 8);
	assert_int_equal(client->hot_x, 8);
	assert_int_equal(client->hot_y, 3);
}

static const uint32_t shape_encodings[] = {
	ENCODING_CURSOR, ENCODING_XCURSOR, ENCODING_CURSOR_ALPHA};

/* LibVNCServer's own would break the stream above 88. */
static void shapes_of_all_sizes(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	for (size_t i = 0; i < ARRAY_SIZE(shape_encodings); i++) {
		ENCODINGS(client, ENCODING_RAW, shape_encodings[i]);
		for (uint32_t side = 1; side <= FRAME_CURSOR_SIDE; side += side < 250 ? 51 : 1) {
			want_write(f);
			set_cursor(f, -5, 90, side, 0xff000000 | (side & 0xff) << 16 | 0x1234);
			if (side < 3)
				frame_live(f->broker)->cursor.hot_y = 0;
			if (side < 2)
				frame_live(f->broker)->cursor.hot_x = 0;
			publish(f, false);
			update(client, true);
			/* The last request stands, so the last shape may have come in the new encoding first. */
			if (i > 0 && side == 1 && client->shape_width == FRAME_CURSOR_SIDE)
				update(client, true);
			assert_int_equal(client->shapes, 1);
			assert_int_equal(client->rects, 0);
			assert_int_equal(client->shape_width, side);
			assert_int_equal(client->shape_height, side);
			for (uint32_t at = 0; at < side * side && i != 1; at++)
				assert_int_equal(
					client->shape[at], i ? htobe32(side << 24 | 0x1234ff)
							     : (side & 0xff) << 16 | 0x1234);
		}
		assert_screen(f, client);
	}
}

static void shape_with_alpha(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	ENCODINGS(client, ENCODING_RAW, ENCODING_CURSOR_ALPHA);
	update(client, true);
	assert_no_shape(client);
	want_write(f);
	set_cursor(f, 45, 33, 10, 0x80402010);
	frame_cursor_pixels(f->broker)[4] =
		0x20ff0010; /* more red than alpha: no colour has that */
	frame_cursor_pixels(f->broker)[5] = 0;
	publish(f, false);
	update(client, true);
	assert_int_equal(client->shapes, 1);
	assert_int_equal(client->shape_width, 10);
	assert_memory_equal(&client->shape[3],
		"\x40\x20\x10\x80"
		"\x20\x00\x10\x20"
		"\x00\x00\x00\x00",
		12);
	assert_screen(f, client);

	/* A move is nothing; a shape is sent once. */
	for (int i = 0; i < 3; i++) {
		want_write(f);
		frame_live(f->broker)->cursor.x += 7;
		publish(f, false);
		request_all(client, true);
		assert_quiet(client);
	}
	want_write(f);
	frame_live(f->broker)->cursor.visible = 0;
	publish(f, false);
	get_update(client);
	assert_no_shape(client);
}

/* Drawn in, a shape of each kind, and back: the picture is right at every turn. */
static void encodings_are_changed(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	want_write(f);
	set_cursor(f, 45, 33, 20, 0xc0402010);
	publish(f, false);
	update(client, true);
	assert_drawn(f, client);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(shape_encodings); i++) {
		ENCODINGS(client, ENCODING_RAW, shape_encodings[i % ARRAY_SIZE(shape_encodings)]);
		request_all(client, true);
		get_update(client);
		assert_int_equal(client->shapes, 1);
		assert_int_equal(client->shape_width, 20);
		if (!client->rects) /* the shape and the pixels are two updates */
			get_update(client);
		assert_int_equal(client->area, 20 * 20);
		assert_screen(f, client);
		ENCODINGS(client, ENCODING_RAW);
		update(client, true);
		assert_int_equal(client->shapes, 0);
		assert_drawn(f, client);
	}
	/* From one kind to another: a shape again. The same list again: nothing. */
	ENCODINGS(client, ENCODING_RAW, ENCODING_CURSOR);
	update(client, true);
	get_update(client);
	ENCODINGS(client, ENCODING_RAW, ENCODING_CURSOR, ENCODING_CURSOR_ALPHA);
	update(client, true);
	assert_int_equal(client->shapes, 1);
	assert_int_equal(client->rects, 0);
	ENCODINGS(client, ENCODING_CURSOR_ALPHA, ENCODING_CURSOR, ENCODING_RAW);
	request_all(client, true);
	assert_quiet(client);
	/* The better kind is given up. */
	ENCODINGS(client, ENCODING_RAW, ENCODING_CURSOR);
	get_update(client);
	assert_int_equal(client->shapes, 1);
	assert_false(client->alpha);
	assert_int_equal(client->rects, 0);
}

static void shape_of_two_colours(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	want_write(f);
	set_cursor(f, 10, 10, 8, 0xffffffff);
	frame_cursor_pixels(f->broker)[7] = 0xff000000;
	publish(f, false);
	update(client, true);
	assert_drawn(f, client);
	ENCODINGS(client, ENCODING_RAW, ENCODING_XCURSOR);
	request_all(client, true);
	get_update(client);
	assert_int_equal(client->shapes, 1);
	if (!client->rects)
		get_update(client);
	assert_int_equal(client->area, 8 * 8); /* taken out of the picture */
	assert_int_equal(((uint8_t *)client->shape)[0], 0x01);
	assert_int_equal(client->mask[0], 0xff);
	assert_screen(f, client);
}

/* Only those who cannot move it are told where the pointer is. */
static void pointer_position(void **state)
{
	struct fixture *f = *state;
	struct client *client = &f->client;

	for (int view_only = 0; view_only < 2; view_only++) {
		client_open(f, client, 240, view_only);
		viewer_allow(client->viewer, true);
		ENCODINGS(client, ENCODING_RAW, ENCODING_CURSOR, ENCODING_POINTER_POSITION);
		want_write(f);
		set_cursor(f, 45, 33, 10, 0xffffffff);
		publish(f, false);
		update(client, false);
		assert_int_equal(client->positions, view_only);
		assert_int_equal(client->shapes, 1);
		get_update(client);
		assert_screen(f, client);
		want_write(f);
		frame_live(f->broker)->cursor.x = 5000;
		publish(f, false);
		request_all(client, true);
		if (!view_only) {
			assert_quiet(client);
		} else {
			assert_int_equal(client->pointer_x, 46);
			assert_int_equal(client->pointer_y, 35);
			get_update(client);
			assert_int_equal(client->positions, 1);
			assert_int_equal(client->rects, 0);
			assert_int_equal(client->pointer_x, 202); /* kept inside */
		}
		client_close(client);
	}
}

/* Who no longer knows the encoding is not told by it, though it was due. */
static void pointer_position_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct client *client = &f->client;

	want_write(f);
	set_cursor(f, 45, 33, 10, 0xffffffff);
	publish(f, false);
	client_open(f, client, 240, true);
	viewer_allow(client->viewer, true);
	update(client, false);
	ENCODINGS(client, ENCODING_RAW, ENCODING_POINTER_POSITION);
	assert_quiet(client); /* the worker has heard of it by then */
	ENCODINGS(client, ENCODING_RAW);
	request_all(client, true);
	assert_quiet(client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, viewing_begin, viewing_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cursor_is_drawn),
		TEST(cursor_larger_than_the_frame),
		TEST(cursor_lies),
		TEST(cursor_is_a_shape),
		TEST(shape_is_cut),
		TEST(shapes_of_all_sizes),
		TEST(shape_with_alpha),
		TEST(encodings_are_changed),
		TEST(shape_of_two_colours),
		TEST(pointer_position),
		TEST(pointer_position_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
