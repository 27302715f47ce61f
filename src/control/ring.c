/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * Event n lies in slot n % LIMIT_EVENTS; the numbers from `first` to `last` are kept and follow each other without gaps. `newest` finds the
 * event that a new one overtakes: a table from (display, kind) to a number, without chains. Two that fall on the same place
 * take it from each other, and then the older event of one of them is told although it is not the newest, which does no harm.
 */
#include "control/ring.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/shared.h"

#define PLACES (4 * LIMIT_DISPLAYS)

struct ring {
	uint64_t first, last; /* first > last: empty */
	size_t bytes;	      /* of all texts */
	struct ring_event events[LIMIT_EVENTS];
	uint64_t newest[PLACES];
};

int ring_create(struct ring **ret)
{
	struct ring *ring = new0(struct ring);

	if (!ring)
		return -ENOMEM;
	ring->first = 1;
	*ret = ring;
	return 0;
}

static struct ring_event *event_at(struct ring *ring, uint64_t sequence)
{
	return &ring->events[sequence % LIMIT_EVENTS];
}

static void forget_text(struct ring *ring, struct ring_event *event)
{
	if (!event->text)
		return;
	ring->bytes -= event->text->size;
	shared_release(take_ptr(event->text));
}

static void forget_until(struct ring *ring, uint64_t sequence)
{
	while (ring->first <= ring->last && ring->first < sequence)
		forget_text(ring, event_at(ring, ring->first++));
	ring->first = sequence;
}

void ring_destroy(struct ring *ring)
{
	if (!ring)
		return;
	forget_until(ring, ring->last + 1);
	free(ring);
}

static bool describes(enum bulletin_kind kind)
{
	return kind == BULLETIN_DISPLAY_STATE || kind == BULLETIN_DISPLAY_RESIZED ||
	       kind == BULLETIN_DISPLAY_UPDATED;
}

static uint64_t *place_of(struct ring *ring, const struct ring_event *event)
{
	uint32_t hash = 2166136261u ^ event->kind; /* FNV-1a */

	for (const char *c = event->id; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	return &ring->newest[hash % PLACES];
}

static void overtake(struct ring *ring, const struct ring_event *event)
{
	uint64_t *newest = place_of(ring, event);
	struct ring_event *older = event_at(ring, *newest);

	if (*newest >= ring->first && *newest <= ring->last && older->kind == event->kind &&
		strcmp(older->id, event->id) == 0)
		forget_text(ring, older);
	*newest = event->sequence;
}

void ring_push(struct ring *ring, const struct ring_event *event)
{
	if (!event->text || event->sequence != ring->last + 1) {
		forget_until(ring, ring->last + 1);
		ring->first = event->text ? event->sequence : event->sequence + 1;
		ring->last = ring->first - 1;
	}
	if (!event->text)
		return;
	if (describes(event->kind))
		overtake(ring, event);
	ring->bytes += event->text->size;
	while (ring->first <= ring->last &&
		(ring->bytes > LIMIT_EVENT_BYTES || ring->last - ring->first + 1 >= LIMIT_EVENTS))
		forget_until(ring, ring->first + 1);
	ring->last = event->sequence;
	*event_at(ring, ring->last) = *event;
}

const struct ring_event *ring_next(const struct ring *ring, uint64_t *place, uint64_t *ret_missed)
{
	*ret_missed = 0;
	if (*place + 1 < ring->first) {
		*ret_missed = ring->first - 1 - *place;
		return NULL;
	}
	while (*place < ring->last) {
		const struct ring_event *event = &ring->events[++*place % LIMIT_EVENTS];

		if (event->text)
			return event;
	}
	return NULL;
}
