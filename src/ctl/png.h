/* SPDX-License-Identifier: GPL-2.0-or-later */
/* png.h - writes a picture as a PNG, 8 bits each of red, green and blue. */
#pragma once

#include <stdint.h>

/* Fills @row (width * 4 bytes: B, G, R, X) with row @y. 0 or -errno. */
typedef int (*png_row_fn)(void *arg, uint32_t y, uint8_t *row);

/* Writes to @fd, which stays the caller's. -ENOMEM; -errno of write() (-ENOSPC: the disk is full) or of @rows. */
int png_save(int fd, uint32_t width, uint32_t height, png_row_fn rows, void *arg);
