/* SPDX-License-Identifier: GPL-2.0-or-later */
/* worker.h - what a viewer's thread does: hears its viewer through LibVNCServer, waits until something is to be sent and may be, and sends it.
 *
 *	waiting for its viewer, a publish, the door or time --an update is due--> inside the picture (rfb/reader.h) --> waiting
 *
 * rfb/viewer.c makes and joins the thread, and owns the worker, with its reader and eventfd. The first part is the door's thread's too, at
 * any time; the rest is that of the thread alone while worker_run() runs.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "rfb/aside.h"
#include "rfb/ask.h"
#include "rfb/canvas.h"
#include "rfb/continuous.h"
#include "rfb/notices.h"
#include "rfb/outlet.h"
#include "rfb/tempo.h"

struct reader;

struct worker {
	uint32_t number;       /* the viewer's */
	struct reader *reader; /* borrowed, as `wake`: an eventfd, written to after whatever has changed here */
	int wake;
	_Atomic bool allowed;  /* it may start an update */
	_Atomic bool stopping; /* worker_run() is to return */
	_Atomic uint32_t frames_maximum, bytes_maximum; /* as in struct viewer_options */
	_Atomic(const char *) encoding;	  /* of the last update, static text; "" before the first */
	_Atomic(const char *) end_reason; /* static text; NULL: it did not end by itself */
	struct outlet outlet; /* put is NULL: there is none */
	struct ask ask;
	struct notices notices;

	struct canvas canvas;
	struct tempo tempo;
	uint64_t messages; /* of the door's */
	uint64_t held_ns;  /* an update is wanted and waits for the line since then; 0: none does */
	struct aside aside;
	struct continuous continuous;
};

/* @worker: zeroed. @name: borrowed. @outlet: copied; NULL: none. The reader, its eventfd, both maxima and a connected canvas are set
 * between this and worker_run(). -ENOMEM; worker_finish() is needed all the same. */
int worker_init(struct worker *worker, uint32_t number, const char *name, const struct outlet *outlet, bool view_only);
void worker_finish(struct worker *worker); /* worker_run() has returned, or was never called */
/* Until its viewer has gone, it must end (end_reason) or `stopping` is set. The client is gone then, and the reader does not wait. */
void worker_run(struct worker *worker);
