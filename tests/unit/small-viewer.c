/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "damage/tiles.h"
#include "rfb/encodings.h"
#include "small-viewer.h"

static void wake_main(void *arg)
{
	struct fixture *f = arg;

	eventfd_write(f->idle, 1);
}

void show_frame(struct fixture *f, uint32_t width, uint32_t height)
{
	frame_destroy(f->broker);
	assert_int_equal(frame_create(width, height, ++f->generation, &f->broker), 0);
	assert_int_equal(picture_frame(f->picture, fcntl(f->broker->fd, F_DUPFD_CLOEXEC, 3)), 0);
}

void want_write(struct fixture *f)
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

void publish(struct fixture *f, bool damaged)
{
	picture_published(f->picture, damaged, 0);
}

uint32_t *pixel(struct fixture *f, uint32_t x, uint32_t y)
{
	return frame_pixels(f->broker) + (size_t)y * f->broker->header.stride / 4 + x;
}

void paint(
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

void paint_all(struct fixture *f, uint32_t seed)
{
	paint(f, 0, 0, f->broker->header.width, f->broker->header.height, seed);
}

int viewing_begin(void **state)
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

void client_close(struct client *client)
{
	viewer_destroy(client->viewer);
	fd_close(client->fd);
	free(client->screen);
	memset(client, 0, sizeof(*client));
	client->fd = -EBADF;
}

int viewing_end(void **state)
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
size_t client_get(struct client *client, void *buffer, size_t bytes)
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

void client_need(struct client *client, void *buffer, size_t bytes)
{
	assert_int_equal(client_get(client, buffer, bytes), bytes);
}

static uint32_t need16(struct client *client)
{
	uint16_t value;

	client_need(client, &value, 2);
	return ntohs(value);
}

static uint32_t need32(struct client *client)
{
	uint32_t value;

	client_need(client, &value, 4);
	return ntohl(value);
}

void client_put(struct client *client, const void *message, size_t bytes)
{
	assert_int_equal(send(client->fd, message, bytes, MSG_NOSIGNAL), bytes);
}

void assert_quiet(struct client *client)
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

void client_open(struct fixture *f, struct client *client, uint32_t frames, bool view_only)
{
	struct viewer_options options = {
		.number = 5,
		.view_only = view_only,
		.frames_maximum = frames,
		.bytes_maximum = f->bytes_maximum,
		.name = "a guest",
	};
	uint8_t format[16];
	uint32_t width, height;

	assert_int_equal(viewer_create(f->picture, &options, &client->viewer, &client->fd), 0);
	width = need16(client);
	height = need16(client);
	client_need(client, format, sizeof(format));
	assert_memory_equal(format, "\x20\x18\x00\xff\x00\xff\x00\xff\x00\xff\x10\x08\x00", 13);
	assert_int_equal(need32(client), strlen(options.name));
	client_need(client, client->name, strlen(options.name));
	assert_string_equal(client->name, options.name);
	assert_string_equal(viewer_encoding(client->viewer), "");
	resize(client, width, height);
}

void client_encodings(struct client *client, const uint32_t *list, size_t count)
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
	client_put(client, head, 4);
	client_put(client, numbers, 4 * others);
	viewer_extras(client->viewer, extras);
}
void request(struct client *client, bool incremental, uint32_t x, uint32_t y, uint32_t width,
	uint32_t height)
{
	uint16_t message[5] = {
		htons(0x0300 | incremental), htons(x), htons(y), htons(width), htons(height)};

	client_put(client, message, sizeof(message));
}

void request_all(struct client *client, bool incremental)
{
	request(client, incremental, 0, 0, client->width, client->height);
}

static void get_raw(struct client *client, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	assert_true(x + width <= client->width && y + height <= client->height);
	for (uint32_t row = y; row < y + height; row++)
		client_need(client, client->screen + (size_t)row * client->width + x,
			(size_t)width * 4);
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
		client_need(client, client->shape, (size_t)width * height * 4);
	} else {
		client_need(client, colours, sizeof(colours));
		assert_memory_equal(colours, "\0\0\0\xff\xff\xff", 6);
		client_need(client, client->shape, row_bytes * height);
	}
	if (!client->alpha)
		client_need(client, client->mask, row_bytes * height);
}

static void get_size(struct client *client, uint32_t reason, uint32_t status, uint32_t width,
	uint32_t height, bool extended)
{
	uint8_t screens[20];

	if (extended)
		client_need(client, screens, sizeof(screens));
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

void client_fence(struct client *client, const void *payload, size_t bytes)
{
	uint8_t message[9 + 64] = {248, [8] = bytes};

	memcpy(message + 9, payload, bytes);
	client_put(client, message, 9 + bytes);
}

static void get_fence(struct client *client)
{
	uint8_t head[7], payload[64];

	client_need(client, head, sizeof(head));
	assert_true(head[6] <= sizeof(payload));
	client_need(client, payload, head[6]);
	client->fences++;
	memcpy(client->fence, payload, client->fence_bytes = head[6]);
	if (client->answers_fences)
		client_fence(client, payload, head[6]);
}

void get_update(struct client *client)
{
	uint32_t rects, type;

	client->rects = client->shapes = client->sizes = client->positions = 0;
	client->area = 0;
	while ((type = need16(client)) >> 8 == 248)
		get_fence(client);
	assert_int_equal(type >> 8, 0);
	rects = need16(client);
	while (rects--)
		get_rect(client);
}

void update(struct client *client, bool incremental)
{
	request_all(client, incremental);
	get_update(client);
}

unsigned int drain(struct client *client)
{
	struct pollfd polled = {.fd = client->fd, .events = POLLIN};
	unsigned int sizes = 0;

	while (poll(&polled, 1, QUIET_MS) == 1) {
		get_update(client);
		sizes += client->sizes;
	}
	return sizes;
}

uint32_t seen(const struct client *client, uint32_t x, uint32_t y)
{
	return client->screen[(size_t)y * client->width + x];
}

void assert_screen(struct fixture *f, const struct client *client)
{
	assert_int_equal(client->width, f->broker->header.width);
	assert_int_equal(client->height, f->broker->header.height);
	for (uint32_t y = 0; y < client->height; y++)
		assert_memory_equal(client->screen + (size_t)y * client->width, pixel(f, 0, y),
			(size_t)client->width * 4);
}

struct client *watching(struct fixture *f)
{
	struct client *client = &f->client;

	client_open(f, client, 240, false);
	viewer_allow(client->viewer, true);
	update(client, false);
	assert_screen(f, client);
	return client;
}
