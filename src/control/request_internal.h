/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request_internal.h - what request.c and its parts share: request_context.c, request_register.c. */
#pragma once

#include <errno.h>
#include <stddef.h>

#include "base/mem.h"
#include "control/request.h"

/* WHOLE: the read function gets the struct itself. The rest of the arguments are further fields of struct field. */
#define FIELD(n, fn, type, member, ...) \
	{ \
		.name = (n), .read = (fn), .offset = offsetof(type, member), __VA_ARGS__ \
	}
#define WHOLE(n, fn, ...) \
	{ \
		.name = (n), .read = (fn), __VA_ARGS__ \
	}

#define FIELD_SET(array) {.fields = (array), .used = ARRAY_SIZE(array)}

#define NO_FIELD_FD ((struct field_fd){.fd = -EBADF, .index = -1})

/* Words of a table as bits. An empty array is none of them, which nobody means: -EINVAL. */
int request_set(struct fields_reader *reader, json_t *value, const char *(*word)(size_t n), uint32_t *ret);

/* A field's read function, its type and what is inside: into a struct context. */
int request_context(
	struct fields_reader *reader, json_t *value, const struct field *field, void *at);
extern const struct field_set request_context_fields;

void request_sinks_init(struct request_sinks *sinks);
/* Likewise: into a struct request_sinks. */
int request_sinks(struct fields_reader *reader, json_t *value, const struct field *field, void *at);
extern const struct field_set request_sink_fields;
