/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stage.h - one display of a server: a scene is written to its memory, viewers say when their picture is the same. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "peers/scene.h"
#include "peers/viewer.h"

enum {
	NEARLY = 16 /* so few wrong pixels for so long (QUIET_MS) are wrong pixels, not a picture on its way */,
	QUIET_MS = 250,
};

struct samples {
	double *values;
	size_t count, room;
};

struct seat {
	struct stage *stage;
	struct viewer *viewer;
	pthread_t thread;
	bool checked;		/* others only read */
	uint64_t seen;		/* the last picture that was complete here */
	double update_ms;	/* when the last update had been decoded */
	uint64_t left;		/* pixels that differed then, at most NEARLY + 1 are counted */
	FILE *marks;		/* of the recording: how many bytes make which picture; not owned */
	int error;		/* why the thread has ended */
};

struct stage {
	struct scene *scene;
	uint8_t *map;	      /* where the server looks; rows of @stride bytes */
	size_t map_size, offset, stride;
	int flip;	      /* gets 8 bytes when a picture is complete, -1: nobody is told */
	pthread_rwlock_t lock; /* @map and @written */
	bool keeps;	      /* @before is kept */
	bool drawn;	      /* the next picture is, in @scene */
	atomic_bool uncounted; /* its pictures are not in stage_latency */
	uint32_t *before;     /* the picture before the last one, rows without gaps */
	uint64_t written;
	double written_ms;
	struct seat *seats;
	size_t seats_used;
};

/* Common to all stages of this process: samples below, and a signal whenever a seat's picture is complete. */
extern pthread_mutex_t stage_events;
extern struct samples stage_latency; /* ms, of pictures that came whole */

void samples_add(struct samples *samples, double value);

/* @path: a file with the server's pixels, @stride bytes a row, from @offset. @flip: as above. A copy of @scene is its own; the frame
 * where it is now is written to the file. */
int stage_open(
	const char *path, size_t offset, size_t stride, int flip, const struct scene *scene, struct stage **ret_stage);
/* As viewer_connect(); the first one can be recorded. The viewer's thread begins at once. */
int stage_seat(struct stage *stage, const char *address, const struct viewer_wish *wish, bool checked, uint32_t rate, FILE *record,
	FILE *marks);

/* Draws the next frame ahead of time, seen by nobody yet. */
void stage_draw(struct stage *stage);
/* Draws the next frame if it is not drawn, writes what is new of it, and tells who wants to be told. */
void stage_next(struct stage *stage);
/* Waits until all that are checked have the picture, or for @timeout_ms. Returns how many pixels are wrong in the worst of them: 0;
 * a few, where a server says for QUIET_MS that this is all; -1 where it is not there. */
int stage_wait(struct stage *stage, double timeout_ms);
bool stage_done(struct stage *stage);
/* Waits until all pictures are right, or no update has come for @quiet_ms: a lossy one may never be. */
void stage_rest(struct stage *stage, double quiet_ms);

/* Is the first seat's picture rather the one before than the last one, or part of both? A lossy one differs from either. Needs stage->keeps.
 * *ret_error: its mean square error, over all channels of all pixels. */
bool stage_late(struct stage *stage, double *ret_error);
uint64_t stage_bytes(const struct stage *stage);
void stage_close(struct stage *stage);
