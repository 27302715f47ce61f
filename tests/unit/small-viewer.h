/* SPDX-License-Identifier: GPL-2.0-or-later */
/* small-viewer.h - for cmocka tests of rfb/viewer.h: a broker's frame, the worker between, and a small viewer that keeps its screen from raw
 * rectangles.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "frame/frame.h"
#include "rfb/picture.h"
#include "rfb/viewer.h"

#define WAIT_MS	 20000 /* the bound of everything that must come */
#define QUIET_MS 150   /* how long nothing must come */

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
	/* fences that came before an update, and the last one of them */
	bool answers_fences;
	unsigned int fences;
	uint8_t fence[64];
	size_t fence_bytes;
};

struct fixture {
	struct frame *broker;
	struct picture *picture;
	int idle;
	uint32_t generation;
	uint32_t bytes_maximum; /* for clients that are opened */
	struct client client;
};

/* For cmocka: *state is a struct fixture with a published picture of 203x101. */
int viewing_begin(void **state);
int viewing_end(void **state);

/* ---- The broker ---- */

/* Not published yet. */
void show_frame(struct fixture *f, uint32_t width, uint32_t height);
/* From here until publish() the broker writes. */
void want_write(struct fixture *f);
void publish(struct fixture *f, bool damaged);
uint32_t *pixel(struct fixture *f, uint32_t x, uint32_t y);
/* One rectangle and its damage. */
void paint(
	struct fixture *f, uint32_t x, uint32_t y, uint32_t width, uint32_t height, uint32_t seed);
void paint_all(struct fixture *f, uint32_t seed);

/* ---- The viewer ---- */

void client_open(struct fixture *f, struct client *client, uint32_t frames, bool view_only);
void client_close(struct client *client);
/* Opened, and the first picture is there. */
struct client *watching(struct fixture *f);
/* Bytes; fewer than asked for: the worker has ended. */
size_t client_get(struct client *client, void *buffer, size_t bytes);
void client_need(struct client *client, void *buffer, size_t bytes);
void client_put(struct client *client, const void *message, size_t bytes);
/* As the door does it: extras do not go to the library. */
void client_encodings(struct client *client, const uint32_t *list, size_t count);
#define ENCODINGS(client, ...) \
	client_encodings(client, (const uint32_t[]){__VA_ARGS__}, \
		ARRAY_SIZE(((const uint32_t[]){__VA_ARGS__})))
void request(struct client *client, bool incremental, uint32_t x, uint32_t y, uint32_t width,
	uint32_t height);
void request_all(struct client *client, bool incremental);
/* Answers a fence of the worker's. */
void client_fence(struct client *client, const void *payload, size_t bytes);
/* The next update, and one that is asked for. */
void get_update(struct client *client);
void update(struct client *client, bool incremental);
/* Reads all that comes. Returns how often sizes were told. */
unsigned int drain(struct client *client);
void assert_quiet(struct client *client);
uint32_t seen(const struct client *client, uint32_t x, uint32_t y);
/* It has what the frame has. */
void assert_screen(struct fixture *f, const struct client *client);
