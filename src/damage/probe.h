/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe.h - whether a source still is what the frame shows, by one row of eight, or of 32. Private to src/damage/.
 *
 * Rows begin at another one each time, so eight probes in a row have read all. Whatever is eight rows high is found by the first one. Of
 * sparse ones, by one row of 32, four in a row have read what one other reads: 56 rows are found by the first, 24 by the second, 16 by
 * the third and eight by the fourth at the latest; less only by luck, or by other probes. A row is remembered as hashes of its pieces, up to 1024 pixels each, so that a still picture costs no second read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/view.h"
#include "damage/hash.h"

struct moves;
struct span_key;

#define PROBE_STEP   8u /* rows */
#define PROBE_SPARSE 4u /* times that */
#define PROBE_DOUBT  16u /* rows */
/* What a probe works in: a piece of a row as it was read, and as it belongs into the frame. */
#define PROBE_BOUNCE (2 * HASH_LINES * HASH_BYTES)

struct probe {
	uint32_t width, height; /* pixels */
	uint32_t phase;		/* the first row of the next probe, of PROBE_STEP */
	uint32_t turn;		/* of a sparse one: which of the PROBE_SPARSE that begin there */
	uint32_t ahead;		/* bytes, from the row that is read to the next one */
	uint32_t differ;	/* rows that the last one found to differ */
	uint32_t piece;		/* pixels of each piece of a row but the last */
	size_t pieces_room;	/* for each row */
	struct hash *hashes;	/* of each row's pieces; both 0 in its first: unknown */
	struct hash_lines *lines;
};

/* What does not change with the row. */
struct probe_how {
	const struct hash_kernel *kernel;
	uint64_t mask; /* as in a strip */
	const struct view *view;
	const uint8_t *frame; /* rows of XRGB8888 */
	size_t frame_stride;  /* bytes */
	uint8_t *bounce;      /* PROBE_BOUNCE bytes, 64-byte aligned */
	/* What is known of the frame's rows, where a pixel comes into it as it is but for the mask; NULL: nothing, they are read. */
	const struct moves *moves;
	const struct span_key *span_key;
	bool sparse;
	uint32_t most; /* rows: once more than so many differ, the rest is left */
	bool *doubts;  /* of each PROBE_DOUBT rows; set where what differs may be */
};

/* -ENOMEM. Finish it in every case. */
int probe_init(struct probe *probe, uint32_t width, uint32_t height);
void probe_finish(struct probe *probe);
/* Before the first probe, and when the view has pixels of another size or meaning than before: @bytes each. */
void probe_learn(struct probe *probe, const struct hash_key *key, unsigned int bytes);
/* These rows of the frame are about to be others. */
void probe_forget(struct probe *probe, uint32_t y, uint32_t rows);
/* Whether the rows of such a plane can be read for themselves. */
bool probe_pays(const struct view *view);
/* Reads every eighth row, or 32nd. True: some differ from the frame's. What differs and is high enough to be found is within the rows that
 * were not read, up to the next ones that do not differ: all these are in doubt. May be left by siglongjmp at any read of the view. */
bool probe_differs(struct probe *probe, const struct probe_how *how);
