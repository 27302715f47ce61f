/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ring of events, and the writer of their texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/shared.h"
#include "control/ring.h"
#include "control/writer.h"

/* ---- The ring ---- */

static struct ring *ring;

static int setup(void **state)
{
	return ring_create(&ring);
}

static int teardown(void **state)
{
	ring_destroy(ring);
	return 0;
}

static void push(uint64_t sequence, enum bulletin_kind kind, const char *id, size_t size)
{
	struct ring_event event = {.sequence = sequence, .kind = kind};
	_cleanup_free_ char *text = calloc(1, size + 1);

	memset(text, 'x', size);
	snprintf(event.id, sizeof(event.id), "%s", id);
	event.text = shared_create(text, size, "", 1);
	assert_non_null(event.text);
	ring_push(ring, &event);
}

/* 0: none. */
static uint64_t next(uint64_t *place)
{
	uint64_t missed;
	const struct ring_event *event = ring_next(ring, place, &missed);

	assert_int_equal(missed, 0);
	assert_true(!event || event->sequence == *place);
	return event ? event->sequence : 0;
}

static uint64_t missed(uint64_t place)
{
	uint64_t missed;

	return ring_next(ring, &place, &missed) ? 0 : missed;
}

static void each_reader_has_its_place(void **state)
{
	uint64_t one = 0, two = 0;

	assert_int_equal(next(&one), 0);
	push(1, BULLETIN_VIEWER_ATTACHED, "vm1", 10);
	push(2, BULLETIN_VIEWER_ATTACHED, "vm1", 10);
	assert_int_equal(next(&one), 1);
	assert_int_equal(next(&one), 2);
	assert_int_equal(next(&one), 0);
	push(3, BULLETIN_VIEWER_ATTACHED, "vm1", 10);
	assert_int_equal(next(&one), 3);
	assert_int_equal(next(&two), 1);
	assert_int_equal(next(&two), 2);
	assert_int_equal(next(&two), 3);
	assert_int_equal(next(&two), 0);
}

static void latest_state_wins(void **state)
{
	uint64_t place = 0;

	push(1, BULLETIN_DISPLAY_STATE, "vm1", 10);
	push(2, BULLETIN_DISPLAY_STATE, "vm2", 10);
	push(3, BULLETIN_DISPLAY_RESIZED, "vm1", 10);
	push(4, BULLETIN_DISPLAY_REGISTERED, "vm1", 10);
	push(5, BULLETIN_DISPLAY_STATE, "vm1", 10);
	push(6, BULLETIN_DISPLAY_REGISTERED, "vm1", 10);
	assert_int_equal(next(&place), 2);
	assert_int_equal(next(&place), 3);
	assert_int_equal(next(&place), 4);
	assert_int_equal(next(&place), 5);
	assert_int_equal(next(&place), 6);
	push(7, BULLETIN_DISPLAY_STATE, "vm1", 10);
	assert_int_equal(next(&place), 7);
	assert_int_equal(next(&place), 0);
}

static void who_falls_out_is_told(void **state)
{
	uint64_t place;

	for (uint64_t n = 1; n <= LIMIT_EVENTS; n++)
		push(n, BULLETIN_VIEWER_ATTACHED, "vm1", 10);
	place = 0;
	assert_int_equal(next(&place), 1);
	push(LIMIT_EVENTS + 1, BULLETIN_VIEWER_ATTACHED, "vm1", 10);
	assert_int_equal(missed(0), 1);
	assert_int_equal(next(&place), 2);
	for (uint64_t n = LIMIT_EVENTS + 2; n <= 3 * LIMIT_EVENTS; n++)
		push(n, BULLETIN_VIEWER_ATTACHED, "vm1", 10);
	assert_int_equal(missed(0), 2 * LIMIT_EVENTS);
	assert_int_equal(missed(place), 2 * LIMIT_EVENTS - 2);
	place = 2 * LIMIT_EVENTS;
	assert_int_equal(next(&place), 2 * LIMIT_EVENTS + 1);
}

static void bytes_are_bounded_too(void **state)
{
	const size_t size = 64 << 10;
	const uint64_t fit = LIMIT_EVENT_BYTES / (size + 1);
	uint64_t place;

	for (uint64_t n = 1; n <= fit; n++)
		push(n, BULLETIN_VIEWER_ATTACHED, "vm1", size);
	place = 0;
	assert_int_equal(next(&place), 1);
	push(fit + 1, BULLETIN_VIEWER_ATTACHED, "vm1", size);
	assert_int_equal(missed(0), 1);
	place = 1;
	assert_int_equal(next(&place), 2);
	/* What is overtaken weighs nothing. */
	for (uint64_t n = fit + 2; n <= 4 * fit; n++)
		push(n, BULLETIN_DISPLAY_STATE, "vm1", size);
	place = 4 * fit - 1;
	assert_int_equal(next(&place), 4 * fit);
	place = fit + 1;
	assert_int_equal(next(&place), 4 * fit);
}

static void what_is_not_kept_is_missed(void **state)
{
	struct ring_event lost = {.sequence = 3, .kind = BULLETIN_VIEWER_ATTACHED};
	uint64_t place = 2;

	push(1, BULLETIN_VIEWER_ATTACHED, "vm1", 10);
	push(2, BULLETIN_VIEWER_ATTACHED, "vm1", 10);
	ring_push(ring, &lost);
	assert_int_equal(missed(place), 1);
	place = 3;
	assert_int_equal(next(&place), 0);
	push(4, BULLETIN_VIEWER_ATTACHED, "vm1", 10);
	assert_int_equal(next(&place), 4);
	assert_int_equal(missed(1), 2);
	/* Nobody listened for a while. */
	push(10, BULLETIN_VIEWER_ATTACHED, "vm1", 10);
	place = 9;
	assert_int_equal(next(&place), 10);
	assert_int_equal(missed(4), 5);
}

/* ---- The writer ---- */

static json_t *written(const char *text)
{
	struct writer writer;

	writer_init(&writer);
	writer_open(&writer, NULL, '{');
	writer_text(&writer, "t", text);
	writer_number(&writer, "n", INT64_MIN);
	writer_open(&writer, "a", '[');
	writer_text(&writer, NULL, text);
	writer_bool(&writer, NULL, false);
	writer_open(&writer, NULL, '{');
	writer_close(&writer, '}');
	writer_close(&writer, ']');
	writer_open(&writer, "o", '{');
	writer_pair(&writer, text, text);
	writer_close(&writer, '}');
	writer_text_if(&writer, "none", "");
	writer_close(&writer, '}');
	return writer_json(&writer);
}

static void texts_are_read_as_they_were(void **state)
{
	static const char *const texts[] = {"", "plain", "\"\\/\b\f\n\r\t\x01\x1f\x7f", "ä€𐍈",
		"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\xc2\x80\xe0\xa0\x80\xf0\x90\x80\x80"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *json = written(texts[i]), *array = json_object_get(json, "a");

		assert_int_equal(json_object_size(json), 4);
		assert_string_equal(json_string_value(json_object_get(json, "t")), texts[i]);
		assert_true(json_integer_value(json_object_get(json, "n")) == INT64_MIN);
		assert_int_equal(json_array_size(array), 3);
		assert_string_equal(json_string_value(json_array_get(array, 0)), texts[i]);
		assert_string_equal(
			json_string_value(json_object_get(json_object_get(json, "o"), texts[i])),
			texts[i]);
		json_decref(json);
	}
}

/* jansson, which reads it, says what is UTF-8. */
static void foreign_bytes_are_masked(void **state)
{
	srandom(1);
	for (unsigned int round = 0; round < 200000; round++) {
		char text[8] = "";
		json_t *json, *same;
		size_t n = (size_t)random() % sizeof(text);

		for (size_t i = 0; i < n; i++) {
			static const unsigned char likely[] = {0x80, 0xbf, 0xc0, 0xc2, 0xe0, 0xed,
				0xa0, 0x9f, 0xf0, 0xf4, 0x90, 0x8f, 'a', '"', 0xf5, 0xff};

			text[i] = (char)likely[(size_t)random() % sizeof(likely)];
		}
		json = written(text);
		same = json_string(text);
		assert_non_null(json);
		if (same)
			assert_true(json_equal(json_object_get(json, "t"), same));
		for (const char *c = json_string_value(json_object_get(json, "t")); !same && *c;
			c++)
			assert_in_range(*c, ' ', '~');
		json_decref(json);
		json_decref(same);
	}
}

static void long_ones_fit(void **state)
{
	_cleanup_free_ char *text = calloc(1, 100001);
	json_t *json;

	memset(text, '"', 100000);
	json = written(text);
	assert_string_equal(json_string_value(json_object_get(json, "t")), text);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_reader_has_its_place, setup, teardown),
		cmocka_unit_test_setup_teardown(latest_state_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(who_falls_out_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(bytes_are_bounded_too, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_kept_is_missed, setup, teardown),
		cmocka_unit_test(texts_are_read_as_they_were),
		cmocka_unit_test(foreign_bytes_are_masked),
		cmocka_unit_test(long_ones_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
