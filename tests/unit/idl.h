/* SPDX-License-Identifier: GPL-2.0-or-later */
/* idl.h - reads a Varlink interface's text, for tests that hold code to it. What is no such text ends the test. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

enum idl_kind {
	IDL_BOOL,
	IDL_INT,
	IDL_FLOAT,
	IDL_STRING,
	IDL_OBJECT,
	IDL_NAMED,  /* name */
	IDL_STRUCT, /* fields */
	IDL_ENUM,   /* fields, without types */
	IDL_MAYBE,  /* of */
	IDL_ARRAY,  /* of */
	IDL_MAP,    /* of */
};

struct idl_type {
	enum idl_kind kind;
	char name[64];
	struct idl_type *of;
	struct idl_field *fields;
};

struct idl_field {
	struct idl_field *next;
	char name[64];
	struct idl_type *type;
};

enum idl_member_kind { IDL_TYPE, IDL_METHOD, IDL_ERROR };

struct idl_member {
	enum idl_member_kind kind;
	char name[64];
	struct idl_type *in, *out; /* @in: of a type, it; of an error, its fields. @out: of a method */
};

struct idl {
	char name[64];
	struct idl_member members[96];
	size_t members_used;
	struct idl_type types[1024];
	size_t types_used;
	struct idl_field fields[1024];
	size_t fields_used;
};

/* Forgets what was there. */
void idl_read(struct idl *idl, const char *text);
/* NULL: there is none. */
const struct idl_member *idl_find(const struct idl *idl, enum idl_member_kind kind, const char *name);
const struct idl_field *idl_field(const struct idl_type *type, const char *name);
/* What a named type stands for, and behind a "?". */
const struct idl_type *idl_resolve(const struct idl *idl, const struct idl_type *type);
/* @value may be said where the text says @type; else the test fails and names @where. */
void idl_expect(const struct idl *idl, const struct idl_type *type, json_t *value, const char *where);
