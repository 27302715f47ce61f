/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "input/typist.h"

#include <errno.h>
#include <sys/queue.h>

#include "base/limits.h"
#include "base/loop.h"
#include "base/mem.h"
#include "input/hands.h"

struct typist {
	TAILQ_ENTRY(typist) link; /* typists::waiting; the first one types */
	struct typists *typists;
	struct script script;
	size_t at;
	typist_done_fn done;
	void *arg;
};

struct typists {
	struct hands *hands;
	struct loop_source *timer;
	TAILQ_HEAD(, typist) waiting;
	size_t used;
};

static void typist_free(struct typist *typist)
{
	struct typists *typists = typist->typists;

	if (typist == TAILQ_FIRST(&typists->waiting))
		hands_leave(typists->hands, HANDS_NOBODY);
	TAILQ_REMOVE(&typists->waiting, typist, link);
	if (!--typists->used)
		loop_timer_stop(typists->timer);
	script_finish(&typist->script);
	free(typist);
}

static void finish(struct typist *typist, int error)
{
	typist_done_fn done = typist->done;
	void *arg = typist->arg;

	typist_free(typist);
	done(arg, error);
}

static void on_timer(void *arg)
{
	struct typists *typists = arg;
	struct typist *typist = TAILQ_FIRST(&typists->waiting);
	const struct script_step *step;
	uint64_t dropped;

	if (!typist)
		return;
	if (!hands_has_keyboard(typists->hands))
		return finish(typist, -ENODEV);
	if (typist->at == typist->script.used)
		return finish(typist, 0);
	step = &typist->script.steps[typist->at++];
	dropped = hands_counts(typists->hands).dropped;
	if (step->code)
		hands_code(typists->hands, HANDS_NOBODY, step->down, step->code);
	else
		hands_key(typists->hands, HANDS_NOBODY, step->down, step->keysym, 0);
	if (hands_counts(typists->hands).dropped != dropped)
		finish(typist, -ENOBUFS);
}

int typists_type(struct typists *typists, struct script *script, typist_done_fn done, void *arg,
	struct typist **ret)
{
	struct typist *typist;

	if (!hands_has_keyboard(typists->hands))
		return -ENODEV;
	if (typists->used == LIMIT_TYPISTS)
		return -EUSERS;
	typist = new0(struct typist);
	if (!typist)
		return -ENOMEM;
	*typist = (struct typist){.typists = typists, .script = *script, .done = done, .arg = arg};
	*script = (struct script){.steps = NULL};
	if (!typists->used++)
		loop_timer_every(typists->timer, LIMIT_TYPE_MS);
	TAILQ_INSERT_TAIL(&typists->waiting, typist, link);
	*ret = typist;
	return 0;
}

void typist_stop(struct typist *typist)
{
	typist_free(typist);
}

int typists_create(struct loop *loop, struct hands *hands, struct typists **ret)
{
	struct typists *typists = new0(struct typists);
	int r;

	if (!typists)
		return -ENOMEM;
	typists->hands = hands;
	TAILQ_INIT(&typists->waiting);
	r = loop_timer_add(loop, on_timer, typists, &typists->timer);
	if (r < 0) {
		free(typists);
		return r;
	}
	*ret = typists;
	return 0;
}

void typists_destroy(struct typists *typists)
{
	struct typist *typist;

	if (!typists)
		return;
	while ((typist = TAILQ_FIRST(&typists->waiting)))
		finish(typist, -ESHUTDOWN);
	loop_source_free(typists->timer);
	free(typists);
}
