/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * Encoding may take long: a second for 4K of noise in ZRLE. The broker's grant waits for all who are inside, and so does the next
 * picture of everybody. So no more readers are inside than there are processors to run them; the others wait for their turn in
 * the order in which they came, across publishes. Who is done in a quarter of the time that another one takes delays nobody and
 * comes in beside it: a viewer with a cheap encoding keeps up beside many with a dear one.
 *
 * A broker that asks again right after a publish must not shut out those who were just woken: each publish calls the first in
 * line, and the grant waits until they have come, or passed. The rest of the line sleeps on: each who comes in or leaves wakes the
 * next one while there is room, so that nobody wakes up for nothing.
 */
#include "rfb/turns.h"

#include <sys/eventfd.h>

#include "base/mem.h"

static void wake(const struct turn *turn)
{
	/* EAGAIN: the counter is full of wake-ups already. */
	(void)!eventfd_write(turn->wake, 1);
}

void turns_init(struct turns *turns, unsigned int inside_maximum)
{
	*turns = (struct turns){.inside_maximum = inside_maximum};
	TAILQ_INIT(&turns->all);
}

void turns_join(struct turns *turns, struct turn *turn, int wake_fd)
{
	turn->wake = wake_fd;
	TAILQ_INSERT_TAIL(&turns->all, turn, entry);
}

void turns_leave(struct turns *turns, struct turn *turn)
{
	TAILQ_REMOVE(&turns->all, turn, entry);
}

static bool has_room(const struct turns *turns)
{
	return turns->inside + turns->called < turns->inside_maximum;
}

static struct turn *first_in_line(const struct turns *turns)
{
	struct turn *turn, *first = NULL;

	TAILQ_FOREACH (turn, &turns->all, entry)
		if (turn->ticket && !turn->called && (!first || turn->ticket < first->ticket))
			first = turn;
	return first;
}

/* There is room for one more. */
static void wake_next(const struct turns *turns, bool open)
{
	const struct turn *next = first_in_line(turns);

	if (next && open)
		wake(next);
}

static void call(struct turns *turns, struct turn *turn)
{
	if (!turn->called)
		turns->called++;
	turn->called = true;
}

static void line_up(struct turns *turns)
{
	struct turn *turn;

	TAILQ_FOREACH (turn, &turns->all, entry) {
		if (turn->listening)
			turn_wait(turns, turn);
		turn->listening = false;
	}
}

/* But for those whose turn comes later, first_in_line() then, and those who rest and have not asked. */
static void note_due(struct turns *turns)
{
	struct turn *turn;

	TAILQ_FOREACH (turn, &turns->all, entry)
		turn->due = turn->called || (!turn->ticket && !turn->resting);
}

void turns_call(struct turns *turns)
{
	struct turn *turn;
	uint64_t longest = 0;

	line_up(turns);
	while (has_room(turns) && (turn = first_in_line(turns)))
		call(turns, turn);
	TAILQ_FOREACH (turn, &turns->all, entry)
		if (turn->called || turn->inside)
			longest = MAX(longest, turn->cost_ns);
	TAILQ_FOREACH (turn, &turns->all, entry)
		if (turn->ticket && turn->cost_ns < longest / 4)
			call(turns, turn);
	note_due(turns);
}

/* Without the lock, which is the first thing that they take. */
void turns_wake(struct turns *turns)
{
	struct turn *turn;

	TAILQ_FOREACH (turn, &turns->all, entry)
		if (turn->due) {
			turn->due = false;
			wake(turn);
		}
}

void turns_void(struct turns *turns)
{
	struct turn *turn;

	TAILQ_FOREACH (turn, &turns->all, entry)
		turn->called = false;
	turns->called = 0;
}

static bool admitted(const struct turns *turns, const struct turn *turn)
{
	const struct turn *other;
	unsigned int before = turns->inside;

	TAILQ_FOREACH (other, &turns->all, entry) {
		if (other->inside && turn->cost_ns < other->cost_ns / 4)
			return true;
		if (other != turn && other->ticket &&
			(!turn->ticket || other->ticket < turn->ticket))
			before++;
	}
	return before < turns->inside_maximum;
}

bool turn_comes(const struct turns *turns, const struct turn *turn, bool open)
{
	return turn->called || (open && admitted(turns, turn));
}

void turn_wait(struct turns *turns, struct turn *turn)
{
	if (!turn->ticket)
		turn->ticket = ++turns->last_ticket;
}

static void enter(struct turns *turns, struct turn *turn, uint64_t now_ns)
{
	turns->called -= turn->called;
	turn->called = false;
	turn->ticket = 0;
	turn->inside = true;
	turn->began_ns = now_ns;
	turns->inside++;
}

void turn_begin(struct turns *turns, struct turn *turn, uint64_t now_ns, bool open)
{
	enter(turns, turn, now_ns);
	turn->listening = false;
	if (has_room(turns))
		wake_next(turns, open);
}

bool turn_glimpse(struct turns *turns, struct turn *turn, uint64_t now_ns, bool open)
{
	if (!open || turns->inside >= turns->inside_maximum || first_in_line(turns))
		return false;
	enter(turns, turn, now_ns);
	turn->glimpsing = true;
	return true;
}

void turn_end(struct turns *turns, struct turn *turn, uint64_t now_ns, bool open)
{
	if (!turn->glimpsing)
		turn->cost_ns = (3 * turn->cost_ns + now_ns - turn->began_ns) / 4;
	turn->glimpsing = turn->inside = false;
	turns->inside--;
	wake_next(turns, open);
}

bool turn_pass(struct turns *turns, struct turn *turn, bool open)
{
	bool called = turn->called;

	turns->called -= called;
	turn->called = turn->listening = false;
	if (turn->ticket) {
		turn->ticket = 0;
		wake_next(turns, open);
	}
	return called;
}
