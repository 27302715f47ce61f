/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame/roster.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/measure.h"
#include "base/mem.h"
#include "base/probe.h"
#include "base/tally.h"

static struct wall_viewer *find(struct roster *roster, uint32_t number)
{
	for (size_t i = 0; i < roster->used; i++)
		if (roster->viewers[i].number == number)
			return &roster->viewers[i];
	return NULL;
}

/* Whoever can reach a listener, and a program that is taken over, can make them come and go as fast as they like. */
static bool worth_a_line(struct roster *roster)
{
	uint64_t now = loop_now_ms();

	/* Who hears it writes it, with more to it. */
	if (roster->tell)
		return false;
	if (now - roster->lines_since >= LIMIT_VIEWER_LINES_MS) {
		roster->lines_since = now;
		roster->lines = 0;
	}
	if (roster->lines > LIMIT_VIEWER_LINES)
		return false;
	if (roster->lines++ < LIMIT_VIEWER_LINES)
		return true;
	log_notice(roster->id, "viewers come and go too often for a line each");
	return false;
}

static struct roster_check *find_check(struct roster *roster, uint32_t number)
{
	for (size_t i = 0; i < roster->checks_used; i++)
		if (roster->checks[i].number == number)
			return &roster->checks[i];
	return NULL;
}

static void drop_check(struct roster *roster, struct roster_check *check)
{
	struct roster_check *end = roster->checks + roster->checks_used;

	if (!check)
		return;
	memmove(check, check + 1, (end - check - 1) * sizeof(*check));
	roster->checks_used--;
}

/* Who was let in may have gone without a word; the oldest of them makes room. */
static bool make_room(struct roster *roster)
{
	if (roster->checks_used < ARRAY_SIZE(roster->checks))
		return true;
	for (size_t i = 0; i < roster->checks_used; i++) {
		if (!roster->checks[i].mode)
			continue;
		drop_check(roster, &roster->checks[i]);
		return true;
	}
	return false;
}

/* Who must show something that only the broker knows; all others are let in by the program alone. */
static bool always_asks(const struct link_listener *listener)
{
	const uint32_t free = LINK_OFFER_NONE | LINK_OFFER_TLS_NONE | LINK_OFFER_X509_NONE;

	return !(listener->offers & free) && !listener->password[0];
}

void roster_listener(struct roster *roster, const struct link_listener *listener)
{
	if (!always_asks(listener))
		roster->mode = MAX(roster->mode, listener->mode);
	roster->mode_checked = MAX(roster->mode_checked, listener->mode);
}

int roster_asked(struct roster *roster, const struct link_message *message)
{
	uint32_t number = message->check.viewer;
	const struct roster_check *check = find_check(roster, number);

	if (message->check.mode > roster->mode_checked || find(roster, number))
		return -EPROTO;
	if (check)
		return check->kept ? 1 : -EPROTO;
	/* Those who hung up are still here until they are answered: so many are no lie. */
	if (!make_room(roster))
		return -EBUSY;
	roster->checks[roster->checks_used++] = (struct roster_check){.number = number};
	return 0;
}

uint32_t roster_allowed(const struct roster *roster, uint32_t number)
{
	const struct roster_check *check = find_check((struct roster *)roster, number);

	return check ? check->mode : 0;
}

bool roster_answer(struct roster *roster, uint32_t number, uint32_t mode, const char *label)
{
	struct roster_check *check = find_check(roster, number);

	if (!check || check->mode)
		return false;
	check->mode = mode;
	snprintf(check->label, sizeof(check->label), "%s", label ? label : "");
	if (!mode)
		drop_check(roster, check);
	return true;
}

static void tell(struct roster *roster, enum roster_news news, const struct wall_viewer *viewer,
	const char *reason)
{
	if (roster->tell)
		roster->tell(roster->tell_arg, news, viewer, reason);
}

void roster_attached(struct roster *roster, const struct wall_viewer *viewer)
{
	tell(roster, ROSTER_ATTACHED, viewer, NULL);
}

struct wall_viewer *roster_add(struct roster *roster, uint32_t number)
{
	struct wall_viewer *viewer;

	if (roster->used == ARRAY_SIZE(roster->viewers))
		return NULL;
	viewer = &roster->viewers[roster->used++];
	*viewer = (struct wall_viewer){.number = number};
	snprintf(viewer->name, sizeof(viewer->name), "%u-%u", roster->serial, number);
	return viewer;
}

/* Odd numbers are the program's to give. NULL: such a viewer cannot be. */
static struct wall_viewer *add_listened(struct roster *roster, const struct link_message *message)
{
	struct roster_check *check = find_check(roster, message->seen.viewer);
	struct wall_viewer *viewer;

	if (find(roster, message->seen.viewer) ||
		message->seen.mode > (check ? check->mode : roster->mode))
		return NULL;
	viewer = roster_add(roster, message->seen.viewer);
	if (viewer) {
		memcpy(viewer->peer, message->seen.peer, sizeof(viewer->peer));
		if (check)
			memcpy(viewer->label, check->label, sizeof(viewer->label));
	}
	drop_check(roster, check);
	return viewer;
}

/* Even ones are ours, and so is what is known about them. */
static struct wall_viewer *find_given(struct roster *roster, const struct link_message *message)
{
	struct wall_viewer *viewer = find(roster, message->seen.viewer);

	return viewer && !viewer->ready && message->seen.mode <= viewer->mode ? viewer : NULL;
}

static const char *const may[] = {
	[LINK_MODE_VIEW] = "view",
	[LINK_MODE_CONTROL] = "control",
	[LINK_MODE_EXCLUSIVE] = "control, alone",
};

bool roster_added(struct roster *roster, const struct link_message *message)
{
	struct wall_viewer *viewer =
		(message->seen.viewer % 2 ? add_listened : find_given)(roster, message);

	if (!viewer)
		return false;
	viewer->ready = true;
	viewer->mode = message->seen.mode;
	if (message->seen.viewer % 2)
		roster_attached(roster, viewer);
	tell(roster, ROSTER_AUTHENTICATED, viewer, NULL);
	PROBE3(viewer_added, roster->id, viewer->name, viewer->mode);
	if (worth_a_line(roster))
		log_info(roster->id, "viewer %s from %s%s%s may %s", viewer->name, viewer->peer,
			viewer->label[0] ? ", " : "", viewer->label, may[viewer->mode]);
	return true;
}

/* The words are the program's: only those that are known here become a label of a metric. */
static void count_departure(const char *reason)
{
	static const struct {
		const char *begins, *word;
	} words[] = {
		{"takes nothing", "stalled"},
		{"queue over", "stalled"},
		{"half a message", "stalled"},
		{"handshake took", "late"},
		{"no picture", "late"},
		{"pixel format", "protocol"},
		{"a message", "protocol"},
		{"cut text", "protocol"},
		{"detached", "detached"},
		{"a viewer came", "exclusive"},
		{"the display is stopping", "stopped"},
		{"out of memory", "resources"},
		{"no resources", "resources"},
	};

	if (!reason[0] || strncmp(reason, "closed", 6) == 0)
		return; /* it went by itself */
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strncmp(reason, words[i].begins, strlen(words[i].begins)) == 0)
			return tally_count(TALLY_DROPPED, words[i].word, "");
	tally_count(TALLY_DROPPED, "other", "");
}

bool roster_gone(struct roster *roster, const struct link_message *message)
{
	struct wall_viewer *viewer = find(roster, message->seen.viewer);
	struct roster_check *check = find_check(roster, message->seen.viewer);
	const char *reason = message->seen.reason[0] ? message->seen.reason : "closed";

	drop_check(roster, check);
	if (!viewer)
		return check;
	count_departure(message->seen.reason);
	PROBE2(viewer_gone, roster->id, viewer->name);
	if (worth_a_line(roster))
		log_info(roster->id, "viewer %s left: %s", viewer->name, reason);
	tell(roster, ROSTER_DETACHED, viewer, reason);
	*viewer = roster->viewers[--roster->used];
	return true;
}

static void count_bytes(struct roster *roster, const char encoding[16], uint64_t more)
{
	struct roster_bytes *bytes = roster->bytes;

	while (bytes < roster->bytes + roster->bytes_used &&
		strncmp(bytes->encoding, encoding, sizeof(bytes->encoding)) != 0)
		bytes++;
	if (bytes == roster->bytes + ARRAY_SIZE(roster->bytes))
		return;
	if (bytes == roster->bytes + roster->bytes_used) {
		roster->bytes_used++;
		memcpy(bytes->encoding, encoding, sizeof(bytes->encoding));
	}
	bytes->bytes += more;
}

bool roster_state(struct roster *roster, const struct link_message *message)
{
	struct wall_viewer *viewer = find(roster, message->state.viewer);

	if (!viewer)
		return false;
	if (message->state.bytes_sent > viewer->bytes_sent)
		count_bytes(roster, message->state.encoding,
			message->state.bytes_sent - viewer->bytes_sent);
	viewer->bytes_sent = message->state.bytes_sent;
	viewer->frames_behind = message->state.frames_behind;
	memcpy(viewer->encoding, message->state.encoding, sizeof(viewer->encoding));
	return true;
}

void roster_clear(struct roster *roster, const char *reason)
{
	for (size_t i = 0; i < roster->used; i++) {
		PROBE2(viewer_gone, roster->id, roster->viewers[i].name);
		if (worth_a_line(roster))
			log_info(roster->id, "viewer %s left: %s", roster->viewers[i].name, reason);
		tell(roster, ROSTER_DETACHED, &roster->viewers[i], reason);
	}
	roster->used = 0;
	roster->checks_used = 0;
}

const struct wall_viewer *roster_find(const struct roster *roster, const char *name)
{
	for (size_t i = 0; i < roster->used; i++)
		if (strcmp(roster->viewers[i].name, name) == 0)
			return &roster->viewers[i];
	return NULL;
}

const struct wall_viewer *roster_controls(const struct roster *roster, uint32_t number)
{
	for (size_t i = 0; i < roster->used; i++)
		if (roster->viewers[i].number == number && roster->viewers[i].ready &&
			roster->viewers[i].mode >= LINK_MODE_CONTROL)
			return &roster->viewers[i];
	return NULL;
}

const struct wall_viewer *roster_dismiss(struct roster *roster, const char *name)
{
	const struct wall_viewer *named = roster_find(roster, name);
	struct wall_viewer *viewer = named ? find(roster, named->number) : NULL;

	if (viewer)
		viewer->leaves = true;
	return viewer;
}

bool roster_exclusive(const struct roster *roster)
{
	for (size_t i = 0; i < roster->used; i++)
		if (roster->viewers[i].ready && roster->viewers[i].mode == LINK_MODE_EXCLUSIVE)
			return true;
	return false;
}

unsigned int roster_ready(const struct roster *roster)
{
	unsigned int ready = 0;

	for (size_t i = 0; i < roster->used; i++)
		ready += roster->viewers[i].ready;
	return ready;
}

void roster_keep(const struct roster *roster, struct roster_kept *ret)
{
	struct roster_kept_viewer *at = ret->at;

	ret->serial = roster->serial;
	ret->mode = roster->mode;
	ret->mode_checked = roster->mode_checked;
	for (size_t i = 0; i < roster->used; i++, at++) {
		const struct wall_viewer *viewer = &roster->viewers[i];

		*at = (struct roster_kept_viewer){
			.number = viewer->number, .mode = viewer->mode, .in = viewer->ready};
		memcpy(at->label, viewer->label, sizeof(at->label));
		memcpy(at->peer, viewer->peer, sizeof(at->peer));
	}
	for (size_t i = 0; i < roster->checks_used; i++) {
		const struct roster_check *check = &roster->checks[i];

		if (!check->mode)
			continue; /* is asked about again */
		*at = (struct roster_kept_viewer){.number = check->number, .mode = check->mode};
		memcpy(at->label, check->label, sizeof(at->label));
		at++;
	}
	ret->used = at - ret->at;
}

/* Even numbers were given by a broker; odd ones are in, or have been allowed to. */
static bool adopt_one(struct roster *roster, const struct roster_kept_viewer *kept)
{
	struct wall_viewer *viewer;
	struct roster_check *check;

	if (kept->mode < LINK_MODE_VIEW || kept->mode > LINK_MODE_EXCLUSIVE ||
		find(roster, kept->number) || find_check(roster, kept->number))
		return false;
	if (kept->number % 2 && !kept->in) {
		if (roster->checks_used == ARRAY_SIZE(roster->checks))
			return false;
		check = &roster->checks[roster->checks_used++];
		*check = (struct roster_check){
			.number = kept->number, .mode = kept->mode, .kept = true};
		snprintf(check->label, sizeof(check->label), "%s", kept->label);
		return true;
	}
	viewer = roster_add(roster, kept->number);
	if (!viewer)
		return false;
	viewer->mode = kept->mode;
	viewer->ready = kept->in;
	viewer->kept = true;
	snprintf(viewer->label, sizeof(viewer->label), "%s", kept->label);
	snprintf(viewer->peer, sizeof(viewer->peer), "%s", kept->peer);
	return true;
}

int roster_adopt(struct roster *roster, const struct roster_kept *kept)
{
	bool good = kept->used <= ARRAY_SIZE(kept->at) && kept->mode <= LINK_MODE_EXCLUSIVE &&
		    kept->mode_checked <= LINK_MODE_EXCLUSIVE;

	roster->serial = kept->serial;
	roster->mode = MAX(roster->mode, kept->mode);
	roster->mode_checked = MAX(roster->mode_checked, kept->mode_checked);
	for (size_t i = 0; good && i < kept->used; i++)
		good = adopt_one(roster, &kept->at[i]);
	if (good)
		return 0;
	roster->used = roster->checks_used = 0;
	return -EINVAL;
}

bool roster_here(struct roster *roster, const struct link_message *message)
{
	struct link_message added = {.type = LINK_VIEWER_ADDED};
	struct wall_viewer *viewer = find(roster, message->here.viewer);

	added.seen.viewer = message->here.viewer;
	added.seen.mode = message->here.mode;
	memcpy(added.seen.peer, message->here.peer, sizeof(added.seen.peer));
	/* It came in while no broker heard of it. */
	if (!viewer)
		return message->here.viewer % 2 && roster_added(roster, &added);
	if (!viewer->kept || message->here.mode > viewer->mode ||
		(viewer->ready && !message->here.in))
		return false;
	viewer->kept = false;
	if (message->here.in)
		measure_count(MEASURE_VIEWER_RESUMED);
	return viewer->ready || !message->here.in || roster_added(roster, &added);
}

void roster_settle(struct roster *roster)
{
	for (size_t i = 0; i < roster->used;) {
		struct wall_viewer *viewer = &roster->viewers[i];

		if (!viewer->kept) {
			i++;
			continue;
		}
		if (worth_a_line(roster))
			log_info(roster->id, "viewer %s left meanwhile", viewer->name);
		tell(roster, ROSTER_DETACHED, viewer, "it left while no broker was there");
		*viewer = roster->viewers[--roster->used];
	}
}
