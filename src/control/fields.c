/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/fields.h"

#include <stdio.h>

#include "base/fd.h"
#include "base/mem.h"
#include "handover/context.h"

void fields_init(struct fields_reader *reader, fields_take_fn fn, void *arg)
{
	*reader = (struct fields_reader){.take = fn, .arg = arg};
}

/* A name may be a peer's: what is not printable ASCII is masked, so that the path can go into an error reply, and no name at
 * all is shown. */
size_t field_enter(struct fields_reader *reader, const char *name)
{
	size_t mark = strlen(reader->path), n = mark;

	if (mark && n < sizeof(reader->path) - 1)
		reader->path[n++] = '.';
	if (!*name)
		name = "?";
	for (; *name && n < sizeof(reader->path) - 1; name++)
		reader->path[n++] = *name > ' ' && *name <= '~' ? *name : '?';
	reader->path[n] = '\0';
	return mark;
}

size_t field_enter_index(struct fields_reader *reader, size_t index)
{
	size_t mark = strlen(reader->path);

	snprintf(reader->path + mark, sizeof(reader->path) - mark, "[%zu]", index);
	return mark;
}

void field_leave(struct fields_reader *reader, size_t mark)
{
	reader->path[mark] = '\0';
}

static bool field_known(const char *name, const struct field_set *set)
{
	for (size_t i = 0; i < set->used; i++)
		if (strcmp(set->fields[i].name, name) == 0)
			return true;
	return false;
}

int fields_read(
	struct fields_reader *reader, json_t *object, const struct field_set *set, void *into)
{
	const char *name;
	json_t *value;
	size_t mark;
	int r;

	if (!json_is_object(object))
		return -EINVAL;
	json_object_foreach (object, name, value) {
		if (!field_known(name, set)) {
			field_enter(reader, name);
			return -EINVAL;
		}
	}
	for (size_t i = 0; i < set->used; i++) {
		const struct field *field = &set->fields[i];

		value = json_object_get(object, field->name);
		mark = field_enter(reader, field->name);
		if (value && !json_is_null(value)) {
			r = field->read(reader, value, field, (char *)into + field->offset);
			if (r < 0)
				return r;
		} else if (field->required) {
			return -EINVAL;
		}
		field_leave(reader, mark);
	}
	return 0;
}

bool field_text_valid(json_t *value, size_t min, size_t max)
{
	const unsigned char *text = (const unsigned char *)json_string_value(value);
	size_t n = json_string_length(value);

	if (!text || n < min || n > max)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < ' ' || text[i] == 0x7f)
			return false;
		/* U+0080 to U+009F, the second set of control characters, as UTF-8. */
		if (text[i] == 0xc2 && text[i + 1] < 0xa0)
			return false;
	}
	return true;
}

int field_text(struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	if (!field_text_valid(value, field->min, field->max))
		return -EINVAL;
	memcpy(at, json_string_value(value), json_string_length(value) + 1);
	return 0;
}

int field_id(struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	if (!field_text_valid(value, 1, LIMIT_ID_CHARS) ||
		!context_id_valid(json_string_value(value)))
		return -EINVAL;
	memcpy(at, json_string_value(value), json_string_length(value) + 1);
	return 0;
}

int field_u32(struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	uint32_t *into = at;

	if (!json_is_integer(value) || json_integer_value(value) < field->min ||
		json_integer_value(value) > field->max)
		return -EINVAL;
	*into = (uint32_t)json_integer_value(value);
	return 0;
}

int field_bool(struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	bool *into = at;

	if (!json_is_boolean(value))
		return -EINVAL;
	*into = json_is_true(value);
	return 0;
}

int field_enum(struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	const char *name = json_string_value(value);
	int *into = at;

	for (size_t i = 0; name && i < field->names_used; i++) {
		if (field->names[i] && strcmp(field->names[i], name) == 0) {
			*into = (int)i;
			return 0;
		}
	}
	return -EINVAL;
}

int field_fd(struct fields_reader *reader, json_t *value, const struct field *field, void *at)
{
	json_int_t index = json_integer_value(value);
	struct field_fd *into = at;
	int fd = -EBADF;

	if (!json_is_integer(value) || index < 0)
		return -EINVAL;
	if (index < LIMIT_VARLINK_FDS && reader->taken & 1u << index)
		return -EINVAL;
	if (reader->take && index < LIMIT_VARLINK_FDS)
		fd = reader->take(reader->arg, index);
	if (fd < 0) {
		reader->bad_index = index;
		return -EBADF;
	}
	reader->taken |= 1u << index;
	into->index = (int)index;
	into->fd = fd;
	return 0;
}
