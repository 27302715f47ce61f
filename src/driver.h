/* SPDX-License-Identifier: GPL-2.0-or-later */
/* driver.h - a display's questions to its driver, each of which may take for ever.
 *
 * One real driver holds a query for 25 s, and probing, mapping, unmapping and closing go through the same locks. So each call is made by
 * the display's capture thread, which has the turn at all other times: in a call it has let go of it, and somebody else may take
 * the turn, for a moment and without waiting (driver_stand_in), and do what the capture thread cannot do now.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "capture/view.h"
#include "plane/plane.h"

struct capture;
struct source;

struct driver {
	struct source *source;	 /* owned, as is the next */
	struct capture *capture; /* NULL: not yet, or released */
	pthread_mutex_t turn;
	const char *_Atomic call;      /* what the driver has not answered, static text: "a query" */
	_Atomic uint64_t called_at;    /* 0: no call is out */
	_Atomic unsigned int calls;    /* made so far; wraps */
	_Atomic bool unheeded;	       /* nobody looks whether one is out: the next one says so */
	void (*called)(void *arg);     /* by the capture thread; it must only wake another one. NULL: nobody wants to know */
	void *arg;
};

void driver_init(struct driver *driver);
void driver_finish(struct driver *driver);

/* The capture thread: begins with the turn and gives it back at its end. */
void driver_take_turn(struct driver *driver);
void driver_leave_turn(struct driver *driver);
/* Around every call into the source. @what: static text, see above. */
void driver_call_begin(struct driver *driver, const char *what);
void driver_call_end(struct driver *driver);

/* As source->ops->query(). */
int driver_query(struct driver *driver, enum plane_type type, struct plane *ret);
/* As capture_begin(); but a buffer that the driver has replaced between QUERY and GET is asked for once more, now: @plane is what it says
 * then. Pair with driver_unmap(). */
int driver_map(struct driver *driver, struct plane *plane, struct view *ret);
void driver_unmap(struct driver *driver);
/* As capture_forget(). */
void driver_forget(struct driver *driver);
/* Mappings and dma-bufs, then the device: a dma-buf that outlives its device touches freed memory in one driver. */
void driver_release(struct driver *driver);

/* Any thread. Milliseconds since a call has been out, with its text; 0: none is. */
uint64_t driver_busy(struct driver *driver, const char **ret_call);
/* Another thread. True: no call is out, none was since *calls was that many, and called() comes with the next one. */
bool driver_rests(struct driver *driver, unsigned int *calls);
/* Another thread. True: a call is out and will not end before driver_step_back(), which follows at once. */
bool driver_stand_in(struct driver *driver);
void driver_step_back(struct driver *driver);
