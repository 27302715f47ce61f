/* SPDX-License-Identifier: GPL-2.0-or-later */
/* display_internal.h - what the two halves of a display share: duty.c, display.c, scan.c, peek.c, cursor.c and monitor.c, its capture thread, and custody.c,
 * report.c, audience.c, typing.c, ghost.c and amend.c, its main thread's half.
 *
 * Nobody else includes it. Which thread a field belongs to is said with it.
 */
#pragma once

#include <pthread.h>
#include <sys/queue.h>

#include "change.h"
#include "damage/pace.h"
#include "damage/purse.h"
#include "display.h"
#include "driver.h"
#include "frame/link.h"
#include "frame/roster.h"
#include "inbox.h"
#include "input/hands.h"
#include "input/inputs.h"
#include "input/layouts.h"
#include "input/typist.h"
#include "power.h"
#include "resize.h"

/* What the capture thread found. */
struct status {
	bool probed;
	bool live;
	bool interrupt; /* changes are told by the display interrupt */
	char reason[sizeof(((struct display_runtime *)0)->reason)];
	struct plane planes[2];
	unsigned int planes_used;
	uint32_t width_maximum, height_maximum; /* 0: viewers may not ask for a size */
	uint64_t captured, published;
	uint64_t patched; /* looks at all pixels around what one at few rows found, or where little had changed lately: some were new there */
	uint64_t sampled; /* looks at one row of eight, or fewer */
	uint64_t sampled_since; /* of them after the last look at all pixels, or around what one found */
	uint64_t changes[DISPLAY_CHANGE_IDLE]; /* looks that found something new, by what said when to look */
	uint64_t damaged; /* blocks of the picture that were new */
};

/* The last event about its state (bulletin.h). */
struct told {
	enum display_state state;
	bool slow; /* the driver does not answer */
	char reason[sizeof(((struct display_runtime *)0)->reason)];
	uint32_t width, height; /* of the last picture; 0: none yet */
};

struct display {
	/* Main thread. */
	struct loop *loop;
	const struct config *config;
	struct handover handover; /* descriptors are gone from it, but for none */
	struct lease *lease;	  /* NULL: the connection is the lease, or while ending */
	bool lease_is_descriptor;
	struct wall *wall;
	struct loop_source *ready_timer, *snapshot_timer, *stuck_timer, *linger_timer;
	display_ready_fn ready; /* NULL once called */
	display_done_fn gone;
	void *arg;
	const struct display_keeper *keeper; /* NULL: nobody keeps it */
	void *keeper_arg;
	bool ending;
	bool left;		/* while ending: the next daemon goes on with it */
	enum display_state why; /* while ending */
	bool haunts;		/* it is a ghost: there is no capture thread any more */
	uint64_t lingers_until;
	TAILQ_HEAD(, waiter) waiters;
	struct power power;
	struct inputs inputs;
	struct typists *typists; /* NULL as hands */
	struct layouts *layouts; /* borrowed; NULL: none yet */
	struct layout_wish *layout_wish;
	int layout_error; /* 0: it is in use; -EAGAIN: it has not come yet */
	struct hands *hands; /* NULL: a ghost's, or while ending */
	display_check_fn check; /* NULL: nobody answers */
	void *check_arg;
	display_snapshot_fn snapshot;
	void *snapshot_arg;
	bool snapshot_late; /* answered, the thread still works on it */
	uint64_t audience_came; /* wall_audience() */
	bool ordered; /* something that the capture thread may not have done yet */
	unsigned int calls_seen; /* driver_rests() */
	struct told told;
	uint64_t slow_told; /* when a call without an answer was last logged; 0: never */
	uint64_t since;	    /* ms: when it was registered */
	uint64_t returns_until; /* ms: its guest has just returned; 0: it is another */
	int device;	    /* the source's fd, for comparison only; -EBADF while ending */
	pthread_t thread;

	/* Shared. */
	struct inbox inbox;
	pthread_mutex_t lock;
	struct status status; /* under lock */
	bool news_posted;     /* under lock: report_news() is on its way */
	struct driver driver;
	_Atomic unsigned int watchers;
	_Atomic(const char *) doing; /* the capture thread, in words; static text */
	_Atomic bool lingers; /* while ending: the stage is not the capture thread's to destroy */

	/* Capture thread; the main thread makes them before it runs and destroys what is left after it. */
	struct change change;
	struct pace pace;
	struct budget_member purse;
	bool paid_for; /* the next look need not wait for its turn any more */
	struct resize resize;
	struct status found;
	struct plane scanned; /* what the frame shows; drawn 0: not known */
	struct retry cursor_retry;
	bool probed, arm_tried;
	bool hot; /* the next look is likely to find something: ask for the grant before it */
	bool settled; /* the frame shows all that the last look at all pixels read: a probe may say that this is still so */
	bool guesses; /* the next change is likely to be where the last ones were, and no more: scan.c */
	bool near; /* a probe has said that it does not, and that it is enough to look near what it found */
	uint64_t last_glance, last_probe, complained_at;
	uint32_t probe_rest_ms; /* after last_probe; 0: never probed */

	/* Whose turn it is (driver.h). */
	struct stage *stage;
	uint64_t audience;	   /* inbox.h */
	uint64_t audience_scanned; /* the last one for which the picture was brought up to date */
	_Atomic uint64_t audience_served; /* the last one that has been shown something */
};

/* duty.c: all that the capture thread does, from probe to release; then it posts custody_released(). @arg: the display. */
void *display_capture_thread(void *arg);
/* The main thread, between driver_stand_in() and driver_step_back(): does with the stage what cannot wait for the driver's answer. */
void display_stand_in(struct display *display);
/* What was ordered about the frame alone; whoever has the stage. */
void display_obey_frame(struct display *display);

/* display.c, on the capture thread. */
void display_look(struct display *display);
/* 0: @ret is on and can be shown. Else no picture, and found.reason says why: -ENODATA: off; -ENOTSUP: cannot be shown, ever, like this;
 * others: the driver has failed. */
int display_ask(struct display *display, struct plane *ret);
/* 0: mapped until driver_unmap(). As above; -ENODEV: this buffer cannot be read. */
int display_map(struct display *display, struct plane *plane, struct view *ret);
/* What stands where a picture should be, after such an @error, in words for viewers and for List. Never over a picture that may be back at once. */
void display_no_picture(struct display *display, int error, uint64_t now);
/* Looked in vain. Off and unfit are answers, anything else is a driver that fails. */
void display_missed(struct display *display, int error, uint64_t now);
void display_reason(struct display *display, const char *format, ...) __attribute__((format(printf, 2, 3)));
void display_set_live(struct display *display, bool live);
/* What was found is the status. */
void display_report(struct display *display);
/* Whoever has the stage: what is in the frame to those who look, as far as it may be seen. */
void display_publish(struct display *display);

/* scan.c, on the capture thread. */
struct scan {
	uint64_t now, began; /* ms; measure_now() */
	bool all;   /* all pixels were looked at */
	bool early; /* some were new that have been published already */
};
/* Brings the frame up to date with what @plane shows. Number of blocks that are still to be published; -EAGAIN: wait for the grant; else as display_map(). */
int scan_picture(struct display *display, struct plane *plane, struct scan *scan);

/* peek.c, on the capture thread: for List; for Capture. */
void peek_glance(struct display *display);
void peek_snap(struct display *display);

/* cursor.c, on the capture thread, where the frame has the picture: brings the cursor up to date. One that cannot be shown is hidden, and
 * never takes the picture with it. 1: changed; 0: the same; -EAGAIN: wait for the grant. */
int cursor_look(struct display *display, uint64_t now);

/* monitor.c, on the capture thread: after the probe; whenever it is awake (milliseconds until it is to be called again, -1: never); at
 * the end. */
void monitor_begin(struct display *display);
int monitor_step(struct display *display);
void monitor_end(struct display *display);

/* amend.c: what viewers are told of the context. */
struct link_policy amend_policy(const struct display *display);
const char *amend_name(const struct display *display);
void amend_tell(struct display *display);
/* Its sinks, as they were handed over. -ENOMEM, -EINVAL. */
int amend_inputs_begin(struct display *display);
void amend_inputs_end(struct display *display);

/* audience.c: the wall, the @ghost's or (NULL) a new one; and what came with it, once the display can be told. */
int audience_begin(struct display *display, struct display *ghost);
void audience_inherited(struct display *display);
void audience_watch(void *arg, unsigned int watchers); /* @arg: the display */
void audience_look_after(void *arg);		       /* stuck_timer's */
void audience_called(void *arg);		       /* driver.called, on the capture thread */
/* For the wall's events; @arg: the display. */
void audience_news(void *arg, enum roster_news news, const struct wall_viewer *viewer, const char *reason);
void audience_complain(struct display *display);       /* logs a call that has no answer, once */

/* typing.c: for the wall's events; @arg: the display. */
void typing_input(void *arg, const struct wall_viewer *viewer, const struct link_message *message);
void typing_leaves(void *arg, const struct wall_viewer *viewer);
/* It is gone. */
void typing_left(struct display *display, const struct wall_viewer *viewer);
/* The guest's LEDs are others; its sinks are. */
void typing_leds(struct display *display);
void typing_pointer(struct display *display);

/* ghost.c, in the order of a ghost's life. @display begins to be released: true, its wall is kept. */
bool ghost_prepare(struct display *display);
/* The words that viewers of a lost display read; whoever has the stage. */
void ghost_words(struct display *display);
/* It has never been more: until then, 0: linger_seconds. */
void ghost_raise(struct display *display, uint64_t until);
/* It is released. False: nothing is left of it. */
bool ghost_begin(struct display *display);
/* It is not to come back: soon, custody_ghost_ended(). */
void ghost_dismiss(struct display *display);
void ghost_on_timer(void *arg); /* linger_timer's */
/* @heir could not begin with what it took. */
void ghost_again(struct display *ghost, struct display *heir);
void ghost_describe(const struct display *display, struct display_runtime *ret);

/* custody.c: messages of the capture thread, for loop_post(). The message is freed by its receiver. */
struct probed {
	struct display *display;
	int error;
	char reason[160];
};
void custody_probed(void *arg);

struct snapped {
	struct display *display;
	struct snapshot snapshot;
	int error;
};
void custody_snapped(void *arg);

void custody_released(void *arg); /* @arg: the display */
/* Its wall is closed. The display is gone afterwards. */
void custody_ghost_ended(struct display *display);

/* report.c. For loop_post(), when its status is another; @arg: the display. */
void report_news(void *arg);
/* The main thread: says in the bulletin what is new about its state, if anything is. */
void report_tell(struct display *display);
/* What says when to look, while somebody watches. Any thread. */
enum display_change report_change(const struct display *display, const struct status *status);
