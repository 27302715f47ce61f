/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h264.h - one part of the picture as a film: H.264, constrained baseline, each picture as soon as it is there (ITU-T H.264, Annex B). libx264's place;
 * a build without it makes none.
 *
 * No I/O, no threads, no allocation by us after h264_create().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define H264_STEPS 4 /* of quality, downward; the lowest has about a third of the bytes */

struct h264;

/* Can this build? */
bool h264_there(void);
/* @width, @height: even, at least 16. -ENOTSUP: not built in; -ENOMEM: or the encoder refuses. */
int h264_create(uint32_t width, uint32_t height, struct h264 **ret);
void h264_destroy(struct h264 *h264); /* takes NULL */
/* The next picture. @pixels: XRGB8888 of its first pixel, @stride: pixels. @key: one that stands alone, with all that a decoder needs to begin.
 * @step: quality below the best, 0 to H264_STEPS.
 * *ret_bytes: valid until the next call, whole NAL units with their start codes. -EIO: the encoder failed, no more comes. */
int h264_encode(struct h264 *h264, const uint32_t *pixels, size_t stride, bool key,
	unsigned int step, const uint8_t **ret_bytes, size_t *ret_size);
