/* SPDX-License-Identifier: GPL-2.0-or-later */
/* display.h - one display: the straight line from a hand-over to a frame, where all rooms are joined.
 *
 * A display has two sides. The main thread owns it (custody.c): lease, RFB program, viewers, what List says. Its capture thread
 * (duty.c) owns the source, the mappings and the frame's content, sleeps while nobody watches, and closes what it holds as its last
 * act. All functions here belong to the main thread and none blocks.
 *
 * States: OFFERED  accepted; the device is being probed, is not bound to an iommufd yet, or its driver failed when asked: asked again
 *	   LIVE	    the last query found a primary plane that can be shown
 *	   BLANK    the plane is off, cannot be shown (the reason says why), or nobody has looked yet
 *	   LOST	    the lease ended; being released, or released and a ghost: viewers wait for the guest (ghost.c)
 *	   DRAINING unregistered; being released
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handover/context.h"
#include "input/layouts.h"
#include "plane/plane.h"
#include "snapshot.h"

struct config;
struct display;
struct hands;
struct inputs;
struct link_message;
struct loop;
struct typists;
struct wall;

enum display_state { DISPLAY_OFFERED, DISPLAY_LIVE, DISPLAY_BLANK, DISPLAY_LOST, DISPLAY_DRAINING };
#define DISPLAY_STATES (DISPLAY_DRAINING + 1)
static inline const char *display_state_word(enum display_state state)
{
	static const char *const words[DISPLAY_STATES] = {"offered", "live", "blank", "lost", "draining"};

	return words[state];
}
/* It is being released, or is a ghost. */
static inline bool display_state_ends(enum display_state state)
{
	return state == DISPLAY_LOST || state == DISPLAY_DRAINING;
}
enum display_change { DISPLAY_CHANGE_EVENTFD, DISPLAY_CHANGE_INTERRUPT, DISPLAY_CHANGE_TIMER, DISPLAY_CHANGE_IDLE };

struct display_runtime {
	enum display_state state;
	char reason[160]; /* empty: none */
	struct plane planes[2];
	unsigned int planes_used;
	unsigned int viewers;
	enum display_change change;
	uint32_t width_maximum, height_maximum; /* of sizes that viewers may ask the guest for; 0: none */
	bool lease_is_descriptor;
	uint64_t frames_captured; /* looks at the picture's pixels that found one: at all, or */
	uint64_t frames_patched;  /* at those around what a look at some rows had found, or where little had changed lately */
	uint64_t frames_probed;	  /* looks at one row of eight of it, or fewer */
	uint64_t probed_since;	  /* of them after the last that frames_captured counts */
	uint64_t frames_published;
	uint64_t changes_found[DISPLAY_CHANGE_IDLE]; /* looks that found something new, by what says when to look */
	uint64_t blocks_damaged; /* of 16x16 pixels, that were new */
};

/* What is of interest to people only. */
struct display_doings {
	const char *thread;	   /* what its capture thread does; static text */
	const char *call;	   /* the driver's call that is out; NULL: none */
	uint64_t call_ms;	   /* since when */
	uint64_t registered_ms;	   /* ago */
	unsigned int watchers;	   /* who want pictures */
};

/* error 0: registered. Else -errno and a reason: -ENOTTY the device is not fit (DeviceUnsuitable). Called once. */
typedef void (*display_ready_fn)(void *arg, struct display *display, int error, const char *reason);
/* error: 0; -ENODATA: not live (state says); -ENOTSUP: format unsupported; -ETIMEDOUT. Called once. */
typedef void (*display_snapshot_fn)(void *arg, const struct snapshot *snapshot, int error);
typedef void (*display_done_fn)(void *arg);

/* Who keeps a display for the next daemon (keep.h). */
struct display_keeper {
	void (*changed)(void *arg);   /* display_registrant() says something else */
	void (*released)(void *arg);  /* it begins to be released: nothing of it is to be kept */
	void (*answered)(void *arg);  /* its registrant was told "registered", on the connection where it waits for events */
	void (*call_gone)(void *arg); /* that call has ended, and the display goes on */
	void (*inputs)(void *arg, int lost); /* display_inputs() are others, or one is @lost; -1: none is */
	/* @fn comes, never from inside, when nothing of it is kept any more. -errno: it does not. */
	int (*settle)(void *arg, display_done_fn fn, void *fn_arg);
};
enum display_power { DISPLAY_POWER_SHUTDOWN = 2, DISPLAY_POWER_REBOOT = 3, DISPLAY_POWER_RESET = 4 }; /* xvp's codes, as in frame/link.h */
/* @viewer, by its name, asks for it. No listener may be added or removed from inside. */
typedef void (*display_power_fn)(void *arg, enum display_power action, const char *viewer);

/* Somebody wants to come in at @display (LINK_CHECK in @message): wall_verdict(display_wall(display), @check, ..) answers, now or later. */
typedef void (*display_check_fn)(void *arg, struct display *display, uint64_t check, const struct link_message *message);

/* Takes the descriptors out of @handover (all of them, also on error). @ready comes later, never from inside. @gone: the
 * display has released everything and is to be destroyed now. @ghost: one of the same id whose viewers it takes over, NULL: none; its own
 * gone() is called inside, but on an error it is what it was. -ENOMEM, -EAGAIN (no thread). */
int display_create(struct loop *loop, const struct config *config, struct handover *handover, struct display *ghost,
	display_ready_fn ready, display_done_fn gone, void *arg, struct display **ret);
/* A ghost from the beginning, whose lease ended while no daemon ran: nothing but a wall, which is to adopt its program at once
 * (wall_adopt(display_wall())). @handover says what was registered, without descriptors. It ends as any ghost, at @until (milliseconds
 * of CLOCK_MONOTONIC; 0: linger_seconds from now; not later than that) or when its program does; @gone then. -ENOMEM. */
int display_create_ghost(struct loop *loop, const struct config *config, struct handover *handover, uint64_t until, display_done_fn gone,
	void *arg, struct display **ret);
/* When a ghost ends, as above; 0: it is none. */
uint64_t display_lingers_until(const struct display *display);
/* After gone() only. */
void display_destroy(struct display *display);

/* Ends it: mappings, dma-bufs, then the device fd are closed, then @done (may be NULL), then gone(). May be called again:
 * every @done is called then. Before ready() has run it is run first, with -ECANCELED. */
void display_release(struct display *display, enum display_state why, display_done_fn done, void *arg);
/* This daemon's end, for the next one to go on: the device is closed as by display_release(), but programs, viewers and what is kept stay as
 * they are. Then gone(). */
void display_leave(struct display *display);
bool display_is_left(const struct display *display);
void display_keep(struct display *display, const struct display_keeper *keeper, void *arg);
/* As the keeper's of these names. */
void display_answered(struct display *display);
void display_call_gone(struct display *display);
/* @fn runs once when everything is released, whyever, just before gone(): @display can still be asked. Any number. -ENOMEM. */
int display_on_end(struct display *display, display_done_fn fn, void *arg);
/* Takes that back; harmless where it was not set. */
void display_off_end(struct display *display, display_done_fn fn, void *arg);

/* @context, whole, is what its registrant says now; its labels are taken. id, machine and head are what they were. */
void display_update(struct display *display, struct context *context);
/* Where the guest's keyboard and pointers are (input/inputs.h); none while it ends. */
struct inputs *display_inputs(struct display *display);
/* What viewers do there (input/hands.h); NULL: it ends, or is a ghost. */
struct hands *display_hands(struct display *display);
/* Where its keyboard layout comes from; must outlive it. Before that it is "us". */
void display_on_layouts(struct display *display, struct layouts *layouts);
/* As its context says, or the configuration. */
const char *display_layout(const struct display *display);
/* The one that is in use: that one, or "us" where it is not to be had. @ret_why: why not, in words; NULL: it is. */
const char *display_layout_in_use(const struct display *display, const char **ret_why);
/* layouts_want() of @name, or (NULL) of that one. */
int display_want_layout(struct display *display, const char *name, layouts_fn fn, void *arg, struct layout_wish **ret);
/* Who types there beside viewers (input/typist.h); NULL as display_hands(). */
struct typists *display_typists(struct display *display);
/* @inputs take the place of all that are there. Descriptors are taken on success only. -ENOMEM, -EINVAL; -ENODATA: it ends. */
int display_set_inputs(struct display *display, struct handover_input *inputs, size_t n);
/* @fn hears what viewers ask for (xvp) until it is taken back. Any number; while there is none, viewers are told that it cannot be
 * done. -ENOMEM. */
int display_on_power(struct display *display, display_power_fn fn, void *arg);
/* Harmless where it was not set. */
void display_off_power(struct display *display, display_power_fn fn, void *arg);

/* The configuration says something else of what config_renew() takes. */
void display_renew(struct display *display);

/* Who knows tickets and users, and the challenge (LINK_CHALLENGE bytes) that tickets answer. Just after display_create(). Without it nobody
 * may come in who has to be asked about. */
void display_on_check(struct display *display, const uint8_t *challenge, display_check_fn fn, void *arg);

void *display_owner(const struct display *display); /* display_create()'s @arg */
/* "eventfd", "interrupt", "timer", "idle". */
const char *display_change_name(enum display_change change);
const struct context *display_context(const struct display *display);
const struct handover *display_registrant(const struct display *display); /* uid, gid, pid; descriptors are gone */
/* Nothing is left of it but its viewers: who registers its id may take them over. */
bool display_is_ghost(const struct display *display);
bool display_same_device(const struct display *display, int fd);
void display_runtime(struct display *display, struct display_runtime *ret);
/* Where nobody watches, its capture thread looks once, not more often than each half second: what it finds is in the next runtime. It
 * costs that thread's wake-up and a call into the driver. */
void display_glance(struct display *display);
void display_doings(struct display *display, struct display_doings *ret);
struct wall *display_wall(struct display *display);
/* One at a time and display: -EBUSY. */
int display_snapshot(struct display *display, display_snapshot_fn fn, void *arg);
