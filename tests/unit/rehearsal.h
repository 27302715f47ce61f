/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rehearsal.h - one display between a source and an RFB program that follow scripts (fake-source.h, fake-wall.h): its two threads, its
 * stage and its pace are the real ones. For cmocka tests, on their main thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "display.h"
#include "fake-source.h"
#include "fake-wall.h"

#define LONG_MS 20000u /* a condition that does not come true by then never does */

extern struct display *display; /* NULL: none, or released */
extern bool ended;		/* its release was reported */
extern uint32_t pixel;		/* for sees_pixel() */
extern unsigned int before;	/* for the conditions that something has happened */

/* For cmocka: fakes reset, a main loop; and their end. */
int rehearsal_begin(void **state);
int rehearsal_end(void **state);
/* As at the beginning: for another display in the same test. */
void rehearsal_reset(void);

/* Registers @handover, after handover_init(); its descriptors are optional. */
void display_begin(struct handover *handover);
/* A display without eventfd or leave for anything, ready. */
void display_begin_plain(void);
/* One that has been a ghost from the beginning, until then. */
void display_begin_ghost(uint64_t until);
/* Another takes over what `display` has left: its viewers. */
void display_return(struct handover *handover);
/* Viewers of displays that are lost are kept so long; 0 at first. */
void rehearsal_linger(uint32_t seconds);
/* How soon it is looked, though no event tells of anything. */
void rehearsal_safety(uint32_t ms);
/* Releases it, and waits for that. */
void display_end(void);
void display_drain(void); /* does not wait */

/* Runs the main loop until @condition holds, at most @ms: false. */
bool within(bool (*condition)(void), uint64_t ms);
void pass(uint64_t ms);
#define until(condition) assert_true(within(condition, LONG_MS))

struct display_runtime runtime(void);
bool is_ready(void);
bool is_gone(void);
bool is_ghost(void);
bool is_slow(void); /* List says that the driver has not answered */
bool sees_words(void);
bool sees_picture(void);
bool sees_pixel(void); /* a picture that begins with `pixel` */
/* More than `before`. */
bool has_scanned(void);
bool has_published(void);
bool has_queried(void);
bool has_heard(void);
bool has_offered(void);
bool has_link_up(void);
