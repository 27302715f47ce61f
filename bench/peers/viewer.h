/* SPDX-License-Identifier: GPL-2.0-or-later */
/* viewer.h - a VNC client of the bench's own: Raw, CopyRect and Tight decoded into XRGB8888, every byte counted. */
#pragma once

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <zlib.h>

struct viewer {
	int fd;
	uint32_t width, height;
	uint32_t *pixels;     /* the upper byte of each is 0 */
	pthread_mutex_t lock; /* held while an update is decoded into @pixels */
	uint64_t bytes;	      /* that came, handshake included */
	uint64_t updates, rectangles, moves, pictures; /* moves: CopyRect; pictures: JPEG */
	uint32_t rate;	      /* at most so many bytes a second are read, 0: any number */
	FILE *record;	      /* gets every byte that comes, NULL: none; not owned */

	uint8_t *input;
	size_t input_at, input_end;
	uint8_t *scratch; /* one rectangle's bytes, before and after inflating */
	size_t scratch_size;
	z_stream streams[4];
	void *jpeg;
};

/* Connects to a Unix socket, shakes hands (RFB 3.8, no security) and asks for 32-bit pixels, Tight at level 2, CopyRect and Raw, with
 * JPEG of @quality 0 to 9, or lossless where that is below 0. @record: as above. Fails with -errno; -EPROTO: not understood. */
int viewer_connect(const char *path, int quality, FILE *record, struct viewer **ret_viewer);
void viewer_destroy(struct viewer *viewer);

int viewer_request(struct viewer *viewer, int incremental);
/* A key goes down and up again. */
int viewer_type(struct viewer *viewer, uint32_t keysym);

/* Reads until one whole update has been decoded. The next one is asked for as soon as this one begins. */
int viewer_update(struct viewer *viewer);
