/* SPDX-License-Identifier: GPL-2.0-or-later */
/* studio.h - parts of one picture as Tight rectangles (rfb/mosaic.h), each made once for all viewers that want the same: same area, same
 * pixels, same wish. Any thread.
 *
 * Whoever wants a part that is not there makes it itself, and others that want the same find it in the making and go on with
 * another one meanwhile: viewers that are in step share the work as they share what comes of it. No more are made at the same time than there are
 * processors. Prints, finished parts, are kept in a bounded number of sheets, the oldest of which make room.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "damage/rects.h"
#include "rfb/mosaic.h"

#define STUDIO_SHEET (512u << 10) /* bytes; no print needs more than one */

struct studio;

/* Whole rectangles, with their heads. */
struct print {
	struct rect rect;
	uint64_t serial;
	struct tight_wish wish;
	uint32_t rectangles;
	struct rect lossy; /* around all that is not exact; width 0: nothing is */
	uint32_t size;
	struct sheet *sheet; /* where it is */
	struct print *next;  /* with the same hash */
	uint8_t bytes[];
};

struct print_want {
	struct rect rect; /* at most STUDIO_PIXELS */
	uint64_t serial;  /* reader_serial(); 0: like no other, for this viewer alone */
	struct tight_wish wish;
	const uint32_t *pixels; /* of the whole frame, at rest */
	size_t stride;		/* pixels */
	bool must; /* over the bound if there is no other way: the caller holds no other print */
};

/* Pixels of one print: any of them fits into a sheet. */
#define STUDIO_PIXELS TIGHT_PIXELS_MAX

struct studio_options {
	unsigned int makers; /* prints in the making at the same time, at least 1 */
	size_t maximum;	     /* bytes of all sheets, at least one */
	/* There is something to be tidied now, when there was nothing: from any thread, which may hold a frame at rest. NULL: nobody tidies. */
	void (*filled)(void *arg);
	void *arg;
};

/* -ENOMEM. */
int studio_create(const struct studio_options *options, struct studio **ret);
void studio_destroy(struct studio *studio); /* no print is held; takes NULL */

/* The print, held until studio_drop(). -EAGAIN: somebody makes it, or all makers are busy; -ENOSPC: all that there is room for is held
 * by others and the caller; -ENOMEM. */
int studio_take(struct studio *studio, const struct print_want *want, const struct print **ret);
void studio_drop(struct studio *studio, const struct print *const *prints, size_t count);
/* To wait after -EAGAIN: the turn as it was before studio_take(). Returns when another print is finished. */
uint64_t studio_turn(struct studio *studio);
void studio_wait(struct studio *studio, uint64_t turn);

/* Gives back what nobody has wanted for two looks in a row, for somebody who looks now and then. False: nothing is left. */
bool studio_tidy(struct studio *studio);

struct studio_counts {
	uint64_t made, shared; /* prints: encoded; taken once more */
	size_t bytes;	       /* of sheets */
};
struct studio_counts studio_counts(struct studio *studio);
