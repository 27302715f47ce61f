/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fields.h - reads a JSON object into a struct by a table of its fields, strictly.
 *
 * A field that the table has not, a missing one that is required, a wrong type, a number out of range, a text that is too long or
 * has control characters: -EINVAL, and the reader's path names it ("context.labels.owner", "listen[1].mode"). A null
 * counts as absent.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

/* Takes descriptor @index of the message: the receiver's now. -EBADF: there is none, or it was taken. */
typedef int (*fields_take_fn)(void *arg, json_int_t index);

struct fields_reader {
	fields_take_fn take;
	void *arg;
	uint32_t taken; /* bit n: descriptor n was used by a field */
	char path
		[160]; /* of the field being read; on error of the one that is wrong. Printable ASCII */
	json_int_t bad_index; /* -EBADF only: the descriptor that did not come with the message */
};

struct field {
	const char *name;
	/* 0; -EINVAL; -EBADF (bad_index); -ENOMEM. @at: the struct plus @offset. */
	int (*read)(
		struct fields_reader *reader, json_t *value, const struct field *field, void *at);
	size_t offset;
	bool required;
	json_int_t min, max;	  /* integers; texts: bytes */
	const char *const *names; /* enumerations: index is the value, NULL entries are no value */
	size_t names_used;
	/* For the test that holds this to the interface file, where @read is not one of those below: its type there ("int",
	 * "enum", "object", "[]enum", "[string]string"), an enumeration's words, an object's fields. */
	const char *type;
	const char *(*word)(size_t n);
	const struct field_set *inside;
};

/* Those of one object. */
struct field_set {
	const struct field *fields;
	size_t used;
};

/* @fn may be NULL where no field is a descriptor. */
void fields_init(struct fields_reader *reader, fields_take_fn fn, void *arg);
/* What was read before an error stays in @into. */
int fields_read(
	struct fields_reader *reader, json_t *object, const struct field_set *set, void *into);

/* For field.read. Text: at is a char array with room for max + 1 bytes. Enumerations: at is an int-sized enum. */
int field_text(struct fields_reader *reader, json_t *value, const struct field *field, void *at);
int field_id(struct fields_reader *reader, json_t *value, const struct field *field, void *at);
int field_u32(struct fields_reader *reader, json_t *value, const struct field *field, void *at);
int field_bool(struct fields_reader *reader, json_t *value, const struct field *field, void *at);
int field_enum(struct fields_reader *reader, json_t *value, const struct field *field, void *at);
/* at is a struct field_fd with fd -EBADF. */
int field_fd(struct fields_reader *reader, json_t *value, const struct field *field, void *at);

struct field_fd {
	int fd;	   /* owned */
	int index; /* in the message */
};

/* Without control characters, @min to @max bytes. */
bool field_text_valid(json_t *value, size_t min, size_t max);
/* For reads that go deeper: the path gains ".name" or "[index]" until field_leave() with what enter returned. */
size_t field_enter(struct fields_reader *reader, const char *name);
size_t field_enter_index(struct fields_reader *reader, size_t index);
void field_leave(struct fields_reader *reader, size_t mark);
