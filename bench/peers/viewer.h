/* SPDX-License-Identifier: GPL-2.0-or-later */
/* viewer.h - a VNC client of the bench's own: Raw, CopyRect, Tight and, if asked for, H.264 decoded into XRGB8888, every byte counted. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
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
	uint64_t updates, rectangles, moves, pictures, shots; /* moves: CopyRect; pictures: JPEG; shots: H.264 */
	uint32_t rate;	      /* at most so many bytes a second are read, 0: any number */
	FILE *record;	      /* gets every byte that comes, NULL: none; not owned */

	uint8_t *input;
	size_t input_at, input_end;
	uint8_t *scratch; /* one rectangle's bytes, before and after inflating */
	size_t scratch_size;
	z_stream streams[4];
	void *jpeg, *film;
};

struct viewer_wish {
	int quality; /* of JPEG, 0 to 9; below 0: lossless */
	bool h264;   /* Open H.264, before all else; needs film_there() */
};

/* Connects to a Unix socket, shakes hands (RFB 3.8, no security) and asks for 32-bit pixels, Tight at level 2, CopyRect and Raw, and
 * what is wished for. @record: as above. Fails with -errno; -EPROTO: not understood. */
int viewer_connect(const char *path, const struct viewer_wish *wish, FILE *record, struct viewer **ret_viewer);
void viewer_destroy(struct viewer *viewer);

int viewer_request(struct viewer *viewer, int incremental);
/* A key goes down and up again. */
int viewer_type(struct viewer *viewer, uint32_t keysym);

/* Reads until one whole update has been decoded. The next one is asked for as soon as this one begins. */
int viewer_update(struct viewer *viewer);
