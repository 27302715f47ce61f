/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * The main thread's half of a display: its lease, its RFB program and viewers, who waits for what. Nothing here blocks and nothing
 * here touches the device. What is wanted of the device goes to the capture thread's inbox; what that thread has to say comes back
 * as its status, copied under `lock`, or as a message through the main loop.
 *
 * Whyever a display ends, it ends one way: display_release() orders the capture thread to stop, that thread closes everything and
 * posts custody_released(), and then nobody else knows the display any more but its owner, who destroys it.
 */
#include <errno.h>

#include "base/config.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/measure.h"
#include "base/mem.h"
#include "bulletin.h"
#include "capture/capture.h"
#include "capture/import.h"
#include "display_internal.h"
#include "frame/wall.h"
#include "handover/descriptor.h"
#include "handover/lease.h"
#include "plane/source.h"
#include "stage.h"

enum { STACK_BYTES = 256 << 10 };

/* Wants to know when everything is released. */
struct waiter {
	TAILQ_ENTRY(waiter) link; /* display::waiters */
	display_done_fn fn;
	void *arg;
};

static void tell_ready(struct display *d, int error, const char *reason)
{
	display_ready_fn ready = take_ptr(d->ready);

	loop_timer_stop(d->ready_timer);
	if (ready)
		ready(d->arg, d, error, reason);
}

static void on_ready_timer(void *arg)
{
	tell_ready(arg, 0, "");
}

void custody_probed(void *arg)
{
	_cleanup_free_ struct probed *probed = arg;
	struct display *d = probed->display;
	bool told = !d->ready;

	if (d->ending)
		return;
	if (!told)
		tell_ready(d, probed->error, probed->reason);
	if (probed->error < 0) {
		if (told)
			log_err(d->handover.context.id, "%s, let go", probed->reason);
		display_release(d, DISPLAY_LOST, NULL, NULL);
	}
}

static void tell_snapshot(struct display *d, const struct snapshot *snapshot, int error)
{
	display_snapshot_fn fn = take_ptr(d->snapshot);

	loop_timer_stop(d->snapshot_timer);
	if (fn)
		fn(d->snapshot_arg, snapshot, error);
	else if (snapshot)
		fd_close(snapshot->fd);
}

void custody_snapped(void *arg)
{
	_cleanup_free_ struct snapped *snapped = arg;

	snapped->display->snapshot_late = false;
	tell_snapshot(snapped->display, snapped->error ? NULL : &snapped->snapshot, snapped->error);
}

static void on_snapshot_timer(void *arg)
{
	struct display *d = arg;

	d->snapshot_late = true;
	tell_snapshot(d, NULL, -ETIMEDOUT);
}

static void on_lease_ended(void *arg)
{
	struct display *d = arg;

	log_notice(d->handover.context.id, "its lease has ended, the device is let go");
	measure_count(MEASURE_LEASE_LOST);
	display_release(d, DISPLAY_LOST, NULL, NULL);
}

static void tell_waiters(struct display *d)
{
	struct waiter *waiter;

	while ((waiter = TAILQ_FIRST(&d->waiters))) {
		TAILQ_REMOVE(&d->waiters, waiter, link);
		waiter->fn(waiter->arg);
		free(waiter);
	}
}

static void on_settled(void *arg)
{
	struct display *d = arg;

	tell_waiters(d);
	if (d->left || !ghost_begin(d))
		return d->gone(d->arg);
	bulletin_display(BULLETIN_DISPLAY_STATE, d);
}

/* The capture thread has closed everything and is returning. Nobody else shall hold the device when that is told. */
void custody_released(void *arg)
{
	struct display *d = arg;

	pthread_join(d->thread, NULL);
	if (d->left || !d->keeper || d->keeper->settle(d->keeper_arg, on_settled, d) < 0)
		on_settled(d);
}

void custody_ghost_ended(struct display *d)
{
	tell_waiters(d);
	d->gone(d->arg);
}

static int start_thread(struct display *d)
{
	pthread_attr_t attr;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	r = -pthread_create(&d->thread, &attr, display_capture_thread, d);
	pthread_attr_destroy(&attr);
	return r;
}

static bool is_stopping(void *arg)
{
	struct display *d = arg;

	return inbox_stopping(&d->inbox);
}

static int take_importer(struct display *d)
{
	struct importer_options options = {
		.program = d->config->import_program,
		.id = d->handover.context.id,
		.node = d->handover.render,
		.node_path = d->config->render_node,
		.policy = d->config->import,
		.stopping = is_stopping,
		.arg = d,
	};
	struct importer *importer;
	int r;

	if (d->handover.source != SOURCE_VFIO)
		return 0;
	r = importer_create(&options, &importer);
	if (r < 0)
		return r;
	take_fd(&d->handover.render);
	capture_set_importer(d->driver.capture, importer);
	return 0;
}

static int take_source(struct display *d)
{
	int r;

	if (d->handover.source == SOURCE_VFIO)
		r = source_vfio_create(d->handover.device, &d->driver.source);
	else
		r = source_surface_create(d->handover.device, &d->driver.source);
	if (r < 0)
		return r;
	d->device = take_fd(&d->handover.device);
	r = capture_create(d->driver.source, &d->driver.capture);
	return r < 0 ? r : take_importer(d);
}

/* What every display has, whatever is behind it. Descriptors are taken out of @handover; display_destroy() is needed in every case. */
static int lay_out(struct display *d, struct loop *loop, const struct config *config,
	struct handover *handover, void *arg)
{
	int r;

	d->loop = loop;
	d->config = config;
	d->handover = *handover;
	handover_init(handover);
	d->arg = arg;
	d->device = -EBADF;
	d->since = loop_now_ms();
	TAILQ_INIT(&d->waiters);
	power_init(&d->power);
	pthread_mutex_init(&d->lock, NULL);
	driver_init(&d->driver);
	d->driver.called = audience_called;
	d->driver.arg = d;
	r = inbox_init(&d->inbox);
	if (change_init(&d->change, d->inbox.wake, take_fd(&d->handover.change)) < 0)
		r = -EMFILE;
	if (r == 0)
		r = loop_timer_add(loop, ghost_on_timer, d, &d->linger_timer);
	if (r == 0)
		r = loop_timer_add(loop, on_ready_timer, d, &d->ready_timer);
	if (r == 0)
		r = loop_timer_add(loop, on_snapshot_timer, d, &d->snapshot_timer);
	if (r == 0)
		r = loop_timer_add(loop, audience_look_after, d, &d->stuck_timer);
	return r;
}

static int take_lease(struct display *d)
{
	const char *reason;
	int r;

	if (d->handover.lease < 0)
		return 0;
	r = lease_create(d->loop, d->handover.lease, on_lease_ended, d, &d->lease, &reason);
	if (r == 0)
		take_fd(&d->handover.lease);
	d->lease_is_descriptor = true;
	return r;
}

int display_create(struct loop *loop, const struct config *config, struct handover *handover,
	struct display *ghost, display_ready_fn ready, display_done_fn gone, void *arg,
	struct display **ret)
{
	struct display *d = new0(struct display);
	int r;

	if (!d) {
		handover_finish(handover);
		return -ENOMEM;
	}
	r = lay_out(d, loop, config, handover, arg);
	if (r == 0)
		r = take_source(d);
	if (r == 0)
		r = take_lease(d);
	if (r == 0)
		r = amend_inputs_begin(d);
	if (r == 0)
		r = audience_begin(d, ghost);
	if (r == 0) {
		pace_init(&d->pace, d->change.event >= 0, config->timer_fast_ms,
			config->timer_slow_ms, config->safety_ms,
			d->handover.context.frames_maximum ?: config->frames_maximum,
			loop_now_ms());
		pace_still(&d->pace, config->timer_still_ms);
		r = start_thread(d);
	}
	if (r < 0) {
		if (ghost)
			ghost_again(ghost, d);
		display_destroy(d);
		return r;
	}
	d->ready = ready;
	d->gone = gone;
	loop_timer_once(d->ready_timer, LIMIT_REGISTER_MS);
	if (ghost) {
		audience_inherited(d);
		ghost->gone(ghost->arg);
	}
	*ret = d;
	return 0;
}

int display_create_ghost(struct loop *loop, const struct config *config, struct handover *handover,
	uint64_t until, display_done_fn gone, void *arg, struct display **ret)
{
	struct display *d = new0(struct display);
	int r;

	if (!d) {
		handover_finish(handover);
		return -ENOMEM;
	}
	r = lay_out(d, loop, config, handover, arg);
	if (r == 0)
		r = audience_begin(d, NULL);
	if (r < 0) {
		display_destroy(d);
		return r;
	}
	d->gone = gone;
	ghost_raise(d, until);
	*ret = d;
	return 0;
}

void display_destroy(struct display *d)
{
	struct waiter *waiter;

	if (!d)
		return;
	while ((waiter = TAILQ_FIRST(&d->waiters))) {
		TAILQ_REMOVE(&d->waiters, waiter, link);
		free(waiter);
	}
	power_finish(&d->power);
	amend_inputs_end(d);
	lease_destroy(d->lease);
	stage_destroy(d->stage);
	wall_destroy(d->wall);
	driver_finish(&d->driver);
	loop_source_free(d->ready_timer);
	loop_source_free(d->snapshot_timer);
	loop_source_free(d->stuck_timer);
	loop_source_free(d->linger_timer);
	change_finish(&d->change);
	handover_finish(&d->handover);
	inbox_finish(&d->inbox);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

void display_release(struct display *d, enum display_state why, display_done_fn done, void *arg)
{
	if (done && display_on_end(d, done, arg) < 0)
		log_err(d->handover.context.id, "out of memory: its release will not be reported");
	if (d->ending) {
		if (why == DISPLAY_DRAINING) {
			ghost_dismiss(d);
			report_tell(d);
		}
		return;
	}
	if (d->keeper)
		d->keeper->released(d->keeper_arg);
	d->ending = true;
	d->why = why;
	d->device = -EBADF;
	amend_inputs_end(d);
	audience_complain(d);
	lease_destroy(take_ptr(d->lease));
	report_tell(d);
	tell_ready(d, -ECANCELED, "it was released before it was ready");
	tell_snapshot(d, NULL, -ENODATA);
	if (!ghost_prepare(d))
		wall_close(d->wall);
	inbox_stop(&d->inbox);
}

void display_leave(struct display *d)
{
	if (d->ending)
		return;
	d->ending = d->left = true;
	d->why = DISPLAY_DRAINING;
	d->device = -EBADF;
	lease_destroy(take_ptr(d->lease));
	tell_ready(d, -ESHUTDOWN, "the daemon ends");
	tell_snapshot(d, NULL, -ENODATA);
	wall_abandon(d->wall);
	inbox_stop(&d->inbox);
}

bool display_is_left(const struct display *d)
{
	return d->left;
}

void display_keep(struct display *d, const struct display_keeper *keeper, void *arg)
{
	d->keeper = keeper;
	d->keeper_arg = arg;
}

void display_answered(struct display *d)
{
	if (d->keeper && !d->ending)
		d->keeper->answered(d->keeper_arg);
}

void display_call_gone(struct display *d)
{
	if (d->keeper && !d->ending)
		d->keeper->call_gone(d->keeper_arg);
}

int display_on_end(struct display *d, display_done_fn fn, void *arg)
{
	struct waiter *waiter = new0(struct waiter);

	if (!waiter)
		return -ENOMEM;
	waiter->fn = fn;
	waiter->arg = arg;
	TAILQ_INSERT_TAIL(&d->waiters, waiter, link);
	return 0;
}

void display_off_end(struct display *d, display_done_fn fn, void *arg)
{
	struct waiter *waiter;

	TAILQ_FOREACH (waiter, &d->waiters, link) {
		if (waiter->fn != fn || waiter->arg != arg)
			continue;
		TAILQ_REMOVE(&d->waiters, waiter, link);
		free(waiter);
		return;
	}
}

void *display_owner(const struct display *d)
{
	return d->arg;
}

const struct context *display_context(const struct display *d)
{
	return &d->handover.context;
}

const struct handover *display_registrant(const struct display *d)
{
	return &d->handover;
}

bool display_same_device(const struct display *d, int fd)
{
	return d->device >= 0 && descriptor_same(d->device, fd) == 1;
}

struct wall *display_wall(struct display *d)
{
	return d->wall;
}

void display_glance(struct display *d)
{
	if (!d->watchers && !d->ending)
		inbox_glance(&d->inbox);
}

int display_snapshot(struct display *d, display_snapshot_fn fn, void *arg)
{
	if (d->snapshot || d->snapshot_late || d->ending)
		return -EBUSY;
	d->snapshot = fn;
	d->snapshot_arg = arg;
	loop_timer_once(d->snapshot_timer, LIMIT_SNAPSHOT_MS);
	inbox_snapshot(&d->inbox);
	return 0;
}
