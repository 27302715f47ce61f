/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "idl.h"

struct reader {
	struct idl *idl;
	const char *at;
};

static struct idl_type *read_type(struct reader *reader);

static void skip_blanks(struct reader *reader)
{
	for (;;) {
		reader->at += strspn(reader->at, " \t\n");
		if (*reader->at != '#')
			return;
		reader->at += strcspn(reader->at, "\n");
	}
}

static bool next(struct reader *reader, const char *token)
{
	skip_blanks(reader);
	if (strncmp(reader->at, token, strlen(token)) != 0)
		return false;
	reader->at += strlen(token);
	return true;
}

static void expect(struct reader *reader, const char *token)
{
	if (!next(reader, token))
		fail_msg("no %s before %.40s", token, reader->at);
}

static void read_name(struct reader *reader, char name[64])
{
	size_t n;

	skip_blanks(reader);
	for (n = 0; isalnum((unsigned char)reader->at[n]) || strchr("_.", reader->at[n]); n++)
		if (!reader->at[n])
			break;
	if (n == 0 || n > 63)
		fail_msg("no name before %.40s", reader->at);
	memcpy(name, reader->at, n);
	name[n] = '\0';
	reader->at += n;
}

static struct idl_type *new_type(struct reader *reader, enum idl_kind kind)
{
	struct idl_type *type = &reader->idl->types[reader->idl->types_used++];

	assert_true(reader->idl->types_used < ARRAY_SIZE(reader->idl->types));
	*type = (struct idl_type){.kind = kind};
	return type;
}

static struct idl_type *read_of(struct reader *reader, enum idl_kind kind)
{
	struct idl_type *type = new_type(reader, kind);

	type->of = read_type(reader);
	return type;
}

/* Behind "(". The first field tells whether they have types. */
static struct idl_type *read_fields(struct reader *reader)
{
	struct idl_type *type = new_type(reader, IDL_STRUCT);
	struct idl_field **last = &type->fields;

	if (next(reader, ")"))
		return type;
	do {
		struct idl_field *field = &reader->idl->fields[reader->idl->fields_used++];

		assert_true(reader->idl->fields_used < ARRAY_SIZE(reader->idl->fields));
		*field = (struct idl_field){0};
		read_name(reader, field->name);
		if (idl_field(type, field->name))
			fail_msg("%s is there twice", field->name);
		if (next(reader, ":"))
			field->type = read_type(reader);
		else
			type->kind = IDL_ENUM;
		assert_int_equal(type->kind == IDL_STRUCT, field->type != NULL);
		*last = field;
		last = &field->next;
	} while (next(reader, ","));
	expect(reader, ")");
	return type;
}

static struct idl_type *read_type(struct reader *reader)
{
	static const char *const plain[] = {"bool", "int", "float", "string", "object"};
	struct idl_type *type;

	if (next(reader, "?"))
		return read_of(reader, IDL_MAYBE);
	if (next(reader, "[]"))
		return read_of(reader, IDL_ARRAY);
	if (next(reader, "[string]"))
		return read_of(reader, IDL_MAP);
	if (next(reader, "("))
		return read_fields(reader);
	type = new_type(reader, IDL_NAMED);
	read_name(reader, type->name);
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (strcmp(type->name, plain[i]) == 0)
			type->kind = (enum idl_kind)i;
	return type;
}

static void read_member(struct reader *reader, enum idl_member_kind kind)
{
	struct idl_member *member = &reader->idl->members[reader->idl->members_used];

	read_name(reader, member->name);
	for (size_t i = 0; i < reader->idl->members_used; i++)
		if (strcmp(reader->idl->members[i].name, member->name) == 0)
			fail_msg("%s is there twice", member->name);
	reader->idl->members_used++;
	assert_true(reader->idl->members_used < ARRAY_SIZE(reader->idl->members));
	member->kind = kind;
	expect(reader, "(");
	member->in = read_fields(reader);
	if (kind != IDL_METHOD)
		return;
	expect(reader, "->");
	expect(reader, "(");
	member->out = read_fields(reader);
}

void idl_read(struct idl *idl, const char *text)
{
	struct reader reader = {.idl = idl, .at = text};

	*idl = (struct idl){0};
	expect(&reader, "interface ");
	read_name(&reader, idl->name);
	for (skip_blanks(&reader); *reader.at; skip_blanks(&reader)) {
		if (next(&reader, "type "))
			read_member(&reader, IDL_TYPE);
		else if (next(&reader, "method "))
			read_member(&reader, IDL_METHOD);
		else if (next(&reader, "error "))
			read_member(&reader, IDL_ERROR);
		else
			fail_msg("nothing that is known before %.40s", reader.at);
	}
	for (size_t i = 0; i < idl->types_used; i++)
		if (idl->types[i].kind == IDL_NAMED)
			idl_resolve(idl, &idl->types[i]);
}

const struct idl_member *idl_find(
	const struct idl *idl, enum idl_member_kind kind, const char *name)
{
	for (size_t i = 0; i < idl->members_used; i++)
		if (idl->members[i].kind == kind && strcmp(idl->members[i].name, name) == 0)
			return &idl->members[i];
	return NULL;
}

const struct idl_field *idl_field(const struct idl_type *type, const char *name)
{
	for (const struct idl_field *field = type->fields; field; field = field->next)
		if (strcmp(field->name, name) == 0)
			return field;
	return NULL;
}

const struct idl_type *idl_resolve(const struct idl *idl, const struct idl_type *type)
{
	while (type->kind == IDL_MAYBE || type->kind == IDL_NAMED) {
		const struct idl_member *member;

		if (type->kind == IDL_MAYBE) {
			type = type->of;
			continue;
		}
		member = idl_find(idl, IDL_TYPE, type->name);
		if (!member)
			fail_msg("there is no type %s", type->name);
		type = member->in;
	}
	return type;
}

static void expect_struct(
	const struct idl *idl, const struct idl_type *type, json_t *value, const char *where)
{
	const char *name;
	json_t *member;
	char inside[256];

	json_object_foreach (value, name, member)
		if (!idl_field(type, name))
			fail_msg("%s has no field %s", where, name);
	for (const struct idl_field *field = type->fields; field; field = field->next) {
		snprintf(inside, sizeof(inside), "%.190s.%s", where, field->name);
		idl_expect(idl, field->type, json_object_get(value, field->name), inside);
	}
}

static void expect_each(
	const struct idl *idl, const struct idl_type *type, json_t *value, const char *where)
{
	const char *name;
	json_t *member;
	size_t i;

	if (type->kind == IDL_ARRAY)
		json_array_foreach (value, i, member)
			idl_expect(idl, type->of, member, where);
	else
		json_object_foreach (value, name, member)
			idl_expect(idl, type->of, member, where);
}

void idl_expect(
	const struct idl *idl, const struct idl_type *type, json_t *value, const char *where)
{
	static const json_type json_types[] = {
		[IDL_INT] = JSON_INTEGER,
		[IDL_FLOAT] = JSON_REAL,
		[IDL_STRING] = JSON_STRING,
		[IDL_OBJECT] = JSON_OBJECT,
		[IDL_STRUCT] = JSON_OBJECT,
		[IDL_ENUM] = JSON_STRING,
		[IDL_ARRAY] = JSON_ARRAY,
		[IDL_MAP] = JSON_OBJECT,
	};

	if (type->kind == IDL_MAYBE && (!value || json_is_null(value)))
		return;
	type = idl_resolve(idl, type);
	if (!value)
		fail_msg("%s is not there", where);
	if (type->kind == IDL_BOOL ? !json_is_boolean(value)
				   : json_typeof(value) != json_types[type->kind])
		fail_msg("%s is of another type", where);
	if (type->kind == IDL_STRUCT)
		expect_struct(idl, type, value, where);
	else if (type->kind == IDL_ENUM && !idl_field(type, json_string_value(value)))
		fail_msg("%s cannot be %s", where, json_string_value(value));
	else if (type->kind == IDL_ARRAY || type->kind == IDL_MAP)
		expect_each(idl, type, value, where);
}
