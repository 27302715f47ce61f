/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "control/fields.h"
#include "control/interface_text.h"
#include "control/methods.h"
#include "control/refuse.h"
#include "control/table.h"
#include "idl.h"
#include "interface.h"

static struct idl idl;

/* The room's functions are only named here. */
static const char *type_of(const struct field *field)
{
	static const struct {
		int (*read)(struct fields_reader *reader, json_t *value, const struct field *field,
			void *at);
		const char *type;
	} known[] = {
		{field_text, "string"},
		{field_id, "string"},
		{field_u32, "int"},
		{field_bool, "bool"},
		{field_enum, "enum"},
		{field_fd, "int"},
	};

	if (field->type)
		return field->type;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].read == field->read)
			return known[i].type;
	fail_msg("%s: its field says no type", field->name);
	return NULL;
}

/* Word @n of an enumeration; NULL: past the end; "": none has this number. */
static const char *word_of(const struct field *field, size_t n)
{
	if (field->word)
		return field->word(n);
	if (n >= field->names_used)
		return NULL;
	return field->names[n] ? field->names[n] : "";
}

static void compare_words(const struct idl_type *type, const struct field *field, const char *where)
{
	const char *word;
	size_t words = 0, named = 0;

	for (size_t i = 0; (word = word_of(field, i)); i++) {
		if (*word && !idl_field(type, word))
			fail_msg("%s: the text has no %s", where, word);
		words += *word != '\0';
	}
	for (const struct idl_field *each = type->fields; each; each = each->next)
		named++;
	if (words != named)
		fail_msg("%s: %zu words, %zu in the text", where, words, named);
}

static void compare(const struct field_set *set, const struct idl_type *type, const char *where);

static void compare_type(const struct field *field, const struct idl_type *type, const char *where)
{
	static const char *const kinds[] = {
		[IDL_BOOL] = "bool",
		[IDL_INT] = "int",
		[IDL_FLOAT] = "float",
		[IDL_STRING] = "string",
		[IDL_OBJECT] = "any",
		[IDL_STRUCT] = "object",
		[IDL_ENUM] = "enum",
	};
	char said[32] = "";

	for (type = idl_resolve(&idl, type); type->kind == IDL_ARRAY || type->kind == IDL_MAP;
		type = idl_resolve(&idl, type->of))
		strcat(said, type->kind == IDL_ARRAY ? "[]" : "[string]");
	strcat(said, kinds[type->kind]);
	if (strcmp(said, type_of(field)) != 0)
		fail_msg("%s: %s here, %s in the text", where, type_of(field), said);
	if (type->kind == IDL_ENUM)
		compare_words(type, field, where);
	if (type->kind != IDL_STRUCT)
		return;
	if (!field->inside)
		fail_msg("%s: its field does not say what is inside", where);
	compare(field->inside, type, where);
}

static void compare(const struct field_set *set, const struct idl_type *type, const char *where)
{
	const struct idl_field *said;
	char inside[256];

	for (size_t i = 0; i < set->used; i++) {
		const struct field *field = &set->fields[i];

		snprintf(inside, sizeof(inside), "%.190s.%s", where, field->name);
		said = idl_field(type, field->name);
		if (!said)
			fail_msg("%s: not in the text", inside);
		if (field->required == (said->type->kind == IDL_MAYBE))
			fail_msg("%s: one of them can be left out", inside);
		compare_type(field, said->type, inside);
	}
	for (said = type->fields; said; said = said->next) {
		size_t i = 0;

		while (i < set->used && strcmp(set->fields[i].name, said->name) != 0)
			i++;
		if (i == set->used)
			fail_msg("%s.%s: only in the text", where, said->name);
	}
}

/* It is one of its parameters, of the type that it must have. */
static void expect_parameter(const struct idl_member *method, const char *path, enum idl_kind kind)
{
	char name[64];
	const char *dot = strchr(path, '.');
	const struct idl_type *type = method->in;
	const struct idl_field *field;

	if (dot) {
		snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
		field = idl_field(type, name);
		assert_non_null(field);
		type = idl_resolve(&idl, field->type);
		path = dot + 1;
	}
	field = idl_field(type, path);
	assert_non_null(field);
	assert_int_equal(idl_resolve(&idl, field->type)->kind, kind);
}

static void compare_methods(
	const struct varlink_interface *interface, const struct control_method *rows, size_t used)
{
	size_t methods = 0;

	idl_read(&idl, interface->description);
	assert_string_equal(idl.name, interface->name);
	assert_int_equal(interface->methods_used, used);
	for (size_t i = 0; i < used; i++) {
		const struct idl_member *method = idl_find(&idl, IDL_METHOD, rows[i].name);

		if (!method)
			fail_msg("%s: not in the text", rows[i].name);
		assert_string_equal(interface->methods[i].name, rows[i].name);
		assert_true(rows[i].right < RIGHTS_USED);
		assert_true(rows[i].help[0] && rows[i].help[strlen(rows[i].help) - 1] != '.');
		compare(rows[i].parameters, method->in, rows[i].name);
		if (rows[i].id)
			expect_parameter(method, rows[i].id, IDL_STRING);
		if (rows[i].mode)
			expect_parameter(method, rows[i].mode, IDL_ENUM);
		/* Who may be refused, or is told of one display only, says which. */
		assert_true(rows[i].id || rows[i].right == RIGHT_NONE ||
			    rows[i].right == RIGHT_ADMIN || rows[i].right == RIGHT_OBSERVE);
	}
	for (size_t i = 0; i < idl.members_used; i++)
		methods += idl.members[i].kind == IDL_METHOD;
	assert_int_equal(methods, used);
}

void test_display_interface(void **state)
{
	compare_methods(&control_interface, control_methods, control_methods_used);
}

void test_service_interface(void **state)
{
	compare_methods(&upkeep_interface, service_methods, service_methods_used);
}

void test_errors(void **state)
{
	size_t errors = 0, n = 0;
	const char *name;

	idl_read(&idl, interface_text);
	for (; (name = refuse_error(n)); n++)
		if (!idl_find(&idl, IDL_ERROR, name))
			fail_msg("error %s: not in the text", name);
	for (size_t i = 0; i < idl.members_used; i++)
		errors += idl.members[i].kind == IDL_ERROR;
	assert_int_equal(errors, n);
}

void interface_expect_reply(const char *method, const char *error, json_t *parameters)
{
	static const char prefix[] = "org.vfiodisplay.Display.";
	static struct idl texts[2];
	const struct idl_member *member = NULL;

	if (!texts[0].members_used) {
		idl_read(&texts[0], interface_text);
		idl_read(&texts[1], service_text);
	}
	if (error && strncmp(error, prefix, strlen(prefix)) != 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(texts) && !member; i++) {
		member = error ? idl_find(&texts[i], IDL_ERROR, error + strlen(prefix))
			       : idl_find(&texts[i], IDL_METHOD, method);
		if (member)
			idl_expect(&texts[i], error ? member->in : member->out, parameters,
				error ? error : method);
	}
	if (!member)
		fail_msg("%s: not in the text", error ? error : method);
}
