/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/callers.h"

#include <stdio.h>

#include "base/limits.h"
#include "base/mem.h"
#include "rfb/caller.h"
#include "rfb/sharing.h"

void callers_init(struct callers *callers)
{
	*callers = (struct callers){0};
	TAILQ_INIT(&callers->all);
}

void callers_finish(struct callers *callers)
{
	struct caller_entry *entry;

	while ((entry = TAILQ_FIRST(&callers->all))) {
		TAILQ_REMOVE(&callers->all, entry, link);
		caller_destroy(entry->caller);
	}
}

void callers_add(struct callers *callers, struct caller_entry *entry)
{
	entry->who = suspects_named(entry->peer);
	TAILQ_INSERT_TAIL(&callers->all, entry, link);
	callers->knocking++;
}

void callers_joined(struct callers *callers, struct caller_entry *entry)
{
	entry->joined = true;
	callers->knocking--;
	callers->viewers++;
}

void callers_remove(struct callers *callers, struct caller_entry *entry)
{
	TAILQ_REMOVE(&callers->all, entry, link);
	if (entry->joined)
		callers->viewers--;
	else
		callers->knocking--;
}

static bool is_open(const struct caller_entry *entry)
{
	return !caller_closed(entry->caller);
}

/* How many knock from the same address? */
static unsigned int company(const struct callers *callers, const struct caller_entry *one)
{
	const struct caller_entry *entry;
	unsigned int n = 0;

	TAILQ_FOREACH (entry, &callers->all, link)
		n += !entry->joined && suspects_same(&entry->who, &one->who);
	return n;
}

/* Of those who knock the oldest makes room, of the address from which most do: who types a password takes long, and is not sent away
 * by somebody else's hundred connections. */
void callers_make_room(struct callers *callers)
{
	struct caller_entry *entry, *oldest = NULL;
	unsigned int most = 0, n;

	if (callers->knocking < LIMIT_KNOCKING)
		return;
	TAILQ_FOREACH (entry, &callers->all, link) {
		if (entry->joined)
			continue;
		n = company(callers, entry);
		if (n > most) {
			most = n;
			oldest = entry;
		}
	}
	if (oldest)
		caller_end(oldest->caller, "too many knock", false);
}

struct caller_entry *callers_find(const struct callers *callers, uint32_t number)
{
	struct caller_entry *entry;

	TAILQ_FOREACH (entry, &callers->all, link)
		if (entry->number == number && is_open(entry))
			return entry;
	return NULL;
}

void callers_each(struct callers *callers, void (*fn)(struct caller *caller))
{
	struct caller_entry *entry, *next;

	for (entry = TAILQ_FIRST(&callers->all); entry; entry = next) {
		next = TAILQ_NEXT(entry, link);
		fn(entry->caller);
	}
}

int callers_rank(const struct callers *callers)
{
	const struct caller_entry *entry;
	int rank = SHARING_TOGETHER;

	TAILQ_FOREACH (entry, &callers->all, link)
		if (entry->joined && is_open(entry))
			rank = MAX(rank, entry->rank);
	return rank;
}

void callers_end(struct callers *callers, const char *reason)
{
	struct caller_entry *entry, *next;

	for (entry = TAILQ_FIRST(&callers->all); entry; entry = next) {
		next = TAILQ_NEXT(entry, link);
		if (entry->joined && is_open(entry))
			caller_end(entry->caller, reason, false);
	}
}

static struct caller_entry *typed_last(const struct callers *callers)
{
	struct caller_entry *entry;

	TAILQ_FOREACH (entry, &callers->all, link)
		if (entry->number == callers->typed)
			return entry;
	return NULL;
}

/* One message, of the first that has any. False: there is none, or it does not go. */
static bool type_from(struct callers *callers, struct caller_entry *entry)
{
	for (; entry; entry = TAILQ_NEXT(entry, link)) {
		if (!caller_type(entry->caller))
			continue;
		callers->typed = entry->number;
		return true;
	}
	return false;
}

void callers_type(struct callers *callers)
{
	struct caller_entry *last;

	do
		last = typed_last(callers);
	while ((last && type_from(callers, TAILQ_NEXT(last, link))) ||
		type_from(callers, TAILQ_FIRST(&callers->all)));
}

static bool has_news(const struct caller_entry *entry, const struct caller_count *now)
{
	return now->bytes != entry->told.bytes || now->behind != entry->told.behind ||
	       now->encoding != entry->told.encoding;
}

bool callers_tell(struct callers *callers,
	bool (*fn)(void *arg, const struct caller_entry *entry, const struct caller_count *now),
	void *arg)
{
	struct caller_count now;
	struct caller_entry *entry;
	bool news = false;

	TAILQ_FOREACH (entry, &callers->all, link) {
		if (!entry->joined || !is_open(entry))
			continue;
		caller_count(entry->caller, &now);
		if (!has_news(entry, &now))
			continue;
		news = true;
		if (fn(arg, entry, &now))
			entry->told = now;
	}
	return news;
}

void callers_untold(struct callers *callers)
{
	struct caller_entry *entry;

	TAILQ_FOREACH (entry, &callers->all, link)
		entry->told.encoding = NULL;
}

void callers_here(const struct callers *callers,
	void (*fn)(void *arg, const struct link_message *here), void *arg)
{
	const struct caller_entry *entry;

	TAILQ_FOREACH (entry, &callers->all, link) {
		struct link_message here = {.type = LINK_HERE};

		/* Odd: broker hears of it when it is in. */
		if (!is_open(entry) || (!entry->joined && entry->number % 2))
			continue;
		here.here.viewer = entry->number;
		here.here.mode = caller_mode(entry->caller);
		here.here.in = entry->joined;
		snprintf(here.here.peer, sizeof(here.here.peer), "%s", entry->peer);
		fn(arg, &here);
	}
}
