/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.h - text for a terminal: columns, and strings of peers without what a terminal would obey. */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* Control characters, both sets, and the signs that turn the direction of writing come as \x1b, \u202e. Invalid UTF-8 as
 * \xff. */
void text_print(FILE *file, const char *text);
/* The same, in memory. To be freed; NULL: out of memory. */
char *text_safe(const char *text);
/* Columns that it takes on a terminal, after text_safe(). */
size_t text_width(const char *safe);
/* How many of its bytes fit into so many columns. */
size_t text_fit(const char *safe, size_t columns);

/* Pretty JSON and a newline. Pure ASCII when stdout is a terminal. */
void json_print(const json_t *json);
/* On one line: what --json prints. */
void json_line(const json_t *json);

enum { TABLE_COLUMNS = 8 };

struct table {
	const char *heads[TABLE_COLUMNS]; /* the first NULL ends */
	char **cells;			  /* owned; row by row */
	size_t rows, room;
};

/* @cells: one for each head, NULL or empty prints "-". Copied. Returns 0 or -ENOMEM. */
int table_add(struct table *table, const char *const *cells);
void table_print(const struct table *table, FILE *file);
void table_finish(struct table *table);
