/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: what the broker must not miss is kept until the link takes it. TAKEN, MAY_WRITE, BUSY, WATCH, RESIZE, POWER and
 * IDLE have one slot each, since only the newest counts. VIEWER_ADDED, VIEWER_GONE and CHECK wait in a list. That is bounded by its users:
 * nobody is admitted or asked about while it is long (LIMIT_LINK_PENDING), and those who are in can each leave once.
 *
 * INPUT does not wait here but with who typed it (rfb/strokes.h), which can merge what a pointer did.
 *
 * So it does not matter whether anybody reads.
 */
#include "rfb/outbox.h"

#include <errno.h>
#include <string.h>

#include "base/loop.h"
#include "base/mem.h"

struct outbox_entry {
	STAILQ_ENTRY(outbox_entry) link; /* outbox::entries */
	struct link_message message;
};

/* In the order in which they are said. */
static const enum link_type slot_types[] = {
	LINK_TAKEN, LINK_MAY_WRITE, LINK_WATCH, LINK_BUSY, LINK_RESIZE, LINK_POWER, LINK_IDLE};

static_assert(ARRAY_SIZE(slot_types) == OUTBOX_SLOTS, "a type for each slot");

static unsigned int slot(enum link_type type)
{
	unsigned int n = 0;

	while (n < OUTBOX_SLOTS - 1 && slot_types[n] != type)
		n++;
	return n;
}

/* A CHECK may hold a password. */
static void entry_free(struct outbox_entry *entry)
{
	explicit_bzero(entry, sizeof(*entry));
	free(entry);
}

void outbox_init(struct outbox *outbox, int link)
{
	*outbox = (struct outbox){.link = link};
	STAILQ_INIT(&outbox->entries);
}

void outbox_clear(struct outbox *outbox)
{
	struct outbox_entry *entry;

	while ((entry = STAILQ_FIRST(&outbox->entries))) {
		STAILQ_REMOVE_HEAD(&outbox->entries, link);
		entry_free(entry);
	}
	outbox->count = 0;
	for (unsigned int i = 0; i < OUTBOX_SLOTS; i++)
		outbox->slots[i].waits = false;
}

bool outbox_offer(struct outbox *outbox, const struct link_message *message)
{
	int r = link_send(outbox->link, message, -EBADF);

	return r != -EAGAIN && r != -ENOBUFS && r != -ENOMEM;
}

static bool offer_entries(struct outbox *outbox)
{
	struct outbox_entry *entry;

	while ((entry = STAILQ_FIRST(&outbox->entries))) {
		if (!outbox_offer(outbox, &entry->message))
			return false;
		STAILQ_REMOVE_HEAD(&outbox->entries, link);
		outbox->count--;
		entry_free(entry);
	}
	return true;
}

static bool offer_slots(struct outbox *outbox)
{
	for (unsigned int i = 0; i < OUTBOX_SLOTS; i++) {
		if (outbox->slots[i].waits && !outbox_offer(outbox, &outbox->slots[i].message))
			return false;
		outbox->slots[i].waits = false;
	}
	return true;
}

/* The list first: a viewer is known before it is counted. */
void outbox_flush(struct outbox *outbox)
{
	bool all;

	if (!outbox->source)
		return;
	all = offer_entries(outbox) && offer_slots(outbox) && !outbox->input;
	loop_fd_events(outbox->source, LOOP_READ | (all ? 0 : LOOP_WRITE));
}

bool outbox_input(struct outbox *outbox, const struct link_message *message)
{
	if (!outbox->source)
		return true;
	if (!outbox->input && !outbox->count && outbox_offer(outbox, message))
		return true;
	outbox->input = true;
	loop_fd_events(outbox->source, LOOP_READ | LOOP_WRITE);
	return false;
}

bool outbox_room(struct outbox *outbox)
{
	if (!outbox->source || !outbox->input || outbox->count)
		return false;
	outbox->input = false;
	outbox_flush(outbox);
	return true;
}

int outbox_post(struct outbox *outbox, const struct link_message *message)
{
	struct outbox_entry *entry = new0(struct outbox_entry);

	if (!entry)
		return -ENOMEM;
	entry->message = *message;
	STAILQ_INSERT_TAIL(&outbox->entries, entry, link);
	outbox->count++;
	outbox_flush(outbox);
	return 0;
}

unsigned int outbox_count(const struct outbox *outbox)
{
	return outbox->count;
}

void outbox_note(struct outbox *outbox, const struct link_message *message)
{
	unsigned int n = slot(message->type);

	outbox->slots[n].message = *message;
	outbox->slots[n].waits = true;
	outbox_flush(outbox);
}

bool outbox_waits(const struct outbox *outbox, enum link_type type)
{
	return outbox->slots[slot(type)].waits;
}

void outbox_drop(struct outbox *outbox, enum link_type type)
{
	outbox->slots[slot(type)].waits = false;
}

void outbox_drop_wishes(struct outbox *outbox, uint32_t viewer)
{
	if (outbox->slots[slot(LINK_RESIZE)].message.resize.viewer == viewer)
		outbox_drop(outbox, LINK_RESIZE);
	if (outbox->slots[slot(LINK_POWER)].message.power.viewer == viewer)
		outbox_drop(outbox, LINK_POWER);
}

void outbox_drop_check(struct outbox *outbox, uint32_t viewer)
{
	struct outbox_entry *entry;

	STAILQ_FOREACH (entry, &outbox->entries, link) {
		if (entry->message.type != LINK_CHECK || entry->message.check.viewer != viewer)
			continue;
		STAILQ_REMOVE(&outbox->entries, entry, outbox_entry, link);
		outbox->count--;
		entry_free(entry);
		return;
	}
}
