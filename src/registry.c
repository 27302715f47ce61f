/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "registry.h"

#include <errno.h>
#include <stdio.h>

#include "admission.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "bulletin.h"
#include "entrance.h"
#include "frame/wall.h"
#include "handover/descriptor.h"
#include "keep.h"

struct registry_entry {
	TAILQ_ENTRY(registry_entry) link; /* registry::entries */
	struct registry *registry;
	struct display *display; /* owned */
	uint64_t number;	 /* in the order of registration */
	struct keep *keep;	 /* owned */
	display_ready_fn ready;	 /* the caller's, NULL once called */
	void *ready_arg;
};

void registry_init(struct registry *registry, struct loop *loop, const struct config *config,
	void (*changed)(void *arg), void *arg)
{
	*registry = (struct registry){
		.loop = loop,
		.config = config,
		.changed = changed,
		.arg = arg,
	};
	TAILQ_INIT(&registry->entries);
}

void registry_release(struct registry *registry)
{
	struct registry_entry *entry, *next;

	for (entry = TAILQ_FIRST(&registry->entries); entry; entry = next) {
		next = TAILQ_NEXT(entry, link);
		display_release(entry->display, DISPLAY_DRAINING, NULL, NULL);
	}
}

void registry_leave(struct registry *registry)
{
	struct registry_entry *entry, *next;

	for (entry = TAILQ_FIRST(&registry->entries); entry; entry = next) {
		next = TAILQ_NEXT(entry, link);
		/* Who waits for a guest that has gone waits for this daemon's. */
		if (display_is_ghost(entry->display))
			display_release(entry->display, DISPLAY_DRAINING, NULL, NULL);
		display_leave(entry->display);
	}
}

static void on_ready(void *arg, struct display *display, int error, const char *reason)
{
	struct registry_entry *entry = arg;
	display_ready_fn ready = take_ptr(entry->ready);

	if (ready)
		ready(entry->ready_arg, display, error, reason);
}

static void on_gone(void *arg)
{
	struct registry_entry *entry = arg;
	struct registry *registry = entry->registry;

	if (display_is_left(entry->display))
		log_info(display_context(entry->display)->id, "left to the next start");
	if (registry->credentials)
		admission_end(entry->display, registry->credentials);
	TAILQ_REMOVE(&registry->entries, entry, link);
	if (registry->hint == entry)
		registry->hint = NULL;
	registry->used--;
	if (!display_is_left(entry->display))
		bulletin_display(BULLETIN_DISPLAY_UNREGISTERED, entry->display);
	display_destroy(entry->display);
	keep_destroy(entry->keep);
	free(entry);
	registry->changed(registry->arg);
}

struct display *registry_find(const struct registry *registry, const char *id)
{
	struct registry_entry *entry;

	TAILQ_FOREACH (entry, &registry->entries, link) {
		if (strcmp(display_context(entry->display)->id, id) == 0)
			return entry->display;
	}
	return NULL;
}

struct display *registry_next(const struct registry *registry, const struct display *after)
{
	struct registry_entry *entry;

	entry = after ? TAILQ_NEXT((struct registry_entry *)display_owner(after), link)
		      : TAILQ_FIRST(&registry->entries);
	return entry ? entry->display : NULL;
}

struct display *registry_after(struct registry *registry, uint64_t *number)
{
	const struct registry_entry *entry = registry->hint;

	if (!entry || entry->number > *number)
		entry = TAILQ_FIRST(&registry->entries);
	while (entry && entry->number <= *number)
		entry = TAILQ_NEXT(entry, link);
	if (!entry)
		return NULL;
	registry->hint = entry;
	*number = entry->number;
	return entry->display;
}

struct display *registry_find_viewer(const struct registry *registry, const char *viewer)
{
	const struct wall_viewer *viewers;
	struct registry_entry *entry;

	TAILQ_FOREACH (entry, &registry->entries, link) {
		size_t n = wall_viewers(display_wall(entry->display), &viewers);

		for (size_t i = 0; i < n; i++)
			if (strcmp(viewers[i].name, viewer) == 0)
				return entry->display;
	}
	return NULL;
}

static const char *unfit_descriptor(const struct handover *h, int *ret_index)
{
	const char *unfit;

	*ret_index = HANDOVER_DEVICE;
	unfit = h->source == SOURCE_VFIO ? descriptor_vfio_device(h->device)
					 : descriptor_surface(h->device);
	if (!unfit && h->change >= 0) {
		*ret_index = HANDOVER_CHANGE;
		unfit = descriptor_eventfd(h->change);
	}
	if (!unfit && h->lease >= 0) {
		*ret_index = HANDOVER_LEASE;
		unfit = descriptor_lease(h->lease);
	}
	if (!unfit && h->render >= 0) {
		*ret_index = HANDOVER_RENDER;
		unfit = descriptor_render(h->render);
	}
	for (size_t i = 0; i < h->listeners_used && !unfit; i++) {
		*ret_index = HANDOVER_LISTENERS + (int)i;
		if (h->listeners[i].fd >= 0)
			unfit = descriptor_listener(h->listeners[i].fd);
	}
	for (size_t i = 0; i < h->inputs_used && !unfit; i++) {
		*ret_index = HANDOVER_INPUTS + (int)i;
		unfit = descriptor_stream(h->inputs[i].fd);
	}
	return unfit;
}

/* Viewers that wait for a guest are not to be shown somebody else's. */
static bool may_inherit(const struct display *ghost, const struct handover *h)
{
	return display_is_ghost(ghost) && (h->uid == 0 || h->uid == display_registrant(ghost)->uid);
}

/* 1: it is there already. 0: it may be registered, and takes over *ret_ghost if there is one. */
static int admit(struct registry *registry, struct handover *h, struct display **ret_ghost,
	const char **ret_reason, int *ret_index)
{
	struct context *context = &h->context;
	struct display *display;
	struct registry_entry *entry;

	*ret_ghost = NULL;
	*ret_reason = unfit_descriptor(h, ret_index);
	if (*ret_reason)
		return -EBADF;
	*ret_reason = "";
	while (!context->id[0]) {
		snprintf(context->id, sizeof(context->id), "display-%u", ++registry->last_name);
		if (registry_find(registry, context->id))
			context->id[0] = '\0';
	}
	display = registry_find(registry, context->id);
	if (display && !may_inherit(display, h))
		return display_same_device(display, h->device) &&
				       display_registrant(display)->uid == h->uid
			       ? 1
			       : -EEXIST;
	TAILQ_FOREACH (entry, &registry->entries, link) {
		if (!display_same_device(entry->display, h->device))
			continue;
		*ret_reason = "is registered under another id";
		*ret_index = HANDOVER_DEVICE;
		return -EBUSY;
	}
	*ret_ghost = display;
	return registry->used >= LIMIT_DISPLAYS + !!display ? -ENOSPC : 0;
}

/* @policies: of the hand-over's listeners, which are open. Consumes @h and @keep; what fails leaves nothing. */
static int establish(struct registry *registry, struct handover *h, struct display *ghost,
	struct link_listener *policies, struct keep *keep, display_ready_fn ready, void *arg,
	const char **ret_reason)
{
	struct handover_listener listeners[LIMIT_LISTENERS];
	struct registry_entry *entry = new0(struct registry_entry);
	size_t n = h->listeners_used;
	int own, r = -ENOMEM;

	memcpy(listeners, h->listeners, sizeof(listeners));
	for (size_t i = 0; i < n; i++)
		h->listeners[i].fd = -EBADF;
	if (entry) {
		*entry = (struct registry_entry){
			.registry = registry, .keep = keep, .ready = ready, .ready_arg = arg};
		r = display_create(registry->loop, registry->config, h, ghost, on_ready, on_gone,
			entry, &entry->display);
	}
	if (r < 0) {
		*ret_reason = "no memory, threads or descriptors are left";
		handover_finish(h);
		entrance_abandon(listeners, n);
		keep_drop(keep);
		keep_destroy(keep);
		free(entry);
		return r;
	}
	admission_begin(entry->display, registry->credentials);
	display_on_layouts(entry->display, registry->layouts);
	memcpy(h->context.id, display_context(entry->display)->id, sizeof(h->context.id));
	own = keep_take_own(keep);
	entrance_give(registry->entrance, entry->display, listeners, policies, n, own);
	keep_begin(keep, entry->display);
	TAILQ_INSERT_TAIL(&registry->entries, entry, link);
	entry->number = ++registry->last_number;
	registry->used++;
	bulletin_display(BULLETIN_DISPLAY_REGISTERED, entry->display);
	registry->changed(registry->arg);
	return 0;
}

int registry_register(struct registry *registry, struct handover *h, display_ready_fn ready,
	void *arg, const char **ret_reason, int *ret_index)
{
	struct link_listener policies[LIMIT_LISTENERS];
	struct display *ghost;
	struct keep *keep;
	int r;

	r = admit(registry, h, &ghost, ret_reason, ret_index);
	if (r == 0)
		r = entrance_open(registry->entrance, h, policies, ret_reason, ret_index);
	if (r == 0) {
		r = keep_create(registry->store, h, &keep);
		if (r < 0)
			entrance_abandon(h->listeners, h->listeners_used);
	}
	if (r != 0) {
		handover_finish(h);
		return r;
	}
	*ret_index = -1;
	return establish(registry, h, ghost, policies, keep, ready, arg, ret_reason);
}

/* Under another configuration a listener may have to go. */
static void reopen(struct registry *registry, struct handover *h, struct keep *keep,
	struct link_listener *policies)
{
	struct handover_listener *at = h->listeners;
	const char *reason;
	size_t i = 0;

	while (i < h->listeners_used) {
		if (entrance_reopen(
			    registry->entrance, &h->context, &at[i], &policies[i], &reason) == 0) {
			i++;
			continue;
		}
		log_warn(h->context.id, "no viewers at %s any more: %s", at[i].address, reason);
		entrance_abandon(&at[i], 1);
		keep_lose_listener(keep, i);
		memmove(&at[i], &at[i + 1], (--h->listeners_used - i) * sizeof(*at));
	}
	for (i = h->listeners_used; i < LIMIT_LISTENERS; i++)
		at[i].fd = -EBADF;
}

int registry_haunt(struct registry *registry, struct handover *h, struct keep *keep)
{
	struct registry_entry *entry = new0(struct registry_entry);
	int r = -ENOMEM;

	if (entry) {
		*entry = (struct registry_entry){.registry = registry, .keep = keep};
		r = display_create_ghost(
			registry->loop, registry->config, h, 0, on_gone, entry, &entry->display);
	}
	if (r < 0) {
		handover_finish(h);
		keep_drop(keep);
		keep_destroy(keep);
		free(entry);
		return r;
	}
	admission_begin(entry->display, registry->credentials);
	TAILQ_INSERT_TAIL(&registry->entries, entry, link);
	entry->number = ++registry->last_number;
	registry->used++;
	r = keep_haunt(keep, entry->display);
	if (r < 0)
		display_release(entry->display, DISPLAY_DRAINING, NULL, NULL);
	return r;
}

int registry_restore(struct registry *registry, struct handover *h, struct keep *keep,
	display_ready_fn ready, void *arg, const char **ret_reason)
{
	struct link_listener policies[LIMIT_LISTENERS];
	struct display *ghost;
	int index, r;

	r = admit(registry, h, &ghost, ret_reason, &index);
	if (r != 0) {
		if (!*ret_reason || !**ret_reason)
			*ret_reason = "another display has its id, or there are too many";
		handover_finish(h);
		keep_drop(keep);
		keep_destroy(keep);
		return r > 0 ? -EEXIST : r;
	}
	reopen(registry, h, keep, policies);
	r = establish(registry, h, ghost, policies, keep, ready, arg, ret_reason);
	if (r == 0)
		keep_resume(keep);
	return r;
}
