/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * A group is in one of three places: with the daemon, which is not read while `groups` is half full and merges there; in `groups`; or with
 * QEMU (`flight`), of which it is not known yet whether it was taken. `held` is what QEMU knows to be down if all of those in flight are
 * taken. One that was refused (the VM is paused) or got no answer may leave down what it was to let go: that is owed, and goes out before
 * anything else. Nothing that was once refused or lost is pressed again.
 *
 * QEMU comes first: while it is away the display has no input of ours, so that its viewers' keys are not taken to be typed.
 */
#include "adapter/typist.h"

#include <errno.h>
#include <linux/input-event-codes.h>

#include "adapter/held.h"
#include "adapter/translate.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

enum { REST_MS = 1000 };

struct typist {
	struct typist_settings settings;
	struct post *post;
	struct qmp *qmp;
	struct loop_source *timer;
	struct translate translate;
	struct groups groups;
	struct group flight[LIMIT_QMP_FLIGHT]; /* a ring */
	size_t first, used;
	struct held held;
	bool began; /* QEMU was there once */
	bool rests; /* QEMU has refused the last one: what is owed waits for the timer, or for one that is taken */
	bool stops, done;
};

static void finish(struct typist *typist)
{
	if (!typist->stops || typist->done)
		return;
	typist->done = true;
	typist->settings.done(typist->settings.arg);
}

/* ---- To QEMU ---- */

static void send_group(struct typist *typist, const struct group *group)
{
	json_t *events = translate_group(&typist->translate, group);

	held_sent(&typist->held, group);
	if (events && json_array_size(events) == 0) {
		json_decref(events); /* nothing that this QEMU knows */
		return;
	}
	if (!events || qmp_input(typist->qmp, events) < 0) {
		held_failed(&typist->held, group);
		typist->rests = true;
		return;
	}
	typist->flight[(typist->first + typist->used++) % LIMIT_QMP_FLIGHT] = *group;
}

static void pump(struct typist *typist)
{
	struct group group, *next;

	while (qmp_up(typist->qmp) && typist->used < LIMIT_QMP_FLIGHT) {
		if (!typist->rests && held_settle(&typist->held, &group)) {
			send_group(typist, &group);
			continue;
		}
		next = groups_peek(&typist->groups);
		if (!next)
			break;
		send_group(typist, next);
		groups_pop(&typist->groups);
	}
	if (held_owes(&typist->held) && typist->rests)
		loop_timer_once(typist->timer, REST_MS);
	post_hold(typist->post, groups_full(&typist->groups));
	if (!typist->used && !held_owes(&typist->held))
		finish(typist);
}

static void on_timer(void *arg)
{
	struct typist *typist = arg;

	typist->rests = false;
	if (typist->stops)
		finish(typist);
	else
		pump(typist);
}

static void on_answered(void *arg, bool taken)
{
	struct typist *typist = arg;

	assert(typist->used);
	if (!taken)
		held_failed(&typist->held, &typist->flight[typist->first]);
	typist->first = (typist->first + 1) % LIMIT_QMP_FLIGHT;
	typist->used--;
	typist->rests = !taken;
	pump(typist);
}

static unsigned int choose_kinds(const struct typist *typist, const struct qmp_facts *facts)
{
	unsigned int kinds = typist->settings.kinds;

	if (!kinds)
		return 1u << INPUT_KEYBOARD |
		       1u << (facts->absolute ? INPUT_ABSOLUTE_POINTER : INPUT_RELATIVE_POINTER);
	if (kinds >> INPUT_TOUCH & 1 && !typist->translate.touch) {
		log_warn(typist->settings.post.id, "this QEMU takes no touch; 8.1 and later do");
		kinds &= ~(1u << INPUT_TOUCH);
	}
	return kinds;
}

/* Who was here before may have been killed while it held some. Of those a guest that is not told thinks for ever. */
static void suspect_modifiers(struct typist *typist)
{
	static const uint16_t modifiers[] = {KEY_LEFTSHIFT, KEY_RIGHTSHIFT, KEY_LEFTCTRL,
		KEY_RIGHTCTRL, KEY_LEFTALT, KEY_RIGHTALT, KEY_LEFTMETA, KEY_RIGHTMETA};
	struct group group = {.kind = INPUT_KEYBOARD};

	for (size_t i = 0; i < ARRAY_SIZE(modifiers); i++)
		group.events[group.used++] = (struct input_event){EV_KEY, modifiers[i], 1};
	held_sent(&typist->held, &group);
	held_let_go(&typist->held);
}

static void on_up(void *arg, const struct qmp_facts *facts)
{
	struct typist *typist = arg;

	translate_init(&typist->translate, facts->schema);
	if (!typist->began)
		suspect_modifiers(typist);
	typist->began = true;
	typist->rests = false;
	pump(typist);
	if (!typist->stops)
		post_offer(typist->post, choose_kinds(typist, facts));
}

static void on_down(void *arg)
{
	struct typist *typist = arg;

	for (; typist->used; typist->used--) {
		held_failed(&typist->held, &typist->flight[typist->first]);
		typist->first = (typist->first + 1) % LIMIT_QMP_FLIGHT;
	}
	post_offer(typist->post, 0);
	groups_clear(&typist->groups);
	held_let_go(&typist->held);
	finish(typist);
}

static const struct qmp_events qmp_events = {.up = on_up, .down = on_down, .answered = on_answered};

/* ---- From the daemon ---- */

static void on_group(void *arg, const struct group *group)
{
	struct typist *typist = arg;

	if (!groups_push(&typist->groups, group)) {
		/* It is not read at that point: its releases are not to be lost even so. */
		held_failed(&typist->held, group);
		return;
	}
	pump(typist);
}

static void on_post(void *arg, bool connected)
{
	struct typist *typist = arg;

	if (!connected) {
		groups_clear(&typist->groups);
		held_let_go(&typist->held);
		pump(typist);
	}
	typist->settings.changed(typist->settings.arg, connected);
}

static const struct post_events post_events = {.group = on_group, .changed = on_post};

int typist_create(struct loop *loop, const struct typist_settings *settings, struct typist **ret)
{
	struct typist *typist = new0(struct typist);
	int r;

	if (!typist)
		return -ENOMEM;
	typist->settings = *settings;
	r = loop_timer_add(loop, on_timer, typist, &typist->timer);
	if (r == 0)
		r = post_create(loop, &settings->post, &post_events, typist, &typist->post);
	if (r == 0)
		r = qmp_create(loop, &settings->qmp, &qmp_events, typist, &typist->qmp);
	if (r < 0) {
		typist_destroy(typist);
		return r;
	}
	*ret = typist;
	return 0;
}

void typist_destroy(struct typist *typist)
{
	if (!typist)
		return;
	qmp_destroy(typist->qmp);
	post_destroy(typist->post);
	loop_source_free(typist->timer);
	free(typist);
}

void typist_stop(struct typist *typist)
{
	typist->stops = true;
	loop_timer_once(typist->timer, REST_MS);
	post_offer(typist->post, 0);
	pump(typist);
	if (!qmp_up(typist->qmp))
		finish(typist);
}
