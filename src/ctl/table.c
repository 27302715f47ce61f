/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>
#include <wchar.h>

#include "base/mem.h"

/* Decodes one character of UTF-8. Returns its bytes, 0 where there is none. */
static size_t utf8_decode(const char *text, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *at = (const unsigned char *)text;
	size_t n = at[0] < 0x80 ? 1 : at[0] < 0xc0 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
	uint32_t value = n == 1 ? at[0] : at[0] & (0x7fu >> n);

	if (n == 0 || at[0] >= 0xf8)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (at[i] & 0x3f);
	}
	if (value < least[n] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*ret = value;
	return n;
}

static bool obeyed_by_terminals(uint32_t character)
{
	return character < ' ' || (character >= 0x7f && character < 0xa0) ||
	       (character >= 0x200e && character <= 0x200f) ||
	       (character >= 0x2028 && character <= 0x202e) ||
	       (character >= 0x2066 && character <= 0x2069);
}

void text_print(FILE *file, const char *text)
{
	while (*text) {
		uint32_t character = 0;
		size_t n = utf8_decode(text, &character);

		if (n == 0)
			fprintf(file, "\\x%02x", (unsigned char)*text);
		else if (!obeyed_by_terminals(character))
			fwrite(text, 1, n, file);
		else
			fprintf(file, character < 0x80 ? "\\x%02x" : "\\u%04x",
				(unsigned int)character);
		text += n ? n : 1;
	}
}

char *text_safe(const char *text)
{
	char *safe = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&safe, &size);

	if (!file)
		return NULL;
	text_print(file, text);
	if (fclose(file) == 0)
		return safe;
	free(safe);
	return NULL;
}

size_t text_width(const char *safe)
{
	size_t width = 0;

	while (*safe) {
		uint32_t character = 0;
		size_t n = utf8_decode(safe, &character);
		int columns = wcwidth((wchar_t)character);

		width += columns < 0 ? 1 : (size_t)columns;
		safe += n ? n : 1;
	}
	return width;
}

size_t text_fit(const char *safe, size_t columns)
{
	size_t width = 0, bytes = 0;

	while (safe[bytes]) {
		uint32_t character = 0;
		size_t n = utf8_decode(safe + bytes, &character);
		int wide = wcwidth((wchar_t)character);

		width += wide < 0 ? 1 : (size_t)wide;
		if (width > columns)
			break;
		bytes += n ? n : 1;
	}
	return bytes;
}

void json_print(const json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2) | (isatty(1) ? JSON_ENSURE_ASCII : 0));
	putchar('\n');
}

void json_line(const json_t *json)
{
	json_dumpf(json, stdout, JSON_COMPACT | (isatty(1) ? JSON_ENSURE_ASCII : 0));
	putchar('\n');
}

static size_t table_columns(const struct table *table)
{
	size_t n = 0;

	while (n < TABLE_COLUMNS && table->heads[n])
		n++;
	return n;
}

static int table_grow(struct table *table, size_t columns)
{
	size_t room = table->room ? table->room * 2 : 16;
	char **cells;

	if (table->rows < table->room)
		return 0;
	cells = reallocarray(table->cells, room * columns, sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	table->cells = cells;
	table->room = room;
	return 0;
}

int table_add(struct table *table, const char *const *cells)
{
	size_t columns = table_columns(table);
	char **row;

	if (table_grow(table, columns) < 0)
		return -ENOMEM;
	row = table->cells + table->rows * columns;
	for (size_t i = 0; i < columns; i++) {
		row[i] = text_safe(cells[i] && cells[i][0] ? cells[i] : "-");
		if (row[i])
			continue;
		while (i-- > 0)
			free(row[i]);
		return -ENOMEM;
	}
	table->rows++;
	return 0;
}

/* The last column is not padded. */
static void row_print(FILE *file, const char *const *cells, const size_t *widths, size_t columns)
{
	for (size_t i = 0; i < columns; i++) {
		fputs(cells[i], file);
		if (i + 1 < columns)
			fprintf(file, "%*s", (int)(widths[i] - text_width(cells[i]) + 2), "");
	}
	fputc('\n', file);
}

void table_print(const struct table *table, FILE *file)
{
	size_t columns = table_columns(table);
	size_t widths[TABLE_COLUMNS] = {0};

	for (size_t i = 0; i < columns; i++) {
		widths[i] = text_width(table->heads[i]);
		for (size_t row = 0; row < table->rows; row++)
			widths[i] = MAX(widths[i], text_width(table->cells[row * columns + i]));
	}
	row_print(file, table->heads, widths, columns);
	for (size_t row = 0; row < table->rows; row++)
		row_print(file, (const char *const *)table->cells + row * columns, widths, columns);
}

void table_finish(struct table *table)
{
	size_t columns = table_columns(table);

	for (size_t i = 0; i < table->rows * columns; i++)
		free(table->cells[i]);
	free(table->cells);
	table->cells = NULL;
	table->rows = table->room = 0;
}
