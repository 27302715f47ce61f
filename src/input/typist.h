/* SPDX-License-Identifier: GPL-2.0-or-later */
/* typist.h - types a script (script.h) on a display's keyboard, no faster than guests read. Main thread.
 *
 * Several on one display type one after the other.
 */
#pragma once

#include <stdbool.h>

#include "input/script.h"

struct hands;
struct loop;
struct typist;
struct typists; /* of one display */

/* Once, never from inside typists_type(); the typist is gone. 0: all is typed. -ENODEV: there is no keyboard any more; -ENOBUFS: the VMM does
 * not read; -ESHUTDOWN: the display ends. Then a part is typed, and no key is down. */
typedef void (*typist_done_fn)(void *arg, int error);

/* @hands, borrowed, must outlive it. -ENOMEM. */
int typists_create(struct loop *loop, struct hands *hands, struct typists **ret);
/* Those that type are told -ESHUTDOWN. Takes NULL. */
void typists_destroy(struct typists *typists);
/* What is in @script is taken on success only. -ENOMEM; -EUSERS: LIMIT_TYPISTS wait; -ENODEV: there is no keyboard. */
int typists_type(struct typists *typists, struct script *script, typist_done_fn done, void *arg,
	struct typist **ret);
/* Nobody wants it any more: its keys go up, and nothing is told. */
void typist_stop(struct typist *typist);
