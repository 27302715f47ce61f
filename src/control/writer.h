/* SPDX-License-Identifier: GPL-2.0-or-later */
/* writer.h - writes JSON straight as text, for what is written a thousand times over.
 *
 * Names are constants of the interface, and need no escapes; texts may be anything: one that is no UTF-8 (a driver's, an RFB
 * program's) comes with its foreign bytes masked. Want of memory shows at the end.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shared;

struct writer {
	char *text; /* owned; NUL-terminated */
	size_t used, size;
	bool failed;
};

void writer_init(struct writer *writer);
void writer_finish(struct writer *writer);

/* @name: NULL in an array and for the outermost. @bracket: '{' or '['; what closes it: '}' or ']'. */
void writer_open(struct writer *writer, const char *name, char bracket);
void writer_close(struct writer *writer, char bracket);
void writer_text(struct writer *writer, const char *name, const char *text);
/* Nothing where @text is NULL or empty. */
void writer_text_if(struct writer *writer, const char *name, const char *text);
/* As writer_text(), under a name that may be anything. */
void writer_pair(struct writer *writer, const char *name, const char *text);
void writer_number(struct writer *writer, const char *name, int64_t number);
void writer_bool(struct writer *writer, const char *name, bool value);

/* What was written: a reply's text (varlink/server.h), and as jansson has it. Both finish the writer, and return NULL for want of memory. */
struct shared *writer_reply(struct writer *writer);
json_t *writer_json(struct writer *writer);
