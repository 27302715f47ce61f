/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "keep.h"

#include <errno.h>
#include <string.h>

#include "base/discard.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "display.h"
#include "frame/listeners.h"
#include "frame/wall.h"
#include "input/inputs.h"
#include "input/pending.h"
#include "memo.h"
#include "state/record.h"
#include "state/store.h"

struct keep {
	struct store *store;	 /* borrowed */
	struct display *display; /* borrowed; NULL: not begun */
	struct record *record;	 /* owned; NULL: nothing is kept */
	char state[STORE_NAME];
	int own, link, program; /* owned: claimed, and not yet taken */
	bool resuming;		/* the program is noted already */
	struct memo memo;
};

static void drop_all(struct keep *keep)
{
	struct memo *memo = &keep->memo;

	store_drop(keep->store, keep->state);
	for (size_t i = 0; i < ARRAY_SIZE(memo->names); i++)
		store_drop(keep->store, memo->names[i]);
	store_drop(keep->store, memo->own);
	store_drop(keep->store, memo->call);
	store_drop(keep->store, memo->link);
	store_drop(keep->store, memo->program);
}

static void give_up(struct keep *keep, const char *id, const char *why)
{
	log_warn(id, "it will not outlive a restart: %s", why);
	keep_drop(keep);
}

/* ---- the record follows the display ---- */

static void note(struct keep *keep)
{
	char *text;
	size_t size;
	int r;

	if (!keep->record || !keep->display)
		return;
	wall_kept(display_wall(keep->display), &keep->memo.wall);
	keep->memo.last_program = wall_last_program();
	text = memo_write(&keep->memo, display_registrant(keep->display), &size);
	r = text ? record_write(keep->record, text, size) : -ENOMEM;
	free(text);
	/* An old record would bring back viewers that were sent away. */
	if (r < 0)
		give_up(keep, display_context(keep->display)->id, strerror(-r));
}

static void on_wall_changed(void *arg)
{
	note(arg);
}

/* The descriptors first, then the record: without it they mean nothing. The other way round when it ends. */
static void on_program(void *arg, int link, int pidfd)
{
	struct keep *keep = arg;
	struct memo *memo = &keep->memo;
	char old_link[STORE_NAME], old_program[STORE_NAME];
	int r = 0;

	if (!keep->record || keep->resuming)
		return;
	memcpy(old_link, memo->link, STORE_NAME);
	memcpy(old_program, memo->program, STORE_NAME);
	memo->link[0] = memo->program[0] = '\0';
	if (link >= 0)
		r = store_put(keep->store, STORE_LINK, link, memo->link);
	if (link >= 0 && r == 0)
		r = store_put(keep->store, STORE_PROGRAM, pidfd, memo->program);
	if (r < 0) {
		log_warn(display_context(keep->display)->id,
			"its RFB program will not outlive a restart: %s", strerror(-r));
		store_drop(keep->store, memo->link);
	}
	note(keep);
	store_drop(keep->store, old_link);
	store_drop(keep->store, old_program);
}

static const struct wall_keeper wall_keeper = {
	.program = on_program,
	.changed = on_wall_changed,
};

static void on_released(void *arg)
{
	struct keep *keep = arg;

	wall_keep(display_wall(keep->display), NULL, NULL);
	keep_drop(keep);
}

static void on_answered(void *arg)
{
	struct keep *keep = arg;

	keep->memo.answered = true;
	note(keep);
}

static void on_call_gone(void *arg)
{
	struct keep *keep = arg;
	char name[STORE_NAME];

	memcpy(name, keep->memo.call, sizeof(name));
	keep->memo.call[0] = '\0';
	note(keep);
	store_drop(keep->store, name);
}

static int on_settle(void *arg, display_done_fn fn, void *fn_arg)
{
	return store_barrier(((struct keep *)arg)->store, fn, fn_arg);
}

/* What is down at each kind of sink: changed with each key, so it has no place in the record's text. */
static struct sink_seen *seen_of(struct keep *keep)
{
	_Static_assert(sizeof(struct sink_seen[LIMIT_INPUTS]) <= RECORD_WORDS * sizeof(uint64_t),
		"there is room for all");

	return (struct sink_seen *)record_words(keep->record);
}

/* Those that are connected. The new ones are put before the old ones go: some are the same. */
static void on_inputs(void *arg, int lost)
{
	struct keep *keep = arg;
	const struct inputs *inputs = display_inputs(keep->display);
	char(*names)[STORE_NAME] = &keep->memo.names[HANDOVER_INPUTS],
	old[LIMIT_INPUTS][STORE_NAME];

	if (!keep->record)
		return;
	if (lost < 0) {
		memset(seen_of(keep), 0, sizeof(struct sink_seen[LIMIT_INPUTS]));
		inputs_note(display_inputs(keep->display), seen_of(keep));
	}
	memcpy(old, names, sizeof(old));
	memset(names, 0, sizeof(old));
	for (size_t i = 0; i < inputs->used; i++) {
		int fd = inputs_fd(inputs, i);

		keep->memo.inputs[i] = inputs->slots[i]->kind;
		if (fd >= 0 && (int)i != lost &&
			store_put(keep->store, STORE_INPUT, fd, names[i]) < 0)
			log_warn(display_context(keep->display)->id,
				"its %s will not outlive a restart",
				input_kind_name(inputs->slots[i]->kind.kind));
	}
	note(keep);
	for (size_t i = 0; i < LIMIT_INPUTS; i++)
		store_drop(keep->store, old[i]);
}

static const struct display_keeper display_keeper = {
	.changed = on_wall_changed,
	.released = on_released,
	.answered = on_answered,
	.call_gone = on_call_gone,
	.inputs = on_inputs,
	.settle = on_settle,
};

/* ---- a new one ---- */

static struct keep *keep_new(struct store *store)
{
	struct keep *keep = new0(struct keep);

	if (!keep)
		return NULL;
	keep->store = store;
	keep->own = keep->link = keep->program = -EBADF;
	return keep;
}

static int put_all(struct keep *keep, const struct handover *h)
{
	const struct {
		enum handover_place place;
		enum store_kind kind;
		int fd;
	} single[] = {
		{HANDOVER_DEVICE, STORE_DEVICE, h->device},
		{HANDOVER_CHANGE, STORE_CHANGE, h->change},
		{HANDOVER_LEASE, STORE_LEASE, h->lease},
		{HANDOVER_RENDER, STORE_RENDER, h->render},
	};
	struct memo *memo = &keep->memo;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(single) && r == 0; i++)
		if (single[i].fd >= 0)
			r = store_put(keep->store, single[i].kind, single[i].fd,
				memo->names[single[i].place]);
	for (size_t i = 0; i < h->listeners_used && r == 0; i++)
		r = store_put(keep->store, STORE_LISTEN, h->listeners[i].fd,
			memo->names[HANDOVER_LISTENERS + i]);
	for (size_t i = 0; i < h->inputs_used && r == 0; i++)
		r = store_put(keep->store, STORE_INPUT, h->inputs[i].fd,
			memo->names[HANDOVER_INPUTS + i]);
	memcpy(memo->inputs, h->inputs, sizeof(memo->inputs));
	if (r == 0 && h->call >= 0)
		r = store_put(keep->store, STORE_CALL, h->call, memo->call);
	return r;
}

int keep_create(struct store *store, const struct handover *h, struct keep **ret)
{
	struct keep *keep = keep_new(store);
	int r = 0;

	if (!keep)
		return -ENOMEM;
	*ret = keep;
	if (!store_is_open(store))
		return 0;
	r = record_create(&keep->record);
	if (r == 0)
		r = put_all(keep, h);
	if (r < 0)
		give_up(keep, h->context.id, strerror(-r));
	return 0;
}

/* The daemon has made it, beside those of the registrant, and has its file's name. -EBADF: there is none. */
static int find_own(struct keep *keep)
{
	const struct handover *h = display_registrant(keep->display);
	const struct listener *listeners;
	size_t n = wall_listeners(display_wall(keep->display), &listeners);

	for (size_t i = h->listeners_used; i < n; i++)
		if (listeners[i].unlink_path)
			return listeners[i].fd;
	return -EBADF;
}

/* @ret_old: what was kept in its place; under another configuration it is another one, or none. */
static int put_own(struct keep *keep, char ret_old[STORE_NAME])
{
	int fd = find_own(keep);

	ret_old[0] = '\0';
	if (fd >= 0 && store_holds(keep->store, keep->memo.own, fd))
		return 0;
	memcpy(ret_old, keep->memo.own, STORE_NAME);
	keep->memo.own[0] = '\0';
	return fd < 0 ? 0 : store_put(keep->store, STORE_LISTEN, fd, keep->memo.own);
}

void keep_begin(struct keep *keep, struct display *display)
{
	const char *id = display_context(display)->id;
	char own[STORE_NAME];
	int r;

	keep->display = display;
	display_keep(display, &display_keeper, keep);
	if (!keep->record)
		return;
	inputs_note(display_inputs(display), seen_of(keep));
	r = put_own(keep, own);
	/* A program that came back is noted as it was until keep_resume(). */
	if (r == 0 && keep->link < 0)
		note(keep);
	if (r == 0 && keep->record && !keep->state[0])
		r = store_put(keep->store, STORE_STATE, record_fd(keep->record), keep->state);
	if (r < 0)
		give_up(keep, id, strerror(-r));
	else if (keep->link < 0)
		wall_keep(display_wall(display), &wall_keeper, keep);
	store_drop(keep->store, own);
}

/* ---- one that came back ---- */

/* What nobody has is not to be dropped either: somebody else may have it. */
static int claim(struct keep *keep, enum store_kind kind, char name[STORE_NAME])
{
	int fd = name[0] ? store_claim(keep->store, name, kind) : -EBADF;

	if (fd < 0)
		name[0] = '\0';
	return fd;
}

/* What one attempt has claimed. */
struct claims {
	struct keep *keep;
	size_t used;
	char names[HANDOVER_PLACES][STORE_NAME];
};

static enum store_kind kind_of_place(const char *name)
{
	return strncmp(name, "device.", 7) == 0 ? STORE_DEVICE : STORE_LEASE;
}

static int on_take(void *arg, const char *name)
{
	struct claims *claims = arg;
	int fd = store_claim(claims->keep->store, name, kind_of_place(name));

	if (fd >= 0)
		memcpy(claims->names[claims->used++], name, strlen(name) + 1);
	return fd;
}

static int read_record(struct keep *keep, struct handover *ret)
{
	struct claims claims = {.keep = keep};
	struct memo *memo = &keep->memo;
	const char *text;
	size_t size;
	int fd, r;

	fd = store_claim(keep->store, keep->state, STORE_STATE);
	if (fd < 0)
		return fd;
	r = record_open(fd, &keep->record);
	if (r < 0)
		return r;
	text = record_text(keep->record, &size);
	if (!size)
		return -ESTALE;
	r = memo_read(text, size, on_take, &claims, memo, ret);
	if (r < 0) {
		*memo = (struct memo){0};
		memcpy(memo->names, claims.names, sizeof(memo->names));
		return r;
	}
	ret->call = claim(keep, STORE_CALL, memo->call);
	ret->answered = memo->answered;
	keep->own = claim(keep, STORE_LISTEN, memo->own);
	keep->link = claim(keep, STORE_LINK, memo->link);
	keep->program = claim(keep, STORE_PROGRAM, memo->program);
	wall_programs_begin(memo->last_program);
	return 0;
}

int keep_open(
	struct store *store, const char *name, struct keep **ret, struct handover *ret_handover)
{
	struct keep *keep = keep_new(store);

	handover_init(ret_handover);
	if (!keep)
		return -ENOMEM;
	*ret = keep;
	memcpy(keep->state, name, strlen(name) + 1);
	return read_record(keep, ret_handover);
}

void keep_lose_listener(struct keep *keep, size_t index)
{
	char(*names)[STORE_NAME] = &keep->memo.names[HANDOVER_LISTENERS];

	store_drop(keep->store, names[index]);
	memmove(names[index], names[index + 1], (LIMIT_LISTENERS - 1 - index) * STORE_NAME);
	names[LIMIT_LISTENERS - 1][0] = '\0';
}

int keep_take_own(struct keep *keep)
{
	return take_fd(&keep->own);
}

static void forget_program(struct keep *keep)
{
	char link[STORE_NAME], program[STORE_NAME];

	memcpy(link, keep->memo.link, sizeof(link));
	memcpy(program, keep->memo.program, sizeof(program));
	keep->memo.link[0] = keep->memo.program[0] = '\0';
	note(keep);
	store_drop(keep->store, link);
	store_drop(keep->store, program);
}

void keep_resume(struct keep *keep)
{
	struct wall *wall = display_wall(keep->display);
	int r = -ENOENT;

	if (keep->link >= 0 && keep->program >= 0) {
		r = wall_adopt(
			wall, take_fd(&keep->link), take_fd(&keep->program), &keep->memo.wall);
		if (r < 0)
			log_notice(display_context(keep->display)->id,
				"its RFB program cannot go on, viewers must reconnect: %s",
				strerror(-r));
	}
	fd_closep(&keep->link);
	fd_closep(&keep->program);
	if (r < 0)
		forget_program(keep);
	keep->resuming = r == 0;
	wall_keep(wall, &wall_keeper, keep);
	keep->resuming = false;
}

bool keep_has_viewers(const struct keep *keep)
{
	const struct roster_kept *roster = &keep->memo.wall.roster;
	bool in = false;

	for (size_t i = 0; i < roster->used; i++)
		in |= roster->at[i].in;
	return in && keep->link >= 0 && keep->program >= 0;
}

int keep_haunt(struct keep *keep, struct display *ghost)
{
	int r = wall_adopt(display_wall(ghost), take_fd(&keep->link), take_fd(&keep->program),
		&keep->memo.wall);

	keep_drop(keep);
	return r;
}

/* systemd may hear of it late; the record is its, too, and says at once that there is nothing to go on with. */
void keep_drop(struct keep *keep)
{
	if (keep->record)
		record_write(keep->record, "", 0);
	if (keep->record && keep->display)
		inputs_note(display_inputs(keep->display), NULL);
	drop_all(keep);
	fd_discardp(&keep->own);
	fd_closep(&keep->link);
	fd_closep(&keep->program);
	record_destroy(take_ptr(keep->record));
}

void keep_destroy(struct keep *keep)
{
	if (!keep)
		return;
	fd_discardp(&keep->own);
	fd_closep(&keep->link);
	fd_closep(&keep->program);
	record_destroy(keep->record);
	free(keep);
}
