/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * Whoever has the other end of the QMP socket may be a guest that has taken over its QEMU. What it can do here: make this program hold one
 * message, LIMIT_QMP_MESSAGE long (LIMIT_QMP_SCHEMA while the schema is awaited), and parse it once. An object ends where its braces do, for QEMU can be
 * told to break lines within one; they are counted outside of strings as the bytes come, each byte once. The same count keeps what is nested
 * too deep from jansson, which recurses.
 */
#include "adapter/qmp_text.h"

#include <errno.h>

#include "base/limits.h"
#include "base/mem.h"

enum { FIRST_ROOM = 4096 };

void qmp_text_finish(struct qmp_text *text)
{
	free(text->bytes);
	*text = (struct qmp_text){0};
}

int qmp_text_room(struct qmp_text *text, size_t limit, char **ret, size_t *ret_size)
{
	if (text->used == text->room) {
		size_t room = text->room ? text->room * 2 : FIRST_ROOM;
		char *bytes;

		if (text->used >= limit)
			return -EMSGSIZE;
		bytes = realloc(text->bytes, MIN(room, limit));
		if (!bytes)
			return -ENOMEM;
		text->bytes = bytes;
		text->room = MIN(room, limit);
	}
	*ret = text->bytes + text->used;
	*ret_size = text->room - text->used;
	return 0;
}

void qmp_text_add(struct qmp_text *text, size_t n)
{
	assert(n <= text->room - text->used);
	text->used += n;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* One byte outside of strings. */
static int count(struct qmp_text *text, char c)
{
	if (c == '"')
		text->quoted = true;
	else if (c == '{' || c == '[')
		text->depth++;
	else if (c == '}' || c == ']')
		text->depth--;
	return text->depth > LIMIT_QMP_DEPTH ? -EPROTO : 0;
}

static void drop(struct qmp_text *text, size_t n)
{
	text->used -= n;
	memmove(text->bytes, text->bytes + n, text->used);
	text->looked = 0;
	if (text->used == 0 && text->room > LIMIT_QMP_MESSAGE) /* it was the schema */
		qmp_text_finish(text);
}

static int parse(struct qmp_text *text, json_t **ret)
{
	json_t *object = json_loadb(text->bytes, text->looked, JSON_REJECT_DUPLICATES, NULL);

	if (!object)
		return -EPROTO;
	drop(text, text->looked);
	*ret = object;
	return 1;
}

int qmp_text_next(struct qmp_text *text, json_t **ret)
{
	while (text->looked < text->used) {
		char c = text->bytes[text->looked++];
		int r = 0;

		if (text->quoted) {
			text->quoted = text->escaped || c != '"';
			text->escaped = !text->escaped && c == '\\';
		} else if (text->depth > 0) {
			r = count(text, c);
			if (r == 0 && text->depth == 0)
				return parse(text, ret);
		} else if (c == '{') {
			text->depth = 1;
			drop(text, text->looked - 1); /* the space before it */
			text->looked = 1;
		} else if (!is_space(c)) {
			r = -EPROTO;
		}
		if (r < 0)
			return r;
	}
	if (text->depth == 0 && text->used)
		drop(text, text->used);
	return 0;
}
