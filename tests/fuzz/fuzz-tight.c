/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A picture of a guest's choice as Tight rectangles, within their bound, and back: what is not JPEG is exact.
 *
 * The input is width less one in 9 bits and height less one in 7, then a byte of the wish (bit 7 JPEG, bits 4 to 6 its quality and subsampling, bits 0 to 3
 * the level), then runs: a byte of how many pixels, less one, and a colour. Bit 7 of the first says that the colour has three bytes, else it
 * has one. The runs begin again until the picture is full.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rfb/mosaic.h"
#include "rfb/wire.h"
#include "tight-viewer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WIDTH = 512, HEIGHT = 128, HEAD = 3 };

static uint32_t pixels[HEIGHT * WIDTH], seen[HEIGHT * WIDTH], part[HEIGHT * WIDTH];
static struct tight_viewer viewer;
static struct tight *tight;

static void expect(bool truth)
{
	if (!truth)
		abort();
}

static void paint(const uint8_t *data, size_t size, size_t count)
{
	size_t at = 0, left = 0;
	uint32_t colour = 0;

	for (size_t i = 0; i < count; i++) {
		if (!left) {
			at = at + 4 <= size ? at : 0;
			left = 1 + (data[at] & 0x7f);
			colour = data[at] & 0x80
					 ? data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3]
					 : data[at + 1] * 0x01020304u;
			at += data[at] & 0x80 ? 4 : 2;
		}
		left--;
		pixels[i] = colour;
	}
}

static void receive(const uint8_t *bytes, size_t size, uint32_t rectangles, uint32_t width)
{
	const uint8_t *end = bytes + size;

	for (uint32_t i = 0; i < rectangles; i++) {
		uint32_t x = wire_u16(bytes), y = wire_u16(bytes + 2);
		uint32_t columns = wire_u16(bytes + 4), rows = wire_u16(bytes + 6);
		size_t used;

		bytes += 12;
		expect(x + columns <= width && bytes < end);
		expect(tight_viewer_decode(
			       &viewer, bytes, end - bytes, columns, rows, part, &used) >= 0);
		bytes += used;
		for (uint32_t j = 0; j < rows; j++)
			memcpy(seen + (y + j) * width + x, part + j * columns, 4 * columns);
	}
	expect(bytes == end);
}

static void check(const struct rect *rect, const struct tight_wish *wish)
{
	size_t bound = mosaic_bound(rect), size;
	uint8_t *bytes = malloc(bound);
	struct mosaic made;

	expect(bytes);
	size = mosaic_make(tight, pixels, rect->width, rect, wish, bytes, &made);
	expect(size <= bound && (wish->quality >= 0 || !made.lossy.width));
	memset(seen, 0xff, sizeof(seen));
	receive(bytes, size, made.rectangles, rect->width);
	for (uint32_t i = 0; i < rect->width * rect->height; i++) {
		uint32_t x = i % rect->width, y = i / rect->width;

		expect(seen[i] == (pixels[i] & 0xffffff) ||
			(x - made.lossy.x < made.lossy.width &&
				y - made.lossy.y < made.lossy.height && seen[i] <= 0xffffff));
	}
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tight_wish wish = {.quality = -1};
	struct rect rect = {0};

	if (size < HEAD + 4)
		return 0;
	if (!tight)
		expect(tight_create(&tight) == 0);
	rect.width = 1 + (data[0] | (data[1] & 1) << 8);
	rect.height = 1 + (data[1] >> 1);
	wish.compression = (data[2] & 15) % 10;
	if (data[2] & 0x80) {
		wish.quality = 1 + (data[2] >> 4 & 7) * 14;
		wish.subsampling = data[2] >> 4 & 3;
	}
	paint(data + HEAD, size - HEAD, rect.width * rect.height);
	check(&rect, &wish);
	return 0;
}
