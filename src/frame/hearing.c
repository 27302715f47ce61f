/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a program says: main thread. It is not trusted: link.c has looked at each message by itself, and here nothing is believed that does not
 * agree with what is known of its viewers.
 */
#include <errno.h>
#include <string.h>

#include "base/loop.h"
#include "base/measure.h"
#include "frame/wall_internal.h"

static bool on_check(struct wall *wall, const struct link_message *m)
{
	uint64_t check = (uint64_t)wall->roster.serial << 32 | m->check.viewer;
	struct link_message known = {.type = LINK_VERDICT};
	int r = roster_asked(&wall->roster, m);

	if (r == 1) {
		known.verdict.mode = roster_allowed(&wall->roster, m->check.viewer);
		known.verdict.allowed = 1;
	}
	if (r == -EBUSY || r == 1) {
		known.verdict.viewer = m->check.viewer;
		wall_send(wall, &known, -EBADF);
		return true;
	}
	if (r < 0)
		return false;
	if (wall->events.check)
		wall->events.check(wall->arg, check, m);
	else
		wall_verdict(wall, check, 0, NULL, -EBADF);
	return true;
}

static bool on_power(struct wall *wall, const struct link_message *m)
{
	const struct wall_viewer *viewer = roster_controls(&wall->roster, m->power.viewer);
	uint64_t now = loop_now_ms(), *last = &wall->power_at[m->power.action];

	if (!viewer)
		return false;
	/* The program keeps to LIMIT_POWER_MS; some messages are faster than others. */
	if (!wall->events.power || (*last && now - *last < LIMIT_POWER_MS / 2))
		return true;
	*last = now;
	wall->events.power(wall->arg, m->power.action, viewer);
	return true;
}

bool wall_hear_input(struct wall *wall, const struct link_message *m)
{
	const struct wall_viewer *viewer = roster_controls(&wall->roster, m->input.viewer);

	if (!viewer)
		return false;
	if (!viewer->leaves && wall->events.input)
		wall->events.input(wall->arg, viewer, m);
	return true;
}

static bool on_seen(struct wall *wall, const struct link_message *m)
{
	bool good = m->type == LINK_VIEWER_ADDED
			    ? roster_added(&wall->roster, m)
			    : roster_gone(&wall->roster, m) || wall->options.role == LINK_ROLE_GATE;

	wall_note(wall);
	return good;
}

static bool on_message(struct wall *wall, const struct link_message *m)
{
	if (wall->resuming)
		return wall_hear_resumed(wall, m);
	switch (m->type) {
	case LINK_READY:
		wall->ready = true;
		loop_timer_stop(wall->timer);
		return true;
	case LINK_MAY_WRITE:
		wall->events.may_write(wall->arg, m->publish.generation);
		return true;
	case LINK_BUSY:
		wall->events.busy(wall->arg, m->publish.generation);
		return true;
	case LINK_TAKEN:
		wall->events.taken(wall->arg, m->publish.generation);
		return true;
	case LINK_VIEWER_ADDED:
	case LINK_VIEWER_GONE:
		return on_seen(wall, m);
	case LINK_VIEWER_STATE:
		return roster_state(&wall->roster, m);
	case LINK_TIMES:
		measure_add(MEASURE_ENCODE, &m->times.encode);
		measure_add(MEASURE_WIRE, &m->times.wire);
		measure_count_by(MEASURE_AREA_ENCODED, m->times.areas_encoded);
		measure_count_by(MEASURE_AREA_SHARED, m->times.areas_shared);
		measure_count_by(MEASURE_SHOT_ENCODED, m->times.shots_encoded);
		measure_count_by(MEASURE_SHOT_SENT, m->times.shots_sent);
		measure_count_by(MEASURE_SHOT_LATE, m->times.shots_late);
		return true;
	case LINK_RESIZE:
		return sizes_wish(&wall->sizes, &wall->roster, m);
	case LINK_CHECK:
		return on_check(wall, m);
	case LINK_POWER:
		return on_power(wall, m);
	case LINK_INPUT:
		return wall_hear_input(wall, m);
	case LINK_WATCH:
		wall->watchers = m->watch.count;
		wall->audience = (uint64_t)wall->roster.serial << 32 | m->watch.audience;
		wall->events.watch(wall->arg, wall->watchers);
		return true;
	case LINK_IDLE:
		if (!wall->roster.used)
			wall_end(wall, NULL);
		return true;
	default:
		return false;
	}
}

void wall_on_link(int fd, unsigned int events, void *arg)
{
	struct wall *wall = arg;
	struct link_message message = {0};
	int passed = -EBADF;
	int r;

	/* Some messages at a time, and of those with many events one: other displays have messages too. Behind a grant there is mostly none. */
	for (int i = 0; i < 16 && wall->link >= 0 && message.type != LINK_INPUT &&
			message.type != LINK_MAY_WRITE;
		i++) {
		r = link_receive(wall->link, false, &message, &passed);
		if (r == -EAGAIN)
			break;
		if (r == -EPIPE)
			wall_end(wall, "it hung up");
		else if (r < 0 || !on_message(wall, &message))
			wall_end(wall, "it sent a message that cannot be true");
	}
	explicit_bzero(&message, sizeof(message)); /* a password, maybe */
}
