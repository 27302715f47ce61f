/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tidy.h - a program's studio and film, and their tidying: while there are rectangles in it, and only then, the loop looks at it now and then, so that a
 * picture that stands still keeps none.
 */
#pragma once

struct loop;
struct loop_source;
struct film;
struct studio;

struct tidy {
	struct studio *studio; /* owned */
	struct film *film;     /* owned */
	int filled;	       /* eventfd: there is something; -EBADF: not initialised */
	struct loop_source *source, *timer;
};

/* -ENOMEM, -EMFILE. tidy_finish() is needed in every case. */
int tidy_init(struct tidy *tidy, struct loop *loop);
void tidy_finish(struct tidy *tidy);
