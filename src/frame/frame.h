/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame.h - the picture that viewers see: one memfd, written by the broker, only read by the RFB program.
 *
 * Layout: header page | damage bitmap | bitmap of what moves leave | cursor image | rows of XRGB8888 (X = 0), each row 64-byte aligned. Sealed with
 * SHRINK, GROW and FUTURE_WRITE once the broker has mapped it: nobody else can get a writable shared mapping. A resize is a
 * new frame with the next generation.
 *
 * Everything in it, header fields included, changes only while the broker may write (frame/link.h), so a reader that
 * holds the grant back sees it at rest. The reader may map it MAP_PRIVATE and draw a cursor into its own copy-on-write
 * pages; madvise(MADV_DONTNEED) gives the shared picture back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAGIC	  0x46524d31u
#define FRAME_CURSOR_SIDE 256 /* LIMIT_CURSOR */

enum frame_placard {
	FRAME_PICTURE,	     /* the guest's */
	FRAME_WORDS,	     /* about why there is none */
	FRAME_PASSING_WORDS, /* and it is likely that there will be one soon: LIMIT_PASSING_WORDS_MS */
};

struct frame_cursor {
	uint32_t serial;	/* of the image; changes with it */
	uint32_t visible;	/* 0 or 1 */
	uint32_t width, height; /* pixels of the image, rows follow each other without padding */
	int32_t x, y;		/* top left corner of the image on the frame; may be outside */
	uint32_t hot_x, hot_y;	/* inside the image */
};

struct frame_header {
	uint32_t magic;
	uint32_t generation;
	uint32_t width, height;	 /* pixels */
	uint32_t stride;	 /* bytes, multiple of 64 */
	uint32_t placard;	 /* enum frame_placard; the same for the frame's whole life */
	uint64_t damage_offset;	 /* bitmap of 16x16 blocks changed by the last publish (layout: damage/tiles.h) */
	uint64_t left_offset;	 /* the same: of these, what is still to be sent once the publish's moves are made; without moves it means nothing */
	uint64_t cursor_offset;	 /* FRAME_CURSOR_SIDE^2 pixels ARGB8888, premultiplied */
	uint64_t pixels_offset;
	uint64_t size;		 /* of the memfd */
	struct frame_cursor cursor;
	uint32_t news[4];	 /* of the last publish: x, y, width, height of what is new, to the pixel; width 0: no more is known than by damage */
};

struct frame {
	int fd;		     /* owned */
	uint8_t *map;	     /* owned; size bytes */
	struct frame_header header; /* a checked copy: geometry and offsets; the live cursor is frame_live(f)->cursor */
};

static inline struct frame_header *frame_live(const struct frame *frame)
{
	return (struct frame_header *)frame->map;
}
static inline uint32_t *frame_pixels(const struct frame *frame)
{
	return (uint32_t *)(frame->map + frame->header.pixels_offset);
}
static inline uint64_t *frame_damage(const struct frame *frame)
{
	return (uint64_t *)(frame->map + frame->header.damage_offset);
}
static inline uint64_t *frame_left(const struct frame *frame)
{
	return (uint64_t *)(frame->map + frame->header.left_offset);
}
static inline uint32_t *frame_cursor_pixels(const struct frame *frame)
{
	return (uint32_t *)(frame->map + frame->header.cursor_offset);
}

/* Broker. Black, sealed. -EINVAL: geometry; -ENOMEM, -EMFILE. */
int frame_create(uint32_t width, uint32_t height, uint32_t generation, struct frame **ret);
/* RFB program: maps what came over the wall, after checking seals, size and every offset. @fd is consumed on success only.
 * @writable_private: MAP_PRIVATE, PROT_WRITE too. -EINVAL: it lies. */
int frame_open(int fd, bool writable_private, struct frame **ret);
/* RFB program: one more mapping, private and writable, of what @shared maps. No descriptor is kept. -EMFILE, -EINVAL. */
int frame_map_privately(const struct frame *shared, struct frame **ret);
/* Unmaps, closes. Takes NULL. */
void frame_destroy(struct frame *frame);
