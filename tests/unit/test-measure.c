/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is counted, and the text that it becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/measure.h"
#include "base/mem.h"
#include "base/openmetrics.h"
#include "base/tally.h"

static void times_go_into_their_buckets(void **state)
{
	struct measure_times times;

	measure_take(MEASURE_SCAN, &times);
	for (unsigned int n = 0; n < MEASURE_BUCKETS; n++) {
		uint64_t bound = measure_bound(n);

		measure_took(MEASURE_SCAN, bound == UINT64_MAX ? 6000000000 : bound);
		if (bound != UINT64_MAX)
			measure_took(MEASURE_SCAN, bound + 1);
	}
	measure_read(MEASURE_SCAN, &times);
	assert_int_equal(times.buckets[0], 1);
	for (unsigned int n = 1; n < MEASURE_BUCKETS; n++)
		assert_int_equal(times.buckets[n], 2);
	measure_take(MEASURE_SCAN, &times);
	assert_true(times.sum_ns > 6000000000);
	measure_add(MEASURE_ENCODE, &times);
	measure_read(MEASURE_SCAN, &times);
	assert_int_equal(times.sum_ns, 0);
	assert_int_equal(times.buckets[3], 0);
	measure_read(MEASURE_ENCODE, &times);
	assert_int_equal(times.buckets[3], 2);
}

static void events_are_counted(void **state)
{
	uint64_t before = measure_counted(MEASURE_LEASE_LOST);

	measure_count(MEASURE_LEASE_LOST);
	assert_int_equal(measure_counted(MEASURE_LEASE_LOST), before + 1);
}

static void a_tally_does_not_grow(void **state)
{
	const struct tally *tally = tally_read(TALLY_CALLS);
	char word[100];

	for (unsigned int i = 0; i < 2 * TALLY_WORDS; i++) {
		snprintf(word, sizeof(word), "a rather long word that ends with its number: %u", i);
		tally_count(TALLY_CALLS, word + 20, "error");
		tally_count(TALLY_CALLS, word + 20, "error");
	}
	assert_int_equal(tally->used, TALLY_WORDS);
	assert_int_equal(tally->entries[7].count, 2);
	assert_int_equal(tally->others, 2 * TALLY_WORDS);
	/* Cut, and found again. */
	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	tally_count(TALLY_DROPPED, word, word);
	tally_count(TALLY_DROPPED, word, word);
	assert_int_equal(tally_read(TALLY_DROPPED)->used, 1);
	assert_int_equal(tally_read(TALLY_DROPPED)->entries[0].count, 2);
}

static char *write_all(bool classic)
{
	struct openmetrics m = {.classic = classic};
	struct measure_times times = {.sum_ns = 1500000000, .buckets = {[1] = 1, [15] = 2}};
	size_t size;
	char *text;

	m.out = open_memstream(&text, &size);
	openmetrics_family(&m, "thing", OPENMETRICS_COUNTER, NULL, "Things.");
	openmetrics_sample(&m, 3, "id", "a\"b\\c\nd", "name", "\xc3\xa4\xff\xe2\x82", NULL);
	openmetrics_family(&m, "build", OPENMETRICS_INFO, NULL, "What this is.");
	openmetrics_sample(&m, 1, "version", "1", NULL);
	openmetrics_family(&m, "open", OPENMETRICS_GAUGE, NULL, "How many.");
	openmetrics_sample(&m, UINT64_MAX, NULL);
	openmetrics_family(&m, "look_seconds", OPENMETRICS_HISTOGRAM, "seconds", "How long.");
	openmetrics_times(&m, &times);
	openmetrics_end(&m);
	fclose(m.out);
	return text;
}

static void has_lines(const char *text, const char *const *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strstr(text, lines[i]))
			fail_msg("not there: %s\nin:\n%s", lines[i], text);
}

static void the_text_is_openmetrics(void **state)
{
	static const char *const lines[] = {
		"# TYPE vfio_displayd_thing counter\n# HELP vfio_displayd_thing Things.\n"
		"vfio_displayd_thing_total{id=\"a\\\"b\\\\c?d\",name=\"\xc3\xa4???\"} 3\n",
		"# TYPE vfio_displayd_build info\n",
		"\nvfio_displayd_build_info{version=\"1\"} 1\n",
		"\nvfio_displayd_open 18446744073709551615\n",
		"\n# UNIT vfio_displayd_look_seconds seconds\n",
		"_bucket{le=\"0.0001\"} 0\n",
		"_bucket{le=\"0.00025\"} 1\n",
		"_bucket{le=\"0.25\"} 1\n",
		"_bucket{le=\"1.0\"} 1\n",
		"_bucket{le=\"5.0\"} 1\n",
		"_bucket{le=\"+Inf\"} 3\nvfio_displayd_look_seconds_sum 1.500000000\n"
		"vfio_displayd_look_seconds_count 3\n# EOF\n",
	};
	_cleanup_free_ char *text = write_all(false);

	has_lines(text, lines, ARRAY_SIZE(lines));
}

static void the_older_form(void **state)
{
	static const char *const lines[] = {
		"# TYPE vfio_displayd_thing_total counter\n# HELP vfio_displayd_thing_total "
		"Things.\nvfio_displayd_thing_total{",
		"# TYPE vfio_displayd_build_info gauge\n",
	};
	_cleanup_free_ char *text = write_all(true);

	has_lines(text, lines, ARRAY_SIZE(lines));
	assert_null(strstr(text, "EOF"));
	assert_null(strstr(text, "UNIT"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_go_into_their_buckets),
		cmocka_unit_test(events_are_counted),
		cmocka_unit_test(a_tally_does_not_grow),
		cmocka_unit_test(the_text_is_openmetrics),
		cmocka_unit_test(the_older_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
