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

struct registry_entry {
	TAILQ_ENTRY(registry_entry) link; /* registry::entries */
	struct registry *registry;
	struct display *display; /* owned */
	uint64_t number;	 /* in the order of registration */
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

	log_info(display_context(entry->display)->id, "released");
	if (registry->credentials)
		admission_end(entry->display, registry->credentials);
	TAILQ_REMOVE(&registry->entries, entry, link);
	if (registry->hint == entry)
		registry->hint = NULL;
	registry->used--;
	bulletin_display(BULLETIN_DISPLAY_UNREGISTERED, entry->display);
	display_destroy(entry->display);
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

int registry_register(struct registry *registry, struct handover *h, display_ready_fn ready,
	void *arg, const char **ret_reason, int *ret_index)
{
	struct link_listener policies[LIMIT_LISTENERS];
	struct handover_listener listeners[LIMIT_LISTENERS];
	size_t listeners_used = h->listeners_used;
	struct registry_entry *entry = NULL;
	struct display *ghost;
	int r;

	r = admit(registry, h, &ghost, ret_reason, ret_index);
	if (r == 0)
		r = entrance_open(registry->entrance, h, policies, ret_reason, ret_index);
	if (r == 0 && !(entry = new0(struct registry_entry))) {
		entrance_abandon(h->listeners, h->listeners_used);
		r = -ENOMEM;
	}
	if (r != 0) {
		handover_finish(h);
		return r;
	}
	memcpy(listeners, h->listeners, sizeof(listeners));
	for (size_t i = 0; i < listeners_used; i++)
		h->listeners[i].fd = -EBADF;
	entry->registry = registry;
	entry->ready = ready;
	entry->ready_arg = arg;
	*ret_index = -1;
	r = display_create(registry->loop, registry->config, h, ghost, on_ready, on_gone, entry,
		&entry->display);
	if (r < 0) {
		*ret_reason = "no memory, threads or descriptors are left";
		entrance_abandon(listeners, listeners_used);
		free(entry);
		return r;
	}
	admission_begin(entry->display, registry->credentials);
	memcpy(h->context.id, display_context(entry->display)->id, sizeof(h->context.id));
	entrance_give(registry->entrance, entry->display, listeners, policies, listeners_used);
	TAILQ_INSERT_TAIL(&registry->entries, entry, link);
	entry->number = ++registry->last_number;
	registry->used++;
	bulletin_display(BULLETIN_DISPLAY_REGISTERED, entry->display);
	registry->changed(registry->arg);
	return 0;
}
