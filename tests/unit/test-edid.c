/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The EDID that guests are given, as Debian's edid-decode sees it and by hand. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "plane/edid.h"
#include "skip.h"

static const struct edid_monitor monitors[] = {
	{640, 480, 0, 0},
	{800, 600, 0, 0},
	{800, 600, 800, 600},
	{1024, 768, 0, 0},
	{1280, 720, 0, 0},
	{1280, 800, 0, 0},
	{1280, 1024, 1920, 1440},
	{1360, 768, 0, 0},
	{1366, 768, 0, 0},
	{1440, 900, 0, 0},
	{1600, 900, 0, 0},
	{1600, 1200, 1920, 1440},
	{1680, 1050, 0, 0},
	{1920, 1080, 0, 0},
	{1920, 1080, 1920, 1080},
	{1920, 1200, 0, 0},
	{2048, 1152, 0, 0},
	{2560, 1080, 0, 0},
	{2560, 1440, 0, 0},
	{2560, 1600, 0, 0},
	{2880, 1800, 0, 0},
	{3440, 1440, 0, 0},
	{3840, 1080, 0, 0},
	{3840, 2160, 0, 0},
	{3840, 2400, 0, 0},
	{4095, 2160, 0, 0},
	{4095, 4095, 0, 0},
	{4095, 64, 0, 0},
	{64, 4095, 0, 0},
	{64, 64, 0, 0},
	{64, 64, 64, 64},
	{320, 200, 0, 0},
	{381, 381, 0, 0},
	{801, 601, 0, 0},
	{1023, 767, 0, 0},
	{1365, 769, 0, 0},
	{1919, 1079, 0, 0},
	{1111, 3333, 0, 0},
	{1080, 1920, 0, 0},
	{2160, 3840, 0, 0},
	{3841, 2161, 0, 0},
};

/* Twelve bits of a detailed timing: the low eight, the high four in another byte's half. */
static unsigned int twelve(const uint8_t *timing, unsigned int low, unsigned int high, bool upper)
{
	return timing[low] | (upper ? timing[high] >> 4 : timing[high] & 15) << 8;
}

static void check_timing(const struct edid_monitor *monitor, const uint8_t *edid)
{
	const uint8_t *t = edid + 54;
	uint64_t clock = (t[0] | t[1] << 8) * 10000ull;
	unsigned int line = twelve(t, 2, 4, true) + twelve(t, 3, 4, false);
	unsigned int lines = twelve(t, 5, 7, true) + twelve(t, 6, 7, false);
	double hz = (double)clock / line / lines;

	assert_int_equal(twelve(t, 2, 4, true), monitor->width);
	assert_int_equal(twelve(t, 5, 7, true), monitor->height);
	assert_true(clock >= 10000000 && clock <= 655350000);
	/* 60 Hz wherever the clock's field has room for it. */
	assert_true(hz > 35 && hz <= 60);
	if (60ull * line * lines < 650000000)
		assert_true(hz > 58.5);
	/* 460 us of vertical blanking. */
	assert_true((lines - monitor->height) * (double)line / (double)clock > 0.00045);
}

static void test_bytes(void **state)
{
	uint8_t edid[EDID_BYTES], sum;

	for (size_t i = 0; i < ARRAY_SIZE(monitors); i++) {
		assert_int_equal(edid_make(&monitors[i], edid), 0);
		sum = 0;
		for (unsigned int at = 0; at < EDID_BYTES; at++)
			sum = (uint8_t)(sum + edid[at]);
		assert_int_equal(sum, 0);
		assert_int_equal(edid[126], 0); /* no extensions */
		check_timing(&monitors[i], edid);
	}
}

/* What CVT's own tables have for reduced blanking. */
static void test_cvt(void **state)
{
	static const struct {
		uint32_t width, height, clock_khz, line, lines, v_sync;
	} cases[] = {
		{640, 480, 23500, 800, 494, 4},
		{1280, 800, 71000, 1440, 823, 6},
		{1920, 1080, 138500, 2080, 1111, 5},
		{2560, 1600, 268500, 2720, 1646, 6},
		{3840, 2160, 533250, 4000, 2222, 5},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct edid_monitor monitor = {cases[i].width, cases[i].height, 0, 0};
		uint8_t edid[EDID_BYTES], *t = edid + 54;

		assert_int_equal(edid_make(&monitor, edid), 0);
		assert_int_equal((t[0] | t[1] << 8) * 10, cases[i].clock_khz);
		assert_int_equal(twelve(t, 2, 4, true) + twelve(t, 3, 4, false), cases[i].line);
		assert_int_equal(twelve(t, 5, 7, true) + twelve(t, 6, 7, false), cases[i].lines);
		assert_int_equal(t[10] & 15, cases[i].v_sync);
	}
}

/* Every size there is, the ends of all ranges included. */
static void test_all_sizes(void **state)
{
	uint8_t edid[EDID_BYTES];
	struct edid_monitor monitor = {0};

	for (monitor.width = EDID_MIN; monitor.width <= EDID_MAX; monitor.width += 31)
		for (monitor.height = EDID_MIN; monitor.height <= EDID_MAX; monitor.height += 29) {
			assert_int_equal(edid_make(&monitor, edid), 0);
			check_timing(&monitor, edid);
		}
}

static void test_range(void **state)
{
	const struct edid_monitor wrong[] = {{EDID_MIN - 1, 480, 0, 0}, {640, EDID_MIN - 1, 0, 0},
		{EDID_MAX + 1, 480, 0, 0}, {640, EDID_MAX + 1, 0, 0}, {0, 0, 0, 0},
		{UINT32_MAX, UINT32_MAX, 0, 0}, {640, 65536 + 480, 0, 0}};
	uint8_t edid[EDID_BYTES] = {7};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(edid_make(&wrong[i], edid), -ERANGE);
	assert_int_equal(edid[0], 7);
}

/* Other modes are offered as far as the device can show them. */
static void test_others(void **state)
{
	const struct edid_monitor small = {800, 600, 800, 600}, large = {800, 600, 0, 0};
	uint8_t edid[EDID_BYTES];

	assert_int_equal(edid_make(&small, edid), 0);
	assert_int_equal(edid[35], 0x21);
	assert_int_equal(edid[36], 0);
	assert_int_equal(edid[38], 1); /* no standard timing */
	assert_int_equal(edid_make(&large, edid), 0);
	assert_int_equal(edid[36], 0x08);
	assert_int_equal(edid[38], 1280 / 8 - 31);
	assert_int_equal(edid[38 + 14], 1920 / 8 - 31);
}

static void write_file(const char *path, const uint8_t *edid)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(edid, 1, EDID_BYTES, file), EDID_BYTES);
	assert_int_equal(fclose(file), 0);
}

/* What edid-decode prints last, and whether it warns. */
static void assert_conforms(const struct edid_monitor *monitor, const char *path)
{
	char command[128], line[256], wanted[64];
	bool passed = false, warned = false, named = false;
	FILE *pipe;

	snprintf(command, sizeof(command), "edid-decode --check %s 2>&1", path);
	snprintf(wanted, sizeof(wanted), "DTD 1: %5ux%-5u", monitor->width, monitor->height);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	while (fgets(line, sizeof(line), pipe)) {
		passed |= strstr(line, "EDID conformity: PASS") != NULL;
		warned |= strstr(line, "Warnings:") || strstr(line, "Failures:");
		named |= strstr(line, wanted) != NULL;
	}
	assert_int_equal(pclose(pipe), 0);
	if (!passed || warned || !named)
		fail_msg("edid-decode on %ux%u: %s%s%s", monitor->width, monitor->height,
			passed ? "" : "fails ", warned ? "warns " : "",
			named ? "" : "does not see the mode");
}

static void test_decode(void **state)
{
	char path[] = "/tmp/test-edid.XXXXXX";
	uint8_t edid[EDID_BYTES];
	int fd;

	if (system("command -v edid-decode >/dev/null") != 0) {
		skip_because("edid-decode is not installed");
	}
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(monitors); i++) {
		assert_int_equal(edid_make(&monitors[i], edid), 0);
		write_file(path, edid);
		assert_conforms(&monitors[i], path);
	}
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_cvt),
		cmocka_unit_test(test_all_sizes),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_decode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
