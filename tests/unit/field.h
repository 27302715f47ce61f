/* SPDX-License-Identifier: GPL-2.0-or-later */
/* field.h - a source, tiles and a frame for tests, held against a model.
 *
 * The model is a copy of the source as it was at the last look. After each look the frame must be the converted source, the
 * bitmap must name the blocks that differ from the copy and no other, and the byte behind the last readable one is a page that
 * cannot be touched. What is found with one kernel must be found by none of the others again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/view.h"
#include "damage/tiles.h"

struct format {
	const char *name;
	uint8_t bytes;
	convert_fn convert;
	uint64_t modifier; /* 0: rows one after the other */
	uint8_t bits;	   /* of a pixel, from the lowest on, that can be seen */
};

enum { FORMATS = 12, LINEAR_FORMATS = 5 };
extern const struct format formats[FORMATS]; /* the first is XRGB8888 */

struct field {
	const struct format *format;
	struct view view;
	uint8_t *pixels, *map;
	size_t bytes, map_bytes;
	uint8_t *then; /* the source at the last look */
	uint32_t *frame;
	size_t frame_stride;
	struct tiles *tiles;
	size_t columns, rows, words, stride_words;
	uint64_t *bitmap;
	unsigned int gates;
};

void field_init(struct field *f, uint32_t width, uint32_t height, uint32_t rows_readable,
	const struct format *format);
void field_finish(struct field *f);
uint8_t *field_at(struct field *f, uint32_t x, uint32_t y);
void field_fill(
	struct field *f, uint32_t x, uint32_t y, uint32_t width, uint32_t height, uint32_t colour);
void field_noise(struct field *f);

/* Counts in gates, which each look sets to 0. */
bool gate_open(void *arg);
int field_look(struct field *f, tiles_gate_fn gate);
/* A look with the kernel of choice, checked, then one with each of the others. @all: the hashes were unknown before. Returns
 * the blocks found. */
int field_check(struct field *f, bool all);
/* The frame is the source. */
void frame_check(const struct field *f);
/* Where a pixel is in the source, and in @then. */
size_t field_offset(const struct field *f, uint32_t x, uint32_t y);
/* A source pixel as it belongs into the frame. */
uint32_t pixel_of(const struct field *f, const uint8_t *src);
/* Runs @fn with each kernel that this machine has. */
void each_kernel(void (*fn)(void));
