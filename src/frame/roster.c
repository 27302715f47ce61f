/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame/roster.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

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

void roster_expect(struct roster *roster, uint32_t number, uint32_t mode, const char *label)
{
	struct roster_expected *expected = &roster->expected[roster->expected_next];

	roster->expected_next = (roster->expected_next + 1) % ARRAY_SIZE(roster->expected);
	expected->number = number;
	expected->mode = mode;
	snprintf(expected->label, sizeof(expected->label), "%s", label);
}

static struct roster_expected *find_expected(struct roster *roster, uint32_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(roster->expected); i++)
		if (roster->expected[i].number == number)
			return &roster->expected[i];
	return NULL;
}

bool roster_added(struct roster *roster, const struct link_message *message)
{
	struct wall_viewer *viewer = find(roster, message->seen.viewer);
	bool listened = message->seen.viewer % 2;
	struct roster_expected *expected =
		listened ? find_expected(roster, message->seen.viewer) : NULL;
	uint32_t most = expected   ? expected->mode
			: listened ? roster->mode
			: viewer   ? viewer->mode
				   : 0;

	if (message->seen.mode > most)
		return false;
	/* Odd numbers are the program's to give, even ones are ours. */
	if (listened) {
		if (viewer)
			return false;
		viewer = roster_add(roster, message->seen.viewer);
	}
	if (!viewer || viewer->ready)
		return false;
	if (expected) {
		memcpy(viewer->label, expected->label, sizeof(viewer->label));
		expected->number = 0;
	}
	viewer->ready = true;
	viewer->mode = message->seen.mode;
	memcpy(viewer->peer, message->seen.peer, sizeof(viewer->peer));
	if (worth_a_line(roster))
		log_info(roster->id, "viewer %s from %s may %s", viewer->name, viewer->peer,
			viewer->mode == LINK_MODE_VIEW	    ? "view"
			: viewer->mode == LINK_MODE_CONTROL ? "control"
							    : "control alone");
	return true;
}

bool roster_gone(struct roster *roster, const struct link_message *message)
{
	struct wall_viewer *viewer = find(roster, message->seen.viewer);

	if (!viewer)
		return false;
	if (worth_a_line(roster))
		log_info(roster->id, "viewer %s left: %s", viewer->name,
			message->seen.reason[0] ? message->seen.reason : "closed");
	*viewer = roster->viewers[--roster->used];
	return true;
}

bool roster_state(struct roster *roster, const struct link_message *message)
{
	struct wall_viewer *viewer = find(roster, message->state.viewer);

	if (!viewer)
		return false;
	viewer->bytes_sent = message->state.bytes_sent;
	viewer->frames_behind = message->state.frames_behind;
	memcpy(viewer->encoding, message->state.encoding, sizeof(viewer->encoding));
	return true;
}

void roster_clear(struct roster *roster, const char *reason)
{
	for (size_t i = 0; i < roster->used; i++)
		if (worth_a_line(roster))
			log_info(roster->id, "viewer %s left: %s", roster->viewers[i].name, reason);
	roster->used = 0;
	memset(roster->expected, 0, sizeof(roster->expected));
}

const struct wall_viewer *roster_find(const struct roster *roster, const char *name)
{
	for (size_t i = 0; i < roster->used; i++)
		if (strcmp(roster->viewers[i].name, name) == 0)
			return &roster->viewers[i];
	return NULL;
}

bool roster_controls(const struct roster *roster, uint32_t number)
{
	for (size_t i = 0; i < roster->used; i++)
		if (roster->viewers[i].number == number)
			return roster->viewers[i].ready &&
			       roster->viewers[i].mode >= LINK_MODE_CONTROL;
	return false;
}
