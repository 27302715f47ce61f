/* SPDX-License-Identifier: GPL-2.0-or-later */
/* registry.h - every display that is there: found by its id, its device or a viewer; checked and started when it is handed over. Main
 * thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "display.h"

struct config;
struct credentials;
struct entrance;
struct loop;
struct keep;
struct layouts;
struct registry_entry;
struct store;

struct registry {
	/* Borrowed; set before the first registration. Without credentials, which is at the end, nobody can be admitted. */
	struct loop *loop;
	const struct config *config;
	struct credentials *credentials;
	struct entrance *entrance;
	struct store *store;
	struct layouts *layouts;
	void (*changed)(void *arg); /* a display has come or gone */
	void *arg;

	TAILQ_HEAD(, registry_entry) entries;
	size_t used;
	unsigned int last_name; /* of those that were made up */
	uint64_t last_number;
	const struct registry_entry *hint; /* the last that registry_after() found, NULL: none */
};

/* All must have gone before the registry does. */
void registry_init(struct registry *registry, struct loop *loop, const struct config *config,
	void (*changed)(void *arg), void *arg);
/* As manager_register() (manager.h), but for -ESHUTDOWN. */
int registry_register(struct registry *registry, struct handover *handover, display_ready_fn ready,
	void *arg, const char **ret_reason, int *ret_index);
/* A display that came back, with its @keep, which is consumed, and its @own socket (entrance_give()). As registry_register(), but that what
 * is in the store is dropped where it fails. */
int registry_restore(struct registry *registry, struct handover *handover, struct keep *keep, display_ready_fn ready, void *arg,
	const char **ret_reason);
/* Its lease has ended, and its viewers wait: they are a ghost's. @keep is consumed; of @handover, descriptors are gone. */
int registry_haunt(struct registry *registry, struct handover *handover, struct keep *keep);
/* Lets go of every display. changed() follows for each. */
void registry_release(struct registry *registry);
/* Leaves them to the next daemon: display_leave(). Those that are being released go on with that. changed() follows for each. */
void registry_leave(struct registry *registry);

struct display *registry_find(const struct registry *registry, const char *id);
/* NULL begins; NULL ends. Order of registration. */
struct display *registry_next(const struct registry *registry, const struct display *after);
/* The first with a number beyond *number, and its number; 0 begins, NULL ends. In the order of registration; a number is never given
 * again, so that a walk can be left and gone on with while displays come and go. */
struct display *registry_after(struct registry *registry, uint64_t *number);
struct display *registry_find_viewer(const struct registry *registry, const char *viewer);
