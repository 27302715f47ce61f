/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: memory is header page | primary plane | the cursor's images, each at its own place.
 *
 * Nobody locks pixels, so a reader may look at any moment. A moving part is therefore drawn in private memory and copied
 * over whole: a pixel goes from its old value to its new one and never shows the ground in between. A cursor's image never
 * changes at all; another shape is another start. Only planes[] needs the sequence counter.
 */
#include "testcard/producer.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "testcard/card.h"
#include "testcard/pointer.h"
#include "vfio-displayd/surface.h"

#define PRODUCER_PAGE 4096u

struct producer {
	struct card card;
	struct canvas shown;   /* in the surface */
	struct canvas drawing; /* pixels owned */
	bool cursor;
	uint64_t cursor_offset; /* bytes to the first image */
	uint64_t size;		/* of the memfd */
	uint8_t *map;		/* owned */
	int surface, change;	/* owned */
};

static struct vfio_displayd_surface *header(const struct producer *producer)
{
	return (struct vfio_displayd_surface *)producer->map;
}

/* The sequence is odd between these two. */
static void begin_change(struct producer *producer)
{
	uint32_t *sequence = &header(producer)->sequence;

	__atomic_store_n(sequence, *sequence + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void end_change(struct producer *producer)
{
	uint32_t *sequence = &header(producer)->sequence;

	__atomic_store_n(sequence, *sequence + 1, __ATOMIC_RELEASE);
}

static void place_cursor(struct producer *producer, uint64_t frame)
{
	const struct card *card = &producer->card;
	struct vfio_displayd_surface_plane *plane =
		&header(producer)->planes[VFIO_DISPLAYD_SURFACE_CURSOR];
	struct pointer pointer;
	uint64_t bytes;

	pointer_at(card->width, card->height, frame * 1000 / card->rate, &pointer);
	bytes = (uint64_t)pointer.side * pointer.side * 4;
	begin_change(producer);
	*plane = (struct vfio_displayd_surface_plane){
		.start = producer->cursor_offset + pointer.shape * bytes,
		.format = DRM_FORMAT_ARGB8888,
		.width = pointer.side,
		.height = pointer.side,
		.stride = pointer.side * 4,
		.size = bytes,
		.x = pointer.x,
		.y = pointer.y,
		.hot_x = pointer.hot_x,
		.hot_y = pointer.hot_y,
		.serial = pointer.serial,
	};
	end_change(producer);
}

static void fill_in(struct producer *producer)
{
	const struct canvas *shown = &producer->shown;
	uint32_t side = pointer_side(shown->width, shown->height);
	uint32_t *image = (uint32_t *)(producer->map + producer->cursor_offset);

	header(producer)->magic = VFIO_DISPLAYD_SURFACE_MAGIC;
	header(producer)->version = VFIO_DISPLAYD_SURFACE_VERSION;
	header(producer)->planes[VFIO_DISPLAYD_SURFACE_PRIMARY] =
		(struct vfio_displayd_surface_plane){
			.start = PRODUCER_PAGE,
			.format = DRM_FORMAT_XRGB8888,
			.width = shown->width,
			.height = shown->height,
			.stride = shown->stride,
			.size = (uint64_t)shown->stride * shown->height,
		};
	for (uint32_t shape = 0; shape < POINTER_SHAPES; shape++, image += (size_t)side * side)
		pointer_draw(shape, side, image);
	card_draw(&producer->card, shown);
}

static int make_memory(struct producer *producer)
{
	struct canvas *shown = &producer->shown;
	uint64_t side = pointer_side(shown->width, shown->height);

	producer->cursor_offset =
		ALIGN_UP(PRODUCER_PAGE + (uint64_t)shown->stride * shown->height, PRODUCER_PAGE);
	producer->size = ALIGN_UP(producer->cursor_offset + POINTER_SHAPES * side * side * 4,
		(uint64_t)PRODUCER_PAGE);
	producer->drawing = *shown;
	producer->drawing.pixels = malloc((size_t)shown->stride * shown->height);
	if (!producer->drawing.pixels)
		return -ENOMEM;
	producer->change = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	producer->surface = memfd_create("vfio-displayd-testcard", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (producer->change < 0 || producer->surface < 0)
		return -errno;
	if (ftruncate(producer->surface, producer->size) < 0 ||
		fcntl(producer->surface, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) <
			0)
		return -errno;
	producer->map = mmap(
		NULL, producer->size, PROT_READ | PROT_WRITE, MAP_SHARED, producer->surface, 0);
	if (producer->map == MAP_FAILED)
		return -errno;
	shown->pixels = (uint32_t *)(producer->map + PRODUCER_PAGE);
	return 0;
}

int producer_create(
	uint32_t width, uint32_t height, uint32_t rate, bool cursor, struct producer **ret)
{
	struct producer *producer = new0(struct producer);
	int r;

	if (!producer)
		return -ENOMEM;
	producer->surface = producer->change = -EBADF;
	producer->map = MAP_FAILED;
	producer->cursor = cursor;
	r = card_init(&producer->card, width, height, rate);
	if (r == 0) {
		producer->shown = (struct canvas){
			.width = width, .height = height, .stride = ALIGN_UP(width * 4, 64)};
		r = make_memory(producer);
	}
	if (r < 0) {
		producer_destroy(producer);
		return r;
	}
	fill_in(producer);
	producer_paint(producer, 0);
	*ret = producer;
	return 0;
}

void producer_destroy(struct producer *producer)
{
	if (!producer)
		return;
	if (producer->map != MAP_FAILED)
		munmap(producer->map, producer->size);
	fd_close(producer->surface);
	fd_close(producer->change);
	free(producer->drawing.pixels);
	card_finish(&producer->card);
	free(producer);
}

int producer_surface(const struct producer *producer)
{
	return producer->surface;
}

int producer_change(const struct producer *producer)
{
	return producer->change;
}

static void show(struct producer *producer, const struct area *area)
{
	size_t stride = producer->shown.stride;
	size_t at = (size_t)area->y * stride + (size_t)area->x * 4;

	for (uint32_t y = 0; y < area->height; y++, at += stride)
		memcpy((uint8_t *)producer->shown.pixels + at,
			(const uint8_t *)producer->drawing.pixels + at, (size_t)area->width * 4);
}

void producer_paint(struct producer *producer, uint64_t frame)
{
	static const uint64_t one = 1;

	card_move(&producer->card, &producer->drawing, frame);
	for (size_t i = 0; i < CARD_MOVING; i++)
		show(producer, &producer->card.moving[i]);
	if (producer->cursor)
		place_cursor(producer, frame);
	/* Full means that it is signalled already. */
	if (write(producer->change, &one, sizeof(one)) < 0)
		return;
}
