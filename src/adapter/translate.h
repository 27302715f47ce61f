/* SPDX-License-Identifier: GPL-2.0-or-later */
/* translate.h - the kernel's events as those of QMP's input-send-event (qapi/ui.json). No I/O. */
#pragma once

#include <jansson.h>

#include "adapter/groups.h"

struct translate {
	bool touch;    /* this QEMU has multi-touch: 8.1 and later */
	bool sideways; /* its wheels go left and right: 7.0 and later */
	struct {
		int tracking;  /* -1: it is up */
		int32_t at[2]; /* x, y */
	} contacts[LIMIT_INPUT_CONTACTS];
	unsigned int slot;
};

/* What QEMU says of itself: the answer to query-qmp-schema. */
void translate_init(struct translate *translate, const json_t *schema);
/* The list "events" of one call; an empty one where QEMU has none of these. NULL: no memory. */
json_t *translate_group(struct translate *translate, const struct group *group);
