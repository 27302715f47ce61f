/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The numbers are atomic only so that a broker that publishes while a reader is inside does no more than give it wrong ones. */
#include "rfb/serials.h"

#include <errno.h>

#include "base/mem.h"
#include "damage/tiles.h"

static void set(struct serials *serials, size_t row, size_t column, uint16_t number)
{
	atomic_store_explicit(
		&serials->blocks[row * serials->columns + column], number, memory_order_relaxed);
}

int serials_init(struct serials *serials, uint32_t width, uint32_t height, uint64_t serial)
{
	*serials = (struct serials){
		.columns = DIV_ROUND_UP(width, BLOCK_PIXELS),
		.rows = DIV_ROUND_UP(height, BLOCK_PIXELS),
		.base = serial,
	};
	serials->blocks = calloc(serials->columns * serials->rows, sizeof(*serials->blocks));
	if (!serials->blocks)
		return -ENOMEM;
	return 0;
}

void serials_finish(struct serials *serials)
{
	free(serials->blocks);
	*serials = (struct serials){0};
}

static void begin_anew(struct serials *serials, uint64_t serial)
{
	for (size_t row = 0; row < serials->rows; row++)
		for (size_t column = 0; column < serials->columns; column++)
			set(serials, row, column, 0);
	atomic_store_explicit(&serials->base, serial, memory_order_relaxed);
}

void serials_note(struct serials *serials, const uint64_t *bitmap, uint64_t serial)
{
	size_t stride = DIV_ROUND_UP(serials->columns, 64);
	uint64_t base = atomic_load_explicit(&serials->base, memory_order_relaxed);

	if (serial - base > UINT16_MAX) {
		begin_anew(serials, serial);
		return;
	}
	for (size_t row = 0; row < serials->rows; row++)
		for (size_t i = 0; i < stride; i++)
			for (uint64_t left = bitmap[row * stride + i]; left; left &= left - 1) {
				size_t column = i * 64 + __builtin_ctzll(left);

				if (column >= serials->columns)
					break;
				set(serials, row, column, serial - base);
			}
}

uint64_t serials_newest(const struct serials *serials, const struct rect *rect)
{
	size_t right = DIV_ROUND_UP(rect->x + rect->width, BLOCK_PIXELS);
	size_t bottom = DIV_ROUND_UP(rect->y + rect->height, BLOCK_PIXELS);
	uint16_t newest = 0, number;

	for (size_t row = rect->y / BLOCK_PIXELS; row < bottom; row++)
		for (size_t column = rect->x / BLOCK_PIXELS; column < right; column++) {
			number = atomic_load_explicit(
				&serials->blocks[row * serials->columns + column],
				memory_order_relaxed);
			newest = MAX(newest, number);
		}
	return atomic_load_explicit(&serials->base, memory_order_relaxed) + newest;
}
