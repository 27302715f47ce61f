/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A dma-buf belongs to an id and lives in a cache (dmabuf.c). A region or a surface is one memory for ever, so its
 * mapping belongs to what is seen in it: one slot for each plane type, mapped anew whenever plane_same_buffer() says that
 * anything differs, and after capture_forget(), because a driver can free and make the memory behind a region while an old
 * mapping goes on showing what was there.
 *
 * A dma-buf that the CPU cannot map, or whose layout only a GPU knows, is copied by a program (import.c) to memory that it
 * can read; from there on the plane is a linear one. The program's hold on a dma-buf ends with the cache's.
 *
 * Order at the end: the program, mappings, dma-bufs, and then (source_destroy) the device fd; a dma-buf of mbochs that
 * outlives its device is a use after free in the kernel.
 */
#include "capture/capture.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <stdbool.h>

#include "base/mem.h"
#include "capture/convert.h"
#include "capture/dmabuf.h"
#include "capture/import.h"
#include "capture/mapping.h"
#include "plane/format.h"
#include "plane/tiling.h"

/* So often in a row may the driver refuse an id that it has just named. */
#define STALE_MAX 3

/* A region's or a surface's memory, as one plane sees it. */
struct window {
	struct plane plane;
	struct mapping mapping;
};

struct capture {
	struct source *source; /* borrowed */
	struct dmabuf_cache dmabufs;
	struct importer *importer; /* owned; NULL: dma-bufs are mapped or not read */
	struct mapping imported;   /* borrowed from it */
	struct window windows[2];  /* by enum plane_type */
	bool reading;
	struct dmabuf *synced; /* between its START and END */
	uint32_t stale_id;
	unsigned int stale_count;
	const char *reason;
};

int capture_create(struct source *source, struct capture **ret)
{
	struct capture *capture = new0(struct capture);

	if (!capture)
		return -ENOMEM;
	capture->source = source;
	capture->reason = "";
	dmabuf_cache_init(&capture->dmabufs, source);
	*ret = capture;
	return 0;
}

void capture_destroy(struct capture *capture)
{
	if (!capture)
		return;
	capture_end(capture);
	capture->dmabufs.closing = NULL;
	importer_destroy(capture->importer);
	capture_forget(capture);
	dmabuf_cache_finish(&capture->dmabufs);
	free(capture);
}

static void on_closing(void *arg, unsigned int index)
{
	importer_drop(arg, index);
}

void capture_set_importer(struct capture *capture, struct importer *importer)
{
	capture->importer = importer;
	capture->dmabufs.closing = on_closing;
	capture->dmabufs.closing_arg = importer;
}

void capture_forget(struct capture *capture)
{
	for (size_t i = 0; i < ARRAY_SIZE(capture->windows); i++)
		mapping_close(&capture->windows[i].mapping);
	dmabuf_cache_forget(&capture->dmabufs);
}

const char *capture_reason(const struct capture *capture)
{
	return capture->reason;
}

unsigned int capture_buffers_open(const struct capture *capture)
{
	return dmabuf_cache_open(&capture->dmabufs);
}

/* -ESTALE means: query again now. mbochs names ids that it then never hands out (a picture that does not begin on a page), and
 * asking for ever would spin. */
static int stale_count(struct capture *capture, uint32_t id)
{
	if (capture->stale_id != id)
		capture->stale_count = 0;
	capture->stale_id = id;
	if (capture->stale_count < STALE_MAX)
		capture->stale_count++;
	return capture->stale_count < STALE_MAX ? -ESTALE : -ENODEV;
}

/* @linear becomes the plane that lies in the importer's memory. */
static int import_dmabuf(struct capture *capture, const struct plane *plane,
	const struct dmabuf *dmabuf, struct plane *linear, const struct mapping **ret)
{
	const struct format *format = format_find(plane->fourcc);
	uint32_t row = (uint32_t)format_row_bytes(format, plane->width);
	struct imported imported;
	int r;

	r = importer_copy(capture->importer, dmabuf_cache_index(&capture->dmabufs, dmabuf),
		dmabuf->fd, plane, row, &imported);
	if (r < 0) {
		capture->reason = importer_reason(capture->importer);
		return r;
	}
	*linear = *plane;
	linear->modifier = DRM_FORMAT_MOD_LINEAR;
	linear->stride = imported.stride;
	linear->offset = 0;
	capture->imported = (struct mapping){
		.pixels = imported.pixels,
		.readable = (uint64_t)imported.stride * (plane->height - 1) + row,
	};
	*ret = &capture->imported;
	return 0;
}

static int map_dmabuf(struct capture *capture, const struct plane *plane, struct dmabuf *dmabuf,
	const struct mapping **ret)
{
	int r;

	if (plane_needs_gpu(plane)) {
		capture->reason = "pixels are tiled or compressed in a way that only a GPU reads";
		return -ENODEV;
	}
	r = dmabuf_map(dmabuf, plane, &capture->reason);
	if (r < 0)
		return r;
	r = dmabuf_begin(dmabuf);
	if (r < 0 && r != -ENOTTY) {
		capture->reason = "the dma-buf is not ready to be read";
		return -EIO;
	}
	capture->synced = r < 0 ? NULL : dmabuf;
	*ret = &dmabuf->mapping;
	return 0;
}

static int open_dmabuf(struct capture *capture, const struct plane *plane, struct plane *linear,
	const struct mapping **ret)
{
	struct importer *importer = capture->importer;
	const char *absent;
	struct dmabuf *dmabuf;
	int r = dmabuf_cache_get(&capture->dmabufs, plane, &dmabuf, &capture->reason);

	if (r == -ESTALE)
		return stale_count(capture, plane->token);
	capture->stale_count = 0;
	if (r < 0)
		return r;
	if (importer && importer_is_first_choice(importer)) {
		r = import_dmabuf(capture, plane, dmabuf, linear, ret);
		if (r != -ENODEV)
			return r;
	}
	r = map_dmabuf(capture, plane, dmabuf, ret);
	if (r != -ENODEV || !importer)
		return r;
	absent = importer_absent(importer);
	if (!absent)
		return import_dmabuf(capture, plane, dmabuf, linear, ret);
	capture->reason = absent;
	return r;
}

static int open_window(
	struct capture *capture, const struct plane *plane, const struct mapping **ret)
{
	struct window *window = &capture->windows[plane->type];
	struct buffer buffer;
	int r;

	if (!window->mapping.base || !plane_same_buffer(&window->plane, plane)) {
		mapping_close(&window->mapping);
		r = capture->source->ops->buffer(capture->source, plane, &buffer, &capture->reason);
		if (r < 0)
			return r;
		r = mapping_open(&window->mapping, &buffer, plane->offset, plane_bytes(plane),
			&capture->reason);
		if (r < 0)
			return r;
		window->plane = *plane;
	}
	*ret = &window->mapping;
	return 0;
}

static uint32_t rows_readable(const struct plane *plane, const struct format *format,
	const struct tiling *tiling, uint64_t readable)
{
	uint64_t row = format_row_bytes(format, plane->width), rows;

	if (tiling) {
		/* A row of tiles that ends out of reach has something of each of its rows there. */
		rows = readable / plane->stride / tiling->height * tiling->height;
		return (uint32_t)MIN((uint64_t)plane->height, rows);
	}
	if (readable < row)
		return 0;
	return (uint32_t)MIN((uint64_t)plane->height, (readable - row) / plane->stride + 1);
}

int capture_begin(struct capture *capture, const struct plane *plane, struct view *ret)
{
	const struct format *format = format_find(plane->fourcc);
	const char *unsuitable = plane_unsuitable(plane);
	const struct tiling *tiling;
	const struct mapping *mapping;
	struct plane linear = *plane;
	uint32_t rows;
	int r;

	if (capture->reading)
		return -EBUSY;
	if (unsuitable || !format) {
		capture->reason = unsuitable;
		return -ENOTSUP;
	}
	r = plane->kind == PLANE_DMABUF ? open_dmabuf(capture, plane, &linear, &mapping)
					: open_window(capture, plane, &mapping);
	if (r == -ENODEV && plane_needs_gpu(plane))
		return -ENOTSUP; /* it is the layout that is in the way */
	if (r < 0)
		return r == -ERANGE ? -ENODEV : r == -EAGAIN ? -EIO : r;
	plane = &linear;
	capture->reading = true;
	tiling = tiling_find(plane->modifier, format->bytes);
	rows = rows_readable(plane, format, tiling, mapping->readable);
	if (!rows) {
		capture_end(capture);
		capture->reason = tiling ? "not one row of the plane's tiles can be mapped"
					 : "not one row of the plane can be mapped";
		return -ENODEV;
	}
	*ret = (struct view){
		.pixels = mapping->pixels,
		.width = plane->width,
		.height = plane->height,
		.stride = plane->stride,
		.rows_readable = rows,
		.bytes = format->bytes,
		.unit = format->unit,
		.convert = convert_find(plane->fourcc),
		.tiling = tiling,
		.slow = mapping->slow,
	};
	return 0;
}

void capture_end(struct capture *capture)
{
	/* An END that fails leaves nothing to be undone: the pixels have been read. */
	if (capture->synced)
		dmabuf_end(capture->synced);
	capture->synced = NULL;
	capture->reading = false;
}
