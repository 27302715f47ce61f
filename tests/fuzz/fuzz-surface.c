/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The surface source and the capture behind it: the input is the head of a memfd. What follows the first header, if anything, is
 * written over it between the query and the mapping, as a producer may do at any time. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "capture/capture.h"
#include "capture/detile.h"
#include "damage/tiles.h"
#include "plane/format.h"
#include "plane/source.h"
#include "vfio-displayd/surface.h"

#define MEMFD_BYTES 200000u /* ends inside a page */
#define HEAD_BYTES  sizeof(struct vfio_displayd_surface)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A byte of the memfd behind its header. */
static uint8_t pattern(uint64_t offset)
{
	return (uint8_t)((offset * 0x9e3779b97f4a7c15ull) >> 56);
}

static int memfd(void)
{
	static int fd = -1;
	uint8_t *bytes;

	if (fd >= 0)
		return fd;
	fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	bytes = malloc(MEMFD_BYTES);
	if (fd < 0 || !bytes)
		abort();
	for (uint64_t i = 0; i < MEMFD_BYTES; i++)
		bytes[i] = pattern(i);
	if (pwrite(fd, bytes, MEMFD_BYTES, 0) != MEMFD_BYTES ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		abort();
	free(bytes);
	return fd;
}

static void write_head(const uint8_t *data, size_t size)
{
	uint8_t head[HEAD_BYTES] = {0};

	if (size)
		memcpy(head, data, MIN(size, HEAD_BYTES));
	if (pwrite(memfd(), head, sizeof(head), 0) != (ssize_t)sizeof(head))
		abort();
}

struct reading {
	const struct view *view;
	const struct plane *plane;
	uint32_t *picture, *frame;
	size_t frame_stride;
	struct tiles *tiles;
};

static uint64_t byte_at(const struct view *view, uint32_t x, uint32_t y)
{
	return view->tiling ? tiling_offset(view->tiling, view->stride, x, y)
			    : (uint64_t)y * view->stride + x;
}

/* Every row must be the memfd's bytes at the place that the plane names. */
static int read_rows(void *arg)
{
	const struct reading *reading = arg;
	const struct view *view = reading->view;
	uint32_t last = (uint32_t)view_row_bytes(view, view->width) - 1;

	for (uint32_t y = 0; y < view->rows_readable; y++) {
		uint64_t begin = byte_at(view, 0, y), end = byte_at(view, last, y);

		if (view->pixels[begin] != pattern(reading->plane->offset + begin) ||
			view->pixels[end] != pattern(reading->plane->offset + end))
			abort();
	}
	detile_picture(view, reading->picture, (size_t)view->width * 4);
	for (size_t i = 0; i < (size_t)view->width * view->rows_readable; i++)
		if (reading->picture[i] >> 24)
			abort();
	return 0;
}

static bool always(void *arg)
{
	return true;
}

static int look_at_tiles(void *arg)
{
	struct reading *reading = arg;

	return tiles_look(
		reading->tiles, reading->view, reading->frame, reading->frame_stride, always, NULL);
}

/* What the frame shows is the picture, and another look finds nothing. */
static void read_tiles(struct reading *reading)
{
	const struct view *view = reading->view;

	reading->frame_stride = ALIGN_UP((size_t)view->width * 4, 64u);
	reading->frame = aligned_alloc(64, reading->frame_stride * view->height);
	if (!reading->frame || tiles_create(view->width, view->height, &reading->tiles) < 0)
		abort();
	if (capture_guard(look_at_tiles, reading) <= 0 ||
		capture_guard(look_at_tiles, reading) != 0)
		abort();
	for (uint32_t y = 0; y < view->height; y++)
		if (memcmp((uint8_t *)reading->frame + y * reading->frame_stride,
			    reading->picture + (size_t)y * view->width, (size_t)view->width * 4))
			abort();
	tiles_destroy(reading->tiles);
	free(reading->frame);
}

static void look(struct source *source, struct capture *capture, enum plane_type type,
	const uint8_t *next, size_t next_size)
{
	struct plane plane;
	struct view view;
	struct reading reading = {.view = &view, .plane = &plane};
	char name[16], modifier[64];

	if (source->ops->query(source, type, &plane) < 0 || !plane_is_on(&plane))
		return;
	format_name(plane.fourcc, name);
	modifier_name(plane.modifier, modifier);
	if (next_size)
		write_head(next, next_size);
	if (capture_begin(capture, &plane, &view) < 0) {
		if (!capture_reason(capture)[0])
			abort();
		return;
	}
	if (plane_unsuitable(&plane) || view.rows_readable != plane.height ||
		plane.offset + plane_bytes(&plane) > MEMFD_BYTES)
		abort();
	reading.picture = malloc((size_t)view.width * view.height * 4);
	if (!reading.picture || capture_guard(read_rows, &reading) != 0)
		abort();
	read_tiles(&reading);
	free(reading.picture);
	capture_end(capture);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t next_size = size > HEAD_BYTES ? size - HEAD_BYTES : 0;
	const uint8_t *next = data + (size - next_size);
	struct source *source;
	struct capture *capture;
	const char *reason = NULL;

	write_head(data, size);
	if (source_surface_create(dup(memfd()), &source) < 0)
		abort();
	if (source->ops->probe(source, &reason) < 0 && !reason)
		abort();
	if (capture_create(source, &capture) < 0)
		abort();
	for (unsigned int i = 0; i < 2; i++) {
		look(source, capture, PLANE_PRIMARY, next, next_size);
		look(source, capture, PLANE_CURSOR, next, next_size);
	}
	capture_destroy(capture);
	source_destroy(source);
	return 0;
}
