/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/eventfd.h>

#include "base/config.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "rehearsal.h"

#define TURN_MS 2u

static struct loop *loop;
static struct loop_source *timer;
static struct config config;
struct display *display;
bool ended;
uint32_t pixel;
unsigned int before;

static bool gone;
static int ready_error;

/* ---- The main loop, in slices ---- */

static bool (*wanted)(void);
static uint64_t deadline;
static bool came;

static void on_timer(void *arg)
{
	fake_wall_turn();
	came = wanted && wanted();
	if (came || loop_now_ms() >= deadline)
		loop_stop(loop);
}

/* Runs the main loop until @condition holds, at most @ms. */
bool within(bool (*condition)(void), uint64_t ms)
{
	wanted = condition;
	deadline = loop_now_ms() + ms;
	came = false;
	loop_run(loop);
	return came;
}

void pass(uint64_t ms)
{
	within(NULL, ms);
}

/* ---- Conditions ---- */

bool is_ready(void)
{
	return ready_error <= 0;
}

bool is_gone(void)
{
	return gone;
}

bool is_ghost(void)
{
	return display && display_is_ghost(display);
}

bool sees_words(void)
{
	return fake_wall_seen().publishes && fake_wall_seen().placard;
}

bool sees_picture(void)
{
	return fake_wall_seen().publishes && !fake_wall_seen().placard;
}

bool sees_pixel(void)
{
	return sees_picture() && fake_wall_seen().pixel == pixel;
}

struct display_runtime runtime(void)
{
	struct display_runtime runtime;

	display_runtime(display, &runtime);
	display_glance(display); /* as List does */
	return runtime;
}

bool is_slow(void)
{
	return strstr(runtime().reason, "has not answered") != NULL;
}

bool has_scanned(void)
{
	return runtime().frames_captured > before;
}

bool has_published(void)
{
	return fake_wall_seen().publishes > before;
}

bool has_queried(void)
{
	return fake_source_calls(FAKE_QUERY) > before;
}

bool has_heard(void)
{
	return fake_source_calls(FAKE_HEARD) > before;
}

bool has_offered(void)
{
	return fake_source_calls(FAKE_OFFER_SIZE) > before;
}

bool has_link_up(void)
{
	return fake_source_calls(FAKE_LINK_UP) > before;
}

/* ---- A display ---- */

static void on_ready(void *arg, struct display *d, int error, const char *reason)
{
	ready_error = error;
}

static void on_gone(void *arg)
{
	gone = true;
	display_destroy(display);
	display = NULL;
}

static void on_ended(void *arg)
{
	ended = true;
}

static void create(struct handover *handover, struct display *ghost)
{
	handover->source = SOURCE_VFIO;
	handover->device = eventfd(0, EFD_CLOEXEC);
	strcpy(handover->context.id, "a");
	gone = ended = false;
	ready_error = 1;
	assert_int_equal(
		display_create(loop, &config, handover, ghost, on_ready, on_gone, NULL, &display),
		0);
	assert_int_equal(gone, ghost != NULL);
	gone = false;
}

void display_begin(struct handover *handover)
{
	create(handover, NULL);
}

void display_begin_ghost(uint64_t until)
{
	struct handover handover;

	handover_init(&handover);
	handover.device = -EBADF;
	strcpy(handover.context.id, "a");
	gone = ended = false;
	assert_int_equal(
		display_create_ghost(loop, &config, &handover, until, on_gone, NULL, &display), 0);
	assert_true(is_ghost());
	assert_int_equal(runtime().state, DISPLAY_LOST);
}

void display_return(struct handover *handover)
{
	create(handover, display);
}

void rehearsal_linger(uint32_t seconds)
{
	config.linger_seconds = seconds;
}

void rehearsal_safety(uint32_t ms)
{
	config.safety_ms = ms;
}

/* A display without eventfd or leave for anything. */
void display_begin_plain(void)
{
	struct handover handover;

	handover_init(&handover);
	display_begin(&handover);
	until(is_ready);
}

void display_drain(void)
{
	display_release(display, DISPLAY_DRAINING, on_ended, NULL);
}

void display_end(void)
{
	display_drain();
	until(is_gone);
	assert_true(ended);
	assert_int_equal(fake_source_calls(FAKE_DESTROY), 1);
}

void rehearsal_reset(void)
{
	fake_source_reset();
	fake_wall_reset();
	before = 0;
}

int rehearsal_begin(void **state)
{
	rehearsal_reset();
	config_init(&config);
	config.linger_seconds = 0;
	log_set_level(LOG_LEVEL_ERR);
	if (loop_create(&loop) < 0 || loop_timer_add(loop, on_timer, NULL, &timer) < 0)
		return -1;
	return loop_timer_every(timer, TURN_MS);
}

int rehearsal_end(void **state)
{
	if (display) {
		fake_source_unblock();
		display_release(display, DISPLAY_DRAINING, NULL, NULL);
		within(is_gone, LONG_MS);
	}
	loop_source_free(timer);
	loop_destroy(loop);
	config_finish(&config);
	return 0;
}
