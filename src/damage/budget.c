/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "damage/budget.h"

#include "base/mem.h"

#define NS_PER_MS 1000000
/* So that nothing overflows: more than any look takes, and than anybody rests. */
#define LONGEST ((uint64_t)3600 * 1000 * NS_PER_MS)

static int64_t saved_most(const struct budget *budget)
{
	return (int64_t)BUDGET_SAVED_MS * NS_PER_MS / 100 * budget->percent;
}

static void count(struct budget *budget, uint64_t now)
{
	uint64_t elapsed = now > budget->at ? now - budget->at : 0;

	budget->at = MAX(budget->at, now);
	budget->credit += (int64_t)(MIN(elapsed, LONGEST) / 100 * budget->percent);
	budget->credit = MIN(budget->credit, saved_most(budget));
}

void budget_init(struct budget *budget, uint32_t percent, uint64_t now)
{
	*budget = (struct budget){.percent = percent, .at = now};
	budget->credit = saved_most(budget);
}

void budget_weigh(struct budget *budget, struct budget_member *member, uint32_t weight)
{
	budget->weights += weight;
	budget->weights -= member->weight;
	member->weight = weight;
}

void budget_charge(struct budget *budget, struct budget_member *member, uint64_t cost, uint64_t now)
{
	cost = MIN(cost, LONGEST);
	count(budget, now);
	budget->credit -= (int64_t)cost;
	/* Dearer at once, cheaper by halves: for a dear look among cheap ones it rests twice, in all. That is more than once, since who has waited
	 * for a grant looks again without a rest, and not so much more that one large change is felt for long. */
	member->cost = MAX(cost, member->cost / 2);
	member->last_look = now;
}

/* Its part of the share, when there is no credit. */
static uint64_t whole_rest(const struct budget *budget, const struct budget_member *member)
{
	uint64_t rest = member->cost * 100 / budget->percent;

	return MIN(rest * budget->weights / member->weight, LONGEST);
}

uint64_t budget_wait(struct budget *budget, const struct budget_member *member, uint64_t now)
{
	uint64_t rest, shorter, elapsed, until_credit = 0;
	int64_t much;

	count(budget, now);
	much = saved_most(budget) / 2;
	if (!budget->percent || !member->weight || budget->credit >= much)
		return 0;
	rest = shorter = whole_rest(budget, member);
	elapsed = now > member->last_look ? now - member->last_look : 0;
	if (budget->credit > 0)
		shorter -= (uint64_t)((double)rest * (double)budget->credit / (double)much);
	else
		until_credit = (uint64_t)-budget->credit / budget->percent * 100;
	if (elapsed >= shorter)
		return 0;
	/* If nobody else looks, credit grows meanwhile, and the rest shrinks to nothing in the time in which half can be saved up. */
	return MIN(shorter - elapsed,
		until_credit +
			(shorter - elapsed) / (1 + rest / (BUDGET_SAVED_MS * NS_PER_MS / 2)));
}
