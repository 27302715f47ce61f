/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <endian.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>

#include "base/fd.h"
#include "base/mem.h"
#include "damage/tiles.h"
#include "rfb/encodings.h"
#include "rfb/picture.h"
#include "rfb/viewer.h"

#define WAIT_MS	 20000 /* the bound of everything that must come */
#define QUIET_MS 150   /* how long nothing must come */

#define ENCODING_QUALITY_6 -26 /* JPEG inside Tight */

/* A small viewer: keeps a screen from raw rectangles. */
struct client {
	struct viewer *viewer;
	int fd;
	uint32_t width, height;
	char name[32];
	uint32_t *screen;
	/* of the last update */
	unsigned int rects, shapes, sizes, positions;
	uint64_t area;
	uint32_t encoding;
	uint32_t size_reason, size_status;
	/* last shape */
	uint32_t shape_width, shape_height, hot_x, hot_y;
	uint32_t pointer_x, pointer_y;
	uint32_t shape[FRAME_CURSOR_SIDE * FRAME_CURSOR_SIDE];
	uint8_t mask[FRAME_CURSOR_SIDE * FRAME_CURSOR_SIDE / 8];
	bool alpha; /* the shape is premultiplied R, G, B, A */
	uint64_t bytes;
};

struct fixture {
	struct frame *broker;
	struct picture *picture;
	int idle;
	uint32_t generation;
	struct client client;
};

static void wake_main(void *arg)
{
	struct fixture *f = arg;

	eventfd_write(f->idle, 1);
}

static void show_frame(struct fixture *f, uint32_t width, uint32_t height)
{
	frame_destroy(f->broker);
	assert_int_equal(frame_create(width, height, ++f->generation, &f->broker), 0);
	assert_int_equal(picture_frame(f->picture, fcntl(f->broker->fd, F_DUPFD_CLOEXEC, 3)), 0);
}

/* From here until publish() the broker writes. */
static void want_write(struct fixture *f)
{
	struct pollfd polled = {.fd = f->idle, .events = POLLIN};
	uint32_t generation;
	eventfd_t count;

	picture_want_write(f->picture);
	while (!picture_granted(f->picture, &generation)) {
		assert_int_equal(poll(&polled, 1, WAIT_MS), 1);
		eventfd_read(f->idle, &count);
	}
	assert_int_equal(generation, f->generation);
	memset(frame_damage(f->broker), 0,
		tiles_bitmap_words(f->broker->header.width, f->broker->header.height) * 8);
}

static void publish(struct fixture *f, bool damaged)
{
	picture_published(f->picture, damaged);
}

static uint32_t *pixel(struct fixture *f, uint32_t x, uint32_t y)
{
	return frame_pixels(f->broker) + (size_t)y * f->broker->header.stride / 4 + x;
}

/* Paints one rectangle and its damage. */
static void paint(
	struct fixture *f, uint32_t x, uint32_t y, uint32_t width, uint32_t height, uint32_t seed)
{
	size_t stride = tiles_bitmap_stride(f->broker->header.width);

	for (uint32_t row = y; row < y + height; row++)
		for (uint32_t column = x; column < x + width; column++) {
			*pixel(f, column, row) =
				(seed * 2654435761u + row * 40503u + column * 977u) & 0xffffff;
			frame_damage(f->broker)[row / 16 * stride + column / 16 / 64] |=
				1ull << column / 16 % 64;
		}
}

static void paint_all(struct fixture *f, uint32_t seed)
{
	paint(f, 0, 0, f->broker->header.width, f->broker->header.height, seed);
}

static int setup(void **state)
{
	struct fixture *f = new0(struct fixture);

	f->client.fd = -EBADF;
	f->idle = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_int_equal(picture_create(wake_main, f, &f->picture), 0);
	show_frame(f, 203, 101);
	paint_all(f, 1);
	publish(f, true);
	*state = f;
	return 0;
}

static void client_close(struct client *client)
{
	viewer_destroy(client->viewer);
	fd_close(client->fd);
	free(client->screen);
	memset(client, 0, sizeof(*client));
	client->fd = -EBADF;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	client_close(&f->client);
	picture_destroy(f->picture);
	frame_destroy(f->broker);
	fd_close(f->idle);
	free(f);
	return 0;
}

/* Returns what came before end of file. */
static size_t get(struct client *client, void *buffer, size_t bytes)
{
	struct pollfd polled = {.fd = client->fd, .events = POLLIN};
	size_t got = 0;
	ssize_t n;

	while (got < bytes) {
		assert_int_equal(poll(&polled, 1, WAIT_MS), 1);
		n = recv(client->fd, (char *)buffer + got, bytes - got, 0);
		if (n <= 0)
			break;
		got += n;
	}
	client->bytes += got;
	return got;
}

static void need(struct client *client, void *buffer, size_t bytes)
{
	assert_int_equal(get(client, buffer, bytes), bytes);
}

static uint32_t need16(struct client *client)
{
	uint16_t value;

	need(client, &value, 2);
	return ntohs(value);
}

static uint32_t need32(struct client *client)
{
	uint32_t value;

	need(client, &value, 4);
	return ntohl(value);
}

static void put(struct client *client, const void *message, size_t bytes)
{
	assert_int_equal(send(client->fd, message, bytes, MSG_NOSIGNAL), bytes);
}

static void assert_quiet(struct client *client)
{
	struct pollfd polled = {.fd = client->fd, .events = POLLIN};

	assert_int_equal(poll(&polled, 1, QUIET_MS), 0);
}

static void resize(struct client *client, uint32_t width, uint32_t height)
{
	client->width = width;
	client->height = height;
	free(client->screen);
	client->screen = calloc((size_t)width * height, 4);
}

static void client_open(struct fixture *f, struct client *client, uint32_t frames, bool view_only)
{
	struct viewer_options options = {
		.number = 5,
		.view_only = view_only,
		.frames_maximum = frames,
		.name = "a guest",
	};
	uint8_t format[16];
	uint32_t width, height;

	assert_int_equal(viewer_create(f->picture, &options, &client->viewer, &client->fd), 0);
	width = need16(client);
	height = need16(client);
	need(client, format, sizeof(format));
	assert_memory_equal(format, "\x20\x18\x00\xff\x00\xff\x00\xff\x00\xff\x10\x08\x00", 13);
	assert_int_equal(need32(client), strlen(options.name));
	need(client, client->name, strlen(options.name));
	assert_string_equal(client->name, options.name);
	assert_string_equal(viewer_encoding(client->viewer), "");
	resize(client, width, height);
}

/* As the door does it: extras do not go to the library. */
static void encodings(struct client *client, const uint32_t *list, size_t count)
{
	uint16_t head[2] = {htons(0x0200)};
	unsigned int extras = 0, others = 0;
	uint32_t numbers[8];

	assert_true(count <= ARRAY_SIZE(numbers));
	for (size_t i = 0; i < count; i++) {
		extras |= encoding_extra(list[i]);
		if (!encoding_extra(list[i]))
			numbers[others++] = htonl(list[i]);
	}
	head[1] = htons(others);
	put(client, head, 4);
	put(client, numbers, 4 * others);
	viewer_extras(client->viewer, extras);
}
#define ENCODINGS(client, ...) \
	encodings(client, (const uint32_t[]){__VA_ARGS__}, \
		ARRAY_SIZE(((const uint32_t[]){__VA_ARGS__})))

static void request(struct client *client, bool incremental, uint32_t x, uint32_t y, uint32_t width,
	uint32_t height)
{
	uint16_t message[5] = {
		htons(0x0300 | incremental), htons(x), htons(y), htons(width), htons(height)};

	put(client, message, sizeof(message));
}

static void request_all(struct client *client, bool incremental)
{
	request(client, incremental, 0, 0, client->width, client->height);
}

static void get_raw(struct client *client, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	assert_true(x + width <= client->width && y + height <= client->height);
	for (uint32_t row = y; row < y + height; row++)
		need(client, client->screen + (size_t)row * client->width + x, (size_t)width * 4);
	client->area += (uint64_t)width * height;
	client->rects++;
}

static void get_shape(struct client *client, uint32_t x, uint32_t y, uint32_t width,
	uint32_t height, uint32_t encoding)
{
	size_t row_bytes = DIV_ROUND_UP(width, 8u);
	uint8_t colours[6];

	assert_true(width && height && width <= FRAME_CURSOR_SIDE && height <= FRAME_CURSOR_SIDE);
	assert_true(x < width && y < height);
	client->hot_x = x;
	client->hot_y = y;
	client->shape_width = width;
	client->shape_height = height;
	client->shapes++;
	client->alpha = encoding == ENCODING_CURSOR_ALPHA;
	if (client->alpha)
		assert_int_equal(need32(client), ENCODING_RAW);
	if (client->alpha || encoding == ENCODING_CURSOR) {
		need(client, client->shape, (size_t)width * height * 4);
	} else {
		need(client, colours, sizeof(colours));
		assert_memory_equal(colours, "\0\0\0\xff\xff\xff", 6);
		need(client, client->shape, row_bytes * height);
	}
	if (!client->alpha)
		need(client, client->mask, row_bytes * height);
}

/* Hidden: one transparent pixel. */
static void assert_no_shape(const struct client *client)
{
	assert_int_equal(client->shapes, 1);
	assert_int_equal(client->shape_width, 1);
	assert_int_equal(client->shape_height, 1);
	assert_int_equal(client->alpha ? client->shape[0] : client->mask[0], 0);
}

static void get_size(struct client *client, uint32_t reason, uint32_t status, uint32_t width,
	uint32_t height, bool extended)
{
	uint8_t screens[20];

	if (extended)
		need(client, screens, sizeof(screens));
	client->size_reason = reason;
	client->size_status = status;
	client->sizes++;
	if (width != client->width || height != client->height)
		resize(client, width, height);
}

static void get_rect(struct client *client)
{
	uint32_t x = need16(client), y = need16(client);
	uint32_t width = need16(client), height = need16(client);
	uint32_t encoding = need32(client);

	client->encoding = encoding;
	switch (encoding) {
	case ENCODING_RAW:
		get_raw(client, x, y, width, height);
		break;
	case ENCODING_CURSOR:
	case ENCODING_XCURSOR:
	case ENCODING_CURSOR_ALPHA:
		get_shape(client, x, y, width, height, encoding);
		break;
	case ENCODING_POINTER_POSITION:
		client->pointer_x = x;
		client->pointer_y = y;
		client->positions++;
		break;
	case ENCODING_DESKTOP_SIZE:
	case ENCODING_EXTENDED_DESKTOP_SIZE:
		get_size(client, x, y, width, height, encoding == ENCODING_EXTENDED_DESKTOP_SIZE);
		break;
	default:
		fail_msg("encoding %d was not asked for", (int)encoding);
	}
}

static void get_update(struct client *client)
{
	uint32_t rects;

	client->rects = client->shapes = client->sizes = client->positions = 0;
	client->area = 0;
	assert_int_equal(need16(client) >> 8, 0);
	rects = need16(client);
	while (rects--)
		get_rect(client);
}

static void update(struct client *client, bool incremental)
{
	request_all(client, incremental);
	get_update(client);
}

/* Reads all that comes. Returns how often sizes were told. */
static unsigned int drain(struct client *client)
{
	struct pollfd polled = {.fd = client->fd, .events = POLLIN};
	unsigned int sizes = 0;

	while (poll(&polled, 1, QUIET_MS) == 1) {
		get_update(client);
		sizes += client->sizes;
	}
	return sizes;
}

static uint32_t seen(const struct client *client, uint32_t x, uint32_t y)
{
	return client->screen[(size_t)y * client->width + x];
}

static void assert_screen(struct fixture *f, const struct client *client)
{
	assert_int_equal(client->width, f->broker->header.width);
	assert_int_equal(client->height, f->broker->header.height);
	for (uint32_t y = 0; y < client->height; y++)
		assert_memory_equal(client->screen + (size_t)y * client->width, pixel(f, 0, y),
			(size_t)client->width * 4);
}

/* Opened, and the first picture is there. */
static struct client *watching(struct fixture *f)
{
	struct client *client = &f->client;

	client_open(f, client, 240, false);
	viewer_allow(client->viewer, true);
	update(client, false);
	assert_screen(f, client);
	return client;
}

static void picture_is_exact(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	assert_int_equal(client->area, 203 * 101);
	assert_string_equal(viewer_encoding(client->viewer), "raw");
	assert_int_equal(viewer_frames_behind(client->viewer), 0);
}

static void only_damage_is_sent(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	request_all(client, true);
	assert_quiet(client);
	want_write(f);
	paint(f, 20, 20, 2, 2, 7);
	*pixel(f, 200, 100) ^= 0xff; /* changed, but not damaged */
	publish(f, true);
	get_update(client);
	assert_int_equal(client->rects, 1);
	assert_int_equal(client->area, 16 * 16);
	assert_int_equal(seen(client, 21, 21), *pixel(f, 21, 21));
	assert_int_not_equal(seen(client, 200, 100), *pixel(f, 200, 100));

	/* Not asked for: two publishes become one update, clipped at the edge. */
	want_write(f);
	paint(f, 0, 0, 1, 1, 8);
	publish(f, true);
	want_write(f);
	paint(f, 202, 100, 1, 1, 8);
	publish(f, true);
	assert_quiet(client);
	assert_int_equal(viewer_frames_behind(client->viewer), 2);
	update(client, true);
	assert_int_equal(client->rects, 2);
	assert_int_equal(client->area, 16 * 16 + (203 - 192) * (101 - 96));
	assert_screen(f, client);
}

static void damage_outside_the_request_waits(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	request(client, true, 0, 0, 64, 64);
	want_write(f);
	paint(f, 100, 70, 10, 10, 9);
	publish(f, true);
	assert_quiet(client);
	request_all(client, true);
	get_update(client);
	assert_screen(f, client);
}

static void other_pixel_format(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);
	static const uint8_t swapped[20] = {
		0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16};

	put(client, swapped, sizeof(swapped));
	update(client, false);
	for (uint32_t x = 0; x < 203; x++) {
		uint32_t sent = seen(client, x, 50), source = *pixel(f, x, 50);

		assert_int_equal(sent >> 16 & 0xff, source & 0xff);
		assert_int_equal(sent >> 8 & 0xff, source >> 8 & 0xff);
		assert_int_equal(sent & 0xff, source >> 16 & 0xff);
	}
}

static void names_of_encodings(void **state)
{
	static const struct {
		int number;
		const char *name;
	} all[] = {
		{2, "rre"},
		{4, "corre"},
		{5, "hextile"},
		{6, "zlib"},
		{7, "tight"},
		{9, "ultra"},
		{16, "zrle"},
		{17, "zywrle"},
	};
	struct fixture *f = *state;
	struct client *client = &f->client;
	uint8_t header[16];

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		want_write(f);
		paint_all(f, i);
		if (all[i].number <= 4) /* of noise, (Co)RRE makes raw */
			memset(frame_pixels(f->broker), i, f->broker->header.stride * 101);
		publish(f, true);
		client_open(f, client, 60, false);
		viewer_allow(client->viewer, true);
		ENCODINGS(client, all[i].number, ENCODING_QUALITY_6, ENCODING_RAW);
		request_all(client, false);
		need(client, header, sizeof(header));
		assert_int_equal(header[15], all[i].number);
		assert_string_equal(viewer_encoding(client->viewer), all[i].name);
		want_write(f); /* all of it is encoded then */
		publish(f, false);
		client_close(client);
	}
}

static void resized(struct fixture *f, int encoding)
{
	struct client *client = watching(f);

	ENCODINGS(client, ENCODING_RAW, encoding);
	request_all(client, true);
	for (uint32_t round = 1; round < 4; round++) {
		show_frame(f, 100 + 77 * round, 300 - 63 * round);
		paint_all(f, round);
		publish(f, true);
		while (client->width != 100 + 77 * round)
			get_update(client);
		assert_int_equal(client->sizes, 1);
		assert_int_equal(client->rects, 0); /* no pixels with a new size */
		request_all(client, false);
		while (client->area == 0 ||
			memcmp(&client->screen[client->width * client->height - 1],
				pixel(f, client->width - 1, client->height - 1), 4) != 0)
			get_update(client);
		assert_screen(f, client);
		request_all(client, true);
	}
}

static void resize_by_desktop_size(void **state)
{
	resized(*state, ENCODING_DESKTOP_SIZE);
}

static void resize_by_extended_size(void **state)
{
	resized(*state, ENCODING_EXTENDED_DESKTOP_SIZE);
}

static void cannot_resize(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);
	char byte;

	show_frame(f, 203, 101); /* the same size needs nothing */
	paint_all(f, 33);
	publish(f, true);
	update(client, true);
	assert_screen(f, client);
	assert_null(viewer_end_reason(client->viewer));

	request_all(client, true);
	show_frame(f, 204, 101);
	publish(f, true);
	assert_int_equal(get(client, &byte, 1), 0);
	assert_string_equal(viewer_end_reason(client->viewer), "cannot resize");
}

static void sizes_are_answered(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);

	ENCODINGS(client, ENCODING_RAW, ENCODING_EXTENDED_DESKTOP_SIZE);
	update(client, true); /* that it can be asked for is told once */
	assert_int_equal(client->sizes, 1);
	assert_int_equal(client->size_reason, REASON_SERVER);
	assert_int_equal(client->size_status, SIZE_DONE);
	request_all(client, true);
	assert_quiet(client);
	viewer_answer(client->viewer, SIZE_PROHIBITED);
	get_update(client);
	assert_int_equal(client->sizes, 1);
	assert_int_equal(client->size_reason, REASON_THIS_VIEWER);
	assert_int_equal(client->size_status, SIZE_PROHIBITED);
	assert_int_equal(client->width, 203);
	assert_int_equal(client->rects, 0);

	/* One answer each, in order, but not without end. */
	viewer_allow(client->viewer, false);
	for (int i = 0; i < 100; i++)
		viewer_answer(client->viewer, i ? SIZE_INVALID : SIZE_FORWARDED);
	viewer_allow(client->viewer, true);
	assert_in_range(drain(client), 2, 32);
	assert_int_equal(client->size_status, SIZE_INVALID);
}

/* Whose wish it was is told with the size. */
static void sizes_have_reasons(void **state)
{
	static const enum size_reason reasons[] = {
		REASON_THIS_VIEWER, REASON_OTHER_VIEWER, REASON_SERVER};
	struct fixture *f = *state;
	struct client *client = watching(f);

	ENCODINGS(client, ENCODING_RAW, ENCODING_EXTENDED_DESKTOP_SIZE, ENCODING_DESKTOP_SIZE);
	update(client, true);
	for (uint32_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		request_all(client, true);
		show_frame(f, 100 + i, 100);
		viewer_resized(client->viewer, reasons[i]);
		paint_all(f, i);
		publish(f, true);
		get_update(client);
		assert_int_equal(client->sizes, 1);
		assert_int_equal(client->encoding, ENCODING_EXTENDED_DESKTOP_SIZE);
		assert_int_equal(client->size_reason, reasons[i]);
		assert_int_equal(client->size_status, SIZE_DONE);
		assert_int_equal(client->width, 100 + i);
		request_all(client, false);
		drain(client);
		assert_screen(f, client);
	}
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

static void only_when_allowed(void **state)
{
	struct fixture *f = *state;
	struct client *client = &f->client;
	uint32_t generation;

	client_open(f, client, 240, false);
	request_all(client, false);
	assert_quiet(client);
	picture_want_write(f->picture);
	assert_true(picture_granted(f->picture, &generation)); /* nobody in the way */
	viewer_allow(client->viewer, true);
	assert_quiet(client); /* the broker writes */
	publish(f, false);
	get_update(client);
	assert_screen(f, client);

	viewer_allow(client->viewer, false);
	request_all(client, false);
	assert_quiet(client);
	viewer_allow(client->viewer, true);
	get_update(client);
}

/* A door that does not read: the grant comes when the viewer goes, and the viewer can be ended. */
static void stuck_write(void **state)
{
	struct fixture *f = *state;
	struct client *client = &f->client;
	uint32_t generation;
	uint16_t head;

	show_frame(f, 1920, 1080); /* 8 MiB go through no socket */
	publish(f, true);
	client_open(f, client, 240, false);
	viewer_allow(client->viewer, true);
	request_all(client, false);
	need(client, &head, sizeof(head)); /* it has begun */
	picture_want_write(f->picture);
	assert_false(picture_granted(f->picture, &generation));
	viewer_destroy(take_ptr(client->viewer));
	assert_true(picture_granted(f->picture, &generation));
}

static void ends(void **state)
{
	struct fixture *f = *state;
	struct client *client = watching(f);
	char byte;

	viewer_destroy(take_ptr(client->viewer));
	assert_int_equal(get(client, &byte, 1), 0);
	client_close(client);

	client = watching(f);
	assert_int_equal(shutdown(client->fd, SHUT_WR), 0);
	assert_int_equal(get(client, &byte, 1), 0);
	assert_null(viewer_end_reason(client->viewer));
	client_close(client);

	client = watching(f);
	client->fd = fd_close(client->fd);
	client_close(client);
}

static void no_frame(void **state)
{
	struct viewer_options options = {.frames_maximum = 60, .name = "x"};
	struct fixture *f = *state;
	struct picture *empty;
	struct viewer *viewer;
	int fd;

	assert_int_equal(picture_create(wake_main, f, &empty), 0);
	assert_int_equal(viewer_create(empty, &options, &viewer, &fd), -ENODATA);
	picture_destroy(empty);
}

static unsigned int open_fds(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < 4096; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void many_come_and_go(void **state)
{
	struct fixture *f = *state;
	unsigned int before = open_fds();

	for (int i = 0; i < 200; i++) {
		client_open(f, &f->client, 240, false);
		if (i % 2) {
			viewer_allow(f->client.viewer, true);
			request_all(&f->client, false);
		}
		client_close(&f->client);
	}
	assert_int_equal(open_fds(), before);
}

/* LibVNCServer's end must fit into an fd_set. */
static void no_low_number(void **state)
{
	struct viewer_options options = {.frames_maximum = 60, .name = "x"};
	struct fixture *f = *state;
	int fds[FD_SETSIZE], count = 0, fd;
	struct viewer *viewer;
	unsigned int before;
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = MIN(limit.rlim_max, (rlim_t)4096);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (count < FD_SETSIZE) {
		fd = dup(f->idle);
		if (fd < 0)
			break;
		fds[count++] = fd;
		if (fd >= FD_SETSIZE - 1)
			break;
	}
	before = open_fds();
	assert_int_equal(viewer_create(f->picture, &options, &viewer, &fd), -EMFILE);
	assert_int_equal(open_fds(), before);
	while (count)
		fd_close(fds[--count]);
	watching(f);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/* Ten updates a second: the last of three cannot start before 200 ms have gone. Only a lower bound. */
static void rate_is_capped(void **state)
{
	struct fixture *f = *state;
	struct client *client = &f->client;
	uint64_t begin;

	client_open(f, client, 10, false);
	begin = now_ms();
	viewer_allow(client->viewer, true);
	for (int i = 0; i < 3; i++)
		update(client, false);
	assert_true(now_ms() - begin >= 200);
}

/* The broker paints one colour after the other; no update may have two of them. */
static void never_torn(void **state)
{
	struct fixture *f = *state;
	struct client clients[3] = {0};
	size_t pixels = 203 * 101;

	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		client_open(f, &clients[i], 240, false);
		viewer_allow(clients[i].viewer, true);
	}
	for (uint32_t round = 0; round < 100; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
			request_all(&clients[i], false);
		want_write(f);
		paint_all(f, round);
		for (uint32_t y = 0; y < 101; y++)
			for (uint32_t x = 0; x < 203; x++)
				*pixel(f, x, y) = round;
		publish(f, true);
		for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
			get_update(&clients[i]);
			if (round < 2) /* the test pattern may still come */
				continue;
			for (size_t p = 1; p < pixels; p++)
				assert_int_equal(clients[i].screen[p], clients[i].screen[0]);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		client_close(&clients[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(picture_is_exact),
		TEST(only_damage_is_sent),
		TEST(damage_outside_the_request_waits),
		TEST(other_pixel_format),
		TEST(names_of_encodings),
		TEST(resize_by_desktop_size),
		TEST(resize_by_extended_size),
		TEST(cannot_resize),
		TEST(sizes_are_answered),
		TEST(sizes_have_reasons),
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
		TEST(only_when_allowed),
		TEST(stuck_write),
		TEST(ends),
		TEST(no_frame),
		TEST(many_come_and_go),
		TEST(no_low_number),
		TEST(rate_is_capped),
		TEST(never_torn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
