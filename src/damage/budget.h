/* SPDX-License-Identifier: GPL-2.0-or-later */
/* budget.h - how much of a processor all displays' looks together may take, and whose turn it is when that is not enough. Pure arithmetic
 * on nanoseconds of any clock that goes on: no clock, no lock.
 *
 * While there is much credit, everybody looks when he likes. When it is used up, each member rests after a look, so long that looks of
 * what its last ones cost take its part of the share: by its weight, among those who have one. In between the rests are shorter, the
 * more so the more credit there is: what members leave that want less than their part goes to the others, to who has waited longest first.
 * So over any time the looks take no more than the share of it, and what can be saved up, and one look of each member.
 */
#pragma once

#include <stdint.h>

#define BUDGET_SAVED_MS \
	250u /* of the share: what can be saved up, for a hundred displays that look at the same moment */

struct budget {
	uint32_t percent; /* of a core; 0: as much as they like */
	uint64_t weights; /* of all members */
	int64_t credit;	  /* ns */
	uint64_t at;	  /* when that was counted */
};

struct budget_member {
	uint32_t weight;    /* 0: none, and no part of the share */
	uint64_t cost;	    /* ns of the last look, or what is left to pay of dearer ones before */
	uint64_t last_look; /* its end */
};

void budget_init(struct budget *budget, uint32_t percent, uint64_t now);
/* All zero before the first time. Weight 0: it leaves. */
void budget_weigh(struct budget *budget, struct budget_member *member, uint32_t weight);
/* A look is over. @cost: of it. */
void budget_charge(
	struct budget *budget, struct budget_member *member, uint64_t cost, uint64_t now);
/* Nanoseconds from @now until it may look, or until it is worth asking again; 0: now. */
uint64_t budget_wait(struct budget *budget, const struct budget_member *member, uint64_t now);
