/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose turn it is to look, where the purse is empty: what a display tells it. The purse here is this file's: whoever is idle rests for an
 * hour, so that what ends a rest is not time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>

#include "base/loop.h"
#include "damage/purse.h"
#include "display_internal.h"
#include "rehearsal.h"

enum { IDLE = 1, HOUR_MS = 3600 * 1000 };

static atomic_uint weight;  /* the display's, as it told last */
static atomic_bool empty;   /* the purse */
static atomic_uint refused; /* so often somebody who wanted to look was told to rest */

void purse_join(struct budget_member *member, bool watched, bool active)
{
	member->weight = !watched ? 0 : active ? PURSE_ACTIVE : IDLE;
	weight = member->weight;
}

uint32_t purse_wait(const struct budget_member *member)
{
	if (!empty || member->weight != IDLE)
		return 0;
	refused++;
	return HOUR_MS;
}

uint64_t purse_begin(void)
{
	return 0;
}

void purse_pay(struct budget_member *member, uint64_t began)
{
}

static bool is_idle(void)
{
	return weight == IDLE;
}

static bool has_no_part(void)
{
	return weight == 0;
}

static bool rests(void)
{
	return refused > before;
}

/* Watched, quiet for long enough to be an idle one, and told to rest. */
static void begin_to_rest(void)
{
	empty = false;
	refused = 0;
	display_begin_plain();
	fake_wall_watch(1);
	until(sees_picture);
	until(is_idle);
	before = 0;
	empty = true;
	until(rests);
}

static void a_touch_ends_an_idle_ones_rest(void **state)
{
	begin_to_rest();
	fake_source_pixel(pixel = 0x345678);
	assert_false(within(sees_pixel, 300));
	inbox_touch(&display->inbox, loop_now_ms());
	until(sees_pixel);
	/* And it rests again when nothing comes of it. */
	before = refused;
	until(rests);
	assert_true(is_idle());
	display_end();
}

static void who_comes_does_not_wait_for_it(void **state)
{
	begin_to_rest();
	fake_wall_watch(0);
	until(has_no_part);
	fake_source_pixel(pixel = 0x456789);
	fake_wall_watch(1);
	until(sees_pixel);
	fake_wall_watch(0);
	until(has_no_part);
	display_end();
}

static void who_goes_leaves_its_part(void **state)
{
	begin_to_rest();
	display_end();
	assert_true(has_no_part());
}

#define in_rehearsal(test) cmocka_unit_test_setup_teardown(test, rehearsal_begin, rehearsal_end)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		in_rehearsal(a_touch_ends_an_idle_ones_rest),
		in_rehearsal(who_comes_does_not_wait_for_it),
		in_rehearsal(who_goes_leaves_its_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
