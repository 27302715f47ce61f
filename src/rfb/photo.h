/* SPDX-License-Identifier: GPL-2.0-or-later */
/* photo.h - pixels to JPEG, by libjpeg-turbo. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct photo;

/* Is libjpeg-turbo built in? Without it there is one kind of photo, that no picture fits in. */
bool photo_there(void);
/* -ENOMEM. */
int photo_create(struct photo **ret);
void photo_destroy(struct photo *photo);
/* @pixels: XRGB8888, @stride: pixels. @quality: 1 to 100. @subsampling: 0 none, 1 4:2:0, 2 4:2:2, 3 grey. @small: a tenth
 * fewer bytes in twice the time. The same bytes for the same pixels, whatever came before. Returns bytes; 0: it is not done, mostly since @room is not enough. */
size_t photo_bytes(struct photo *photo, const uint32_t *pixels, size_t stride, uint32_t width,
	uint32_t height, int quality, int subsampling, bool small, uint8_t *ret, size_t room);
