/* SPDX-License-Identifier: GPL-2.0-or-later */
/* picture_internal.h - for picture.c and reader.c only: what the one mutex guards. */
#pragma once

#include <pthread.h>
#include <sys/queue.h>

#include "base/limits.h"
#include "rfb/bitmaps.h"
#include "rfb/picture.h"
#include "rfb/serials.h"
#include "rfb/turns.h"

struct held {
	struct frame *frame;
	struct serials serials;
	unsigned int references;
	unsigned int readers; /* inside */
};

struct reader {
	/* Borrowed. Its mutex guards all that follows, to `noticed`; what its worker alone changes (`inside`, `copies`, and of `bitmaps` what it has
	 * taken) that worker reads without. */
	struct picture *picture;
	TAILQ_ENTRY(reader) entry;
	struct turn turn;
	struct bitmaps bitmaps;
	struct held *inside;
	bool copies; /* its viewer knows CopyRect */
	uint32_t behind;
	uint64_t noticed; /* the oldest change that it has not begun with; 0: none, or not known */
	uint64_t taken;	  /* the same of those that it has; the worker's alone */
};

struct picture {
	pthread_mutex_t mutex;
	void (*idle)(void *arg);
	void *arg;
	struct held *current;
	bool ready, wanted, writing;
	uint32_t audience; /* that looks, or did last */
	uint64_t noticed;  /* of the next publish */
	struct move moves[LIMIT_MOVES];
	size_t move_count; /* likewise */
	uint64_t serial;   /* of the last one with damage, over all frames */
	struct studio *studio;
	struct film *film;
	TAILQ_HEAD(, reader) readers;
	struct turns turns;
};

/* All under the mutex. May the broker be told to write? */
static inline bool picture_grantable(const struct picture *picture)
{
	return picture->current && picture->wanted && !picture->current->readers && !picture->turns.called;
}

/* May readers begin, as far as the broker goes? */
static inline bool picture_readable(const struct picture *picture)
{
	return picture->ready && !picture->wanted && !picture->writing;
}

void held_unref(struct held *held); /* takes NULL */
