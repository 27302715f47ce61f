/* SPDX-License-Identifier: GPL-2.0-or-later */
/* purse.h - the one budget (budget.h) of this process, from which the looks of all displays are paid. Any thread; a lock is held for some
 * arithmetic. What a look costs is its thread's processor time: a look that is held up by others costs nothing by that.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "damage/budget.h"

#define PURSE_ACTIVE 8u /* how many times an idle display's part an active one's is */

/* Before the first look. @percent: of a core. Until then, and with 0, everybody looks as he likes. */
void purse_fill(uint32_t percent);

/* Who is watched has a part of the share. @member: a thread's own, all zero before the first time. */
void purse_join(struct budget_member *member, bool watched, bool active);
/* Milliseconds until it may look; 0: now. */
uint32_t purse_wait(const struct budget_member *member);
/* Nanoseconds of this thread's processor time, for purse_pay(). */
uint64_t purse_begin(void);
/* A look is over. @began: of purse_begin(). */
void purse_pay(struct budget_member *member, uint64_t began);
