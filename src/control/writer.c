/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/writer.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "varlink/server.h"

enum { FIRST_BYTES = 2048 }; /* of most displays */

void writer_init(struct writer *writer)
{
	*writer = (struct writer){.text = malloc(FIRST_BYTES), .size = FIRST_BYTES};
	writer->failed = !writer->text;
}

void writer_finish(struct writer *writer)
{
	free(take_ptr(writer->text));
	writer->failed = true;
}

/* Where @bytes and a NUL can be written; NULL: out of memory. */
static char *room(struct writer *writer, size_t bytes)
{
	size_t size = writer->size;
	char *text;

	while (size - writer->used <= bytes)
		size *= 2;
	if (writer->failed)
		return NULL;
	if (size == writer->size)
		return writer->text + writer->used;
	text = realloc(writer->text, size);
	if (!text) {
		writer->failed = true;
		return NULL;
	}
	writer->text = text;
	writer->size = size;
	return text + writer->used;
}

static void put(struct writer *writer, const char *bytes, size_t n)
{
	char *at = room(writer, n);

	if (!at)
		return;
	memcpy(at, bytes, n);
	at[n] = '\0';
	writer->used += n;
}

static void put_char(struct writer *writer, char c)
{
	put(writer, &c, 1);
}

/* The bytes of the character at @text; 0: it is no UTF-8 (RFC 3629). */
static size_t character(const unsigned char *text)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
	uint32_t code = text[0] & 0x7f >> (n > 1 ? n : 0);

	if ((text[0] >= 0x80 && text[0] < 0xc0) || text[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	return code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : n;
}

static bool is_utf8(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t n = 1;

	while (*at && n > 0)
		at += n = character(at);
	return n > 0;
}

static void put_escaped(struct writer *writer, unsigned char c)
{
	char escape[8];

	if (c >= ' ')
		return put(writer, (char[]){'\\', (char)c}, 2);
	put(writer, escape, (size_t)snprintf(escape, sizeof(escape), "\\u%04x", c));
}

static void put_string(struct writer *writer, const char *text)
{
	bool masked = !is_utf8(text);
	size_t plain = 0;

	put_char(writer, '"');
	for (const char *c = text; *c; c += plain) {
		unsigned char byte = (unsigned char)*c;

		for (plain = 0; (unsigned char)c[plain] >= ' ' && c[plain] != '"' &&
				c[plain] != '\\' && (!masked || (c[plain] & 0x80) == 0);
			plain++)
			;
		put(writer, c, plain);
		if (plain > 0)
			continue;
		plain = 1;
		if (masked && (byte < ' ' || byte > '~'))
			put_char(writer, '?');
		else
			put_escaped(writer, byte);
	}
	put_char(writer, '"');
}

/* What comes before a value. */
static void put_name(struct writer *writer, const char *name)
{
	char last = writer->used > 0 && !writer->failed ? writer->text[writer->used - 1] : '{';

	if (last != '{' && last != '[')
		put_char(writer, ',');
	if (!name)
		return;
	put_char(writer, '"');
	put(writer, name, strlen(name));
	put(writer, "\":", 2);
}

void writer_open(struct writer *writer, const char *name, char bracket)
{
	put_name(writer, name);
	put_char(writer, bracket);
}

void writer_close(struct writer *writer, char bracket)
{
	put_char(writer, bracket);
}

void writer_text(struct writer *writer, const char *name, const char *text)
{
	put_name(writer, name);
	put_string(writer, text);
}

void writer_text_if(struct writer *writer, const char *name, const char *text)
{
	if (text && text[0])
		writer_text(writer, name, text);
}

void writer_pair(struct writer *writer, const char *name, const char *text)
{
	put_name(writer, NULL);
	put_string(writer, name);
	put_char(writer, ':');
	put_string(writer, text);
}

void writer_number(struct writer *writer, const char *name, int64_t number)
{
	char text[24];

	put_name(writer, name);
	put(writer, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, number));
}

void writer_bool(struct writer *writer, const char *name, bool value)
{
	put_name(writer, name);
	put(writer, value ? "true" : "false", value ? 4 : 5);
}

struct shared *writer_reply(struct writer *writer)
{
	struct shared *reply = NULL;

	if (!writer->failed && varlink_text_create(writer->text, &reply) < 0)
		reply = NULL;
	writer_finish(writer);
	return reply;
}

json_t *writer_json(struct writer *writer)
{
	json_t *json = NULL;

	if (!writer->failed)
		json = json_loadb(writer->text, writer->used, 0, NULL);
	writer_finish(writer);
	return json;
}
