/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parting.h - what a VMM that is not reading just now is still to get after its sink has ended: above all that keys were let go. Main thread.
 *
 * Nobody waits for it, and nobody is told. It ends when all is written, when its VMM hangs up, and after LIMIT_INPUT_PARTING_MS.
 */
#pragma once

struct loop;
struct pending;

/* Writes what is in @pending, which is copied, to @fd, which is consumed in every case. */
void parting_begin(struct loop *loop, int fd, const struct pending *pending);
/* @fn, once: as soon as there is none, which may be now. */
void partings_settle(void (*fn)(void *arg), void *arg);
/* The loop ends: closes all of them. */
void partings_end(void);
