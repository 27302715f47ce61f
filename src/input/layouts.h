/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layouts.h - the keyboard layouts that displays want, each compiled once for all of them, on a thread. Main thread.
 *
 * One that nobody wants any more stays until its place is needed.
 */
#pragma once

#include "input/layout.h"

struct layout_wish;
struct layouts;
struct loop;

/* @layout: valid until the wish ends; NULL: the built-in "us", which is also what there is after an @error: as layout_create()'s, or
 * -ENOSPC, when too many are wanted. Once. */
typedef void (*layouts_fn)(void *arg, const struct layout *layout, int error);

/* -ENOMEM. */
int layouts_create(struct loop *loop, struct layouts **ret);
/* Waits for what is being compiled. Wishes that have not ended stay valid, and come true no more. Takes NULL. */
void layouts_destroy(struct layouts *layouts);

/* @fn may come from inside, when *ret is set already. @layouts NULL: there is nothing but the built-in one. -ENOMEM: then it does not come. */
int layouts_want(struct layouts *layouts, const char *name, layouts_fn fn, void *arg,
	struct layout_wish **ret);
void layout_wish_end(struct layout_wish *wish); /* takes NULL */
/* Why a layout is not to be had, in words: static text. @error: as above; -EAGAIN: it is being compiled; NULL for 0. */
const char *layouts_why(int error);
