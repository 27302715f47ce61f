/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "driver.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/loop.h"
#include "base/probe.h"
#include "base/mem.h"
#include "capture/capture.h"
#include "plane/source.h"

void driver_init(struct driver *driver)
{
	driver->source = NULL;
	driver->capture = NULL;
	driver->call = "";
	driver->called_at = 0;
	driver->calls = 0;
	driver->unheeded = false;
	driver->called = NULL;
	pthread_mutex_init(&driver->turn, NULL);
}

void driver_finish(struct driver *driver)
{
	capture_destroy(take_ptr(driver->capture));
	source_destroy(take_ptr(driver->source));
	pthread_mutex_destroy(&driver->turn);
}

void driver_take_turn(struct driver *driver)
{
	pthread_mutex_lock(&driver->turn);
}

void driver_leave_turn(struct driver *driver)
{
	pthread_mutex_unlock(&driver->turn);
}

void driver_call_begin(struct driver *driver, const char *what)
{
	PROBE1(call_begin, what);
	driver->call = what;
	driver->called_at = loop_now_ms();
	driver->calls++;
	/* After called_at: whoever has said that nobody looks any more sees that, or is told here. */
	if (driver->called && atomic_exchange(&driver->unheeded, false))
		driver->called(driver->arg);
	driver_leave_turn(driver);
}

void driver_call_end(struct driver *driver)
{
	driver_take_turn(driver);
	PROBE1(call_end, (const char *)driver->call);
	driver->called_at = 0;
}

int driver_query(struct driver *driver, enum plane_type type, struct plane *ret)
{
	int r;

	driver_call_begin(driver, "a query");
	r = driver->source->ops->query(driver->source, type, ret);
	driver_call_end(driver);
	return r;
}

static int begin(struct driver *driver, const struct plane *plane, struct view *ret)
{
	int r;

	driver_call_begin(driver, "a request for the picture's memory");
	r = capture_begin(driver->capture, plane, ret);
	driver_call_end(driver);
	return r;
}

int driver_map(struct driver *driver, struct plane *plane, struct view *ret)
{
	int r = begin(driver, plane, ret);

	if (r != -ESTALE)
		return r;
	r = driver_query(driver, plane->type, plane);
	if (r < 0 || !plane_is_on(plane) || plane_unsuitable(plane))
		return -ESTALE;
	return begin(driver, plane, ret);
}

void driver_unmap(struct driver *driver)
{
	driver_call_begin(driver, "the end of a read");
	capture_end(driver->capture);
	driver_call_end(driver);
}

void driver_forget(struct driver *driver)
{
	driver_call_begin(driver, "the end of a mapping");
	capture_forget(driver->capture);
	driver_call_end(driver);
}

void driver_release(struct driver *driver)
{
	driver_call_begin(driver, "the closing of the device");
	capture_destroy(take_ptr(driver->capture));
	source_destroy(take_ptr(driver->source));
	driver_call_end(driver);
}

uint64_t driver_busy(struct driver *driver, const char **ret_call)
{
	uint64_t at = driver->called_at, now = loop_now_ms();

	if (!at)
		return 0;
	*ret_call = driver->call;
	return now > at ? now - at : 1;
}

bool driver_rests(struct driver *driver, unsigned int *calls)
{
	unsigned int before = *calls;

	driver->unheeded = true;
	*calls = driver->calls;
	if (!driver->called_at && *calls == before)
		return true;
	driver->unheeded = false;
	return false;
}

bool driver_stand_in(struct driver *driver)
{
	if (pthread_mutex_trylock(&driver->turn) != 0)
		return false;
	if (driver->called_at)
		return true;
	driver_leave_turn(driver);
	return false;
}

void driver_step_back(struct driver *driver)
{
	driver_leave_turn(driver);
}
