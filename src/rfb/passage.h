/* SPDX-License-Identifier: GPL-2.0-or-later */
/* passage.h - a gate's viewer on its way to its display: the bytes of both, in both directions, in a fixed amount of memory.
 *
 * The display's program meets a viewer that was attached: RFB 3.8, security None, ClientInit with the viewer's shared flag, all of it
 * said here; the viewer has had its own handshake with the gate. From ServerInit on the bytes pass as they are. Never blocks, no events.
 *
 * Functions return 0, or -errno with `reason` set; -EPIPE: the display's program has closed its end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PASSAGE_BYTES (32u << 10) /* on their way to the viewer */

struct passage {
	int place;	    /* owned: the viewer's end of the display's socket pair */
	bool shared;
	unsigned int step;  /* of the inner handshake; see passage.c */
	const char *reason; /* static text */
	size_t at, size;    /* what waits in `bytes` */
	uint8_t bytes[PASSAGE_BYTES];
};

/* @place, a connected stream socket, is consumed in every case. -ENOMEM. */
int passage_create(int place, bool shared, struct passage **ret);
/* Closes it. Takes NULL. */
void passage_destroy(struct passage *passage);

/* Is the display's program past the handshake? */
bool passage_open(const struct passage *passage);
/* Takes what the display's program says, as much as there is room for. */
int passage_collect(struct passage *passage);
bool passage_has_room(const struct passage *passage);
/* What is for the viewer. */
const uint8_t *passage_bytes(const struct passage *passage, size_t *ret_size);
void passage_use(struct passage *passage, size_t size);
/* What the viewer says. *ret_taken: how much of it has gone; 0: not now. */
int passage_forward(struct passage *passage, const uint8_t *from, size_t size, size_t *ret_taken);
