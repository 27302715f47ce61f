/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * The area is taken in columns, each from the top. What tight_encode_rows() takes is one rectangle. When it takes none, as many rows as a
 * square has are looked at in squares, and neighbouring squares with many colours are a run. Runs wait: one that is as wide as a run of the
 * next band grows, for a JPEG has 400 bytes of tables, and any rectangle a head. They are written when the next band has no such run.
 *
 * Squares with few colours are never written with loss, but several of them together may have many. So what is left at the right and at the
 * bottom, and is no half square, belongs to the square beside it: alone it has few colours in a photo, too, and had half of a video's bytes.
 */
#include "rfb/mosaic.h"

#include <stdbool.h>

#include "base/mem.h"
#include "rfb/wire.h"

#define HEAD	    12 /* bytes: x, y, width, height, encoding */
#define TIGHT	    7
#define SIDE	    64		/* pixels of a square, where some may be JPEG */
#define SIDE_EXACT  128		/* where none is */
#define COLUMN_MIN  256		/* pixels: narrower ones have more bytes, wider ones more colours */
#define COLUMN_FULL (64u << 10) /* pixels: a column of few rows may be wider */
#define ROWS_MIN    16		/* that tight_encode_rows() takes, but for the last ones */
#define RECT_MORE   40		/* bytes that a rectangle may have beside three for each pixel */
#define RUNS_MAX    (TIGHT_WIDTH_MAX / SIDE / 2 + 1)

_Static_assert(COLUMN_FULL / 4 * 5 <= TIGHT_PIXELS_MAX, "a column can be one rectangle");

struct setter {
	struct tight *tight;
	const uint32_t *pixels;
	size_t stride;
	const struct tight_wish *wish;
	uint8_t *at;
	struct mosaic made;
	uint32_t side;		    /* of a square */
	struct rect runs[RUNS_MAX]; /* of many colours, side by side, not yet written */
	size_t runs_used;
};

/* The width of the next column. A narrow one that would be left is taken with it. */
static uint32_t column_of(uint32_t width, uint32_t height)
{
	uint32_t column = MAX((uint32_t)COLUMN_MIN, COLUMN_FULL / height);

	column = MIN(column, (uint32_t)TIGHT_WIDTH_MAX / 5 * 4);
	return width <= column / 4 * 5 ? width : column;
}

size_t mosaic_bound(const struct rect *rect)
{
	size_t pixels = (size_t)rect->width * rect->height;
	size_t columns = DIV_ROUND_UP(rect->width, column_of(UINT32_MAX, rect->height));
	size_t squares = rect->width / SIDE + columns;
	/* Rows as they go; in each band each square, and as many times rows where squares go together. */
	size_t rects = columns * (rect->height / ROWS_MIN + 2) +
		       DIV_ROUND_UP(rect->height, SIDE) * squares * (SIDE / ROWS_MIN + 2);

	return 3 * pixels + 3 * pixels / 65535 * 5 + rects * RECT_MORE;
}

static const uint32_t *place(const struct setter *setter, const struct rect *rect)
{
	return setter->pixels + rect->y * setter->stride + rect->x;
}

/* After @size bytes were put where the head leaves room for them. */
static void finish(struct setter *setter, const struct rect *rect, size_t size)
{
	wire_put_u16(setter->at, rect->x);
	wire_put_u16(setter->at + 2, rect->y);
	wire_put_u16(setter->at + 4, rect->width);
	wire_put_u16(setter->at + 6, rect->height);
	wire_put_u32(setter->at + 8, TIGHT);
	setter->at += HEAD + size;
	setter->made.rectangles++;
}

static void add_lossy(struct rect *lossy, const struct rect *rect)
{
	uint32_t right = MAX(lossy->x + lossy->width, rect->x + rect->width);
	uint32_t bottom = MAX(lossy->y + lossy->height, rect->y + rect->height);

	if (!lossy->width) {
		*lossy = *rect;
		return;
	}
	lossy->x = MIN(lossy->x, rect->x);
	lossy->y = MIN(lossy->y, rect->y);
	lossy->width = right - lossy->x;
	lossy->height = bottom - lossy->y;
}

static void set_many(struct setter *setter, const struct rect *rect)
{
	enum tight_kind kind;
	size_t size = tight_encode_many(setter->tight, place(setter, rect), setter->stride,
		rect->width, rect->height, setter->wish, setter->at + HEAD, &kind);

	finish(setter, rect, size);
	if (kind == TIGHT_JPEG)
		add_lossy(&setter->made.lossy, rect);
}

static void set_square(struct setter *setter, const struct rect *rect)
{
	enum tight_kind kind;
	size_t size = tight_encode(setter->tight, place(setter, rect), setter->stride, rect->width,
		rect->height, setter->wish, setter->at + HEAD, &kind);

	finish(setter, rect, size);
}

/* Rows from the top of *rest, which is what remains. False: those that are next have many colours. */
static bool set_rows(struct setter *setter, struct rect *rest)
{
	enum tight_kind kind;
	struct rect part;
	uint32_t rows;
	size_t size;

	while (rest->height) {
		size = tight_encode_rows(setter->tight, place(setter, rest), setter->stride,
			rest->width, rest->height, setter->wish, setter->at + HEAD, &kind, &rows);
		if (!size)
			return false;
		part = (struct rect){rest->x, rest->y, rest->width, rows};
		finish(setter, &part, size);
		rest->y += rows;
		rest->height -= rows;
	}
	return true;
}

/* So much of @left is taken at once: a side, or all where less than half of one would be left. */
static uint32_t side_of(const struct setter *setter, uint32_t left)
{
	return left < setter->side / 2 * 3 ? left : setter->side;
}

static struct rect square_of(const struct setter *setter, const struct rect *band, uint32_t x)
{
	return (struct rect){x, band->y, side_of(setter, band->x + band->width - x), band->height};
}

/* Squares side by side that have few colours each. */
static void set_few(struct setter *setter, const struct rect *squares)
{
	struct rect rest = *squares;

	if (set_rows(setter, &rest))
		return;
	for (uint32_t x = rest.x; x < rest.x + rest.width;) {
		struct rect square = square_of(setter, &rest, x);

		set_square(setter, &square);
		x += square.width;
	}
}

/* ---- runs ---- */

static void set_runs(struct setter *setter)
{
	for (size_t i = 0; i < setter->runs_used; i++)
		set_many(setter, &setter->runs[i]);
	setter->runs_used = 0;
}

/* @runs take the place of those that wait, and go on with those that are as wide. */
static void follow_runs(struct setter *setter, struct rect *runs, size_t used)
{
	for (size_t i = 0; i < setter->runs_used; i++) {
		const struct rect *old = &setter->runs[i];
		size_t j = 0;

		while (j < used && (runs[j].x != old->x || runs[j].width != old->width))
			j++;
		if (j == used) {
			set_many(setter, old);
			continue;
		}
		runs[j].y = old->y;
		runs[j].height += old->height;
	}
	memcpy(setter->runs, runs, used * sizeof(*runs));
	setter->runs_used = used;
}

static bool has_many(struct setter *setter, const struct rect *square)
{
	return tight_has_many(setter->tight, place(setter, square), setter->stride, square->width,
		square->height);
}

static void set_band(struct setter *setter, const struct rect *band)
{
	struct rect runs[RUNS_MAX], few = {0}, square;
	uint32_t end = band->x + band->width;
	size_t used = 0;
	bool many_before = false;

	for (uint32_t x = band->x; x < end; x = square.x + square.width) {
		square = square_of(setter, band, x);
		if (!has_many(setter, &square)) {
			if (!few.width)
				few = square;
			few.width = x + square.width - few.x;
			many_before = false;
			continue;
		}
		if (few.width)
			set_few(setter, &few);
		few.width = 0;
		if (!many_before)
			runs[used++] = (struct rect){x, band->y, 0, band->height};
		runs[used - 1].width += square.width;
		many_before = true;
	}
	if (few.width)
		set_few(setter, &few);
	follow_runs(setter, runs, used);
}

static void set_column(struct setter *setter, const struct rect *column)
{
	struct rect rest = *column;
	uint32_t bands_end = rest.y;

	while (!set_rows(setter, &rest)) {
		struct rect band = {rest.x, rest.y, rest.width, side_of(setter, rest.height)};

		if (rest.y != bands_end)
			set_runs(setter);
		set_band(setter, &band);
		bands_end = band.y + band.height;
		rest.height -= band.height;
		rest.y = bands_end;
	}
	set_runs(setter);
}

size_t mosaic_make(struct tight *tight, const uint32_t *pixels, size_t stride,
	const struct rect *rect, const struct tight_wish *wish, uint8_t *ret,
	struct mosaic *ret_mosaic)
{
	struct setter setter = {.tight = tight,
		.pixels = pixels,
		.stride = stride,
		.wish = wish,
		.at = ret,
		.side = wish->quality < 0 ? SIDE_EXACT : SIDE};
	struct rect column = *rect;
	uint32_t left = rect->width;

	while (left) {
		column.width = column_of(left, rect->height);
		set_column(&setter, &column);
		column.x += column.width;
		left -= column.width;
	}
	*ret_mosaic = setter.made;
	return setter.at - ret;
}
