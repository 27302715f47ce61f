/* SPDX-License-Identifier: GPL-2.0-or-later */
/* picture.h - the frame on this side of the wall, shared by the main thread (the link) and the viewers' workers.
 *
 * Readers and the one writer (the broker): picture_begin() holds the picture at rest until picture_end(); when the broker wants to write,
 * no new reader starts and the last one out fires `idle`. Workers sleep on their own eventfd, which picture_published() signals.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "frame/frame.h"

struct picture;

struct picture_reader {
	int wake;	      /* eventfd of the worker, borrowed */
	uint64_t *damage;     /* owned by the picture: blocks changed since this reader's last picture_begin(), OR-ed */
	uint32_t generation;  /* of that bitmap */
	uint32_t behind;      /* publishes since then */
};

/* @idle is called from a reader's or the main thread when the broker may write. It must only wake the main thread. */
int picture_create(void (*idle)(void *arg), void *arg, struct picture **ret);
void picture_destroy(struct picture *picture); /* no reader left */

/* Main thread. @fd: a frame's memfd, consumed in every case. -EINVAL: it lies. */
int picture_frame(struct picture *picture, int fd);
void picture_want_write(struct picture *picture);
/* True once after want_write, when no reader is inside: answer MAY_WRITE now. */
bool picture_granted(struct picture *picture, uint32_t *ret_generation);
void picture_published(struct picture *picture);
bool picture_ready(const struct picture *picture); /* a first publish has come */

int picture_join(struct picture *picture, int wake, struct picture_reader **ret);
void picture_leave(struct picture *picture, struct picture_reader *reader);
/* Worker. Waits while the broker writes (bounded by it). *ret_fd: the current frame's memfd, borrowed until picture_end(); the damage of
 * @reader is handed over into @damage (at least tiles_bitmap_words() of that frame; cleared in the reader). */
const struct frame *picture_begin(struct picture *picture, struct picture_reader *reader);
void picture_end(struct picture *picture);
