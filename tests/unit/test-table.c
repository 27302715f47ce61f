/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <locale.h>

#include "base/mem.h"
#include "ctl/table.h"

static void test_terminals_are_not_ordered_about(void **state)
{
	static const struct {
		const char *text, *safe;
	} texts[] = {
		{"plain", "plain"},
		{"Zwölf 画面", "Zwölf 画面"},
		{"\x1b]0;title\x07", "\\x1b]0;title\\x07"},
		{"a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f"},
		{"\xc2\x9b"
		 "1m",
			"\\u009b1m"},
		{"\xe2\x80\xae"
		 "gnp",
			"\\u202egnp"},
		{"\xff\xc0\x80\xed\xa0\x80", "\\xff\\xc0\\x80\\xed\\xa0\\x80"},
		{"cut \xe2\x82", "cut \\xe2\\x82"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_free_ char *safe = text_safe(texts[i].text);

		assert_string_equal(safe, texts[i].safe);
	}
}

static void test_columns_line_up(void **state)
{
	static const char expected[] = "ID          NAME   END\n"
				       "vm1         Zwölf  x\n"
				       "a-long-one  -      -\n"
				       "v           n      e\n";
	struct table table = {.heads = {"ID", "NAME", "END"}};
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_int_equal(table_add(&table, (const char *[]){"vm1", "Zwölf", "x"}), 0);
	assert_int_equal(table_add(&table, (const char *[]){"a-long-one", NULL, ""}), 0);
	for (int i = 0; i < 40; i++)
		assert_int_equal(table_add(&table, (const char *[]){"v", "n", "e"}), 0);
	table_print(&table, file);
	table_finish(&table);
	fclose(file);
	assert_true(size > strlen(expected));
	assert_memory_equal(text, expected, strlen(expected));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_terminals_are_not_ordered_about),
		cmocka_unit_test(test_columns_line_up),
	};

	/* Widths need to know the characters; every Debian has this locale. */
	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
