/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qmp_text.h - what QEMU says, cut into JSON objects. No I/O. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct qmp_text {
	char *bytes; /* owned */
	size_t room, used;
	size_t looked; /* up to here braces are counted */
	unsigned int depth;
	bool quoted, escaped;
};

void qmp_text_finish(struct qmp_text *text);
/* Where the next bytes are to go, @limit in all at the most. -EMSGSIZE: a message is longer than that; -ENOMEM. */
int qmp_text_room(struct qmp_text *text, size_t limit, char **ret, size_t *ret_size);
/* So many have come. */
void qmp_text_add(struct qmp_text *text, size_t n);
/* 1: *@ret is the next one; 0: it has not come whole. -EPROTO: this is no JSON object, or one that is nested too deep; -ENOMEM. */
int qmp_text_next(struct qmp_text *text, json_t **ret);
