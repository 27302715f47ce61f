/* SPDX-License-Identifier: GPL-2.0-or-later */
/* catalogue.h - what the daemon says there is, as it is to stand elsewhere. The stores compare with it; nobody tells them what changed. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct settings;

struct catalogue {
	const struct settings *settings;
	json_t *records; /* id: text of its record */
	json_t *tokens;	 /* id: {token, target} */
	bool known;	 /* false: the daemon has not told yet, and what stands elsewhere may be right */
	uint64_t changes; /* grows with each */
};

int catalogue_init(struct catalogue *catalogue, const struct settings *settings);
void catalogue_finish(struct catalogue *catalogue);
/* @entries: an object of objects with context and runtime of a display, all that there are; NULL: none. -ENOMEM, -EBADMSG: nothing was
 * changed. */
int catalogue_replace(struct catalogue *catalogue, json_t *entries);
/* One of them. -ENOMEM, -EBADMSG. */
int catalogue_put(struct catalogue *catalogue, const json_t *entry);
void catalogue_remove(struct catalogue *catalogue, const char *id);
