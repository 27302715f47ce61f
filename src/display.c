/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * The straight line is look(): query the planes, map, scan, publish. It runs on the display's capture thread, which sleeps on `wake`
 * while nobody watches: no query, no scan, no wake-up. A query may block for 25 s in one real driver, so everything that can block
 * (probe, query, map, unmap, close) happens on that thread and nothing else waits for it: the main thread leaves orders under
 * `lock` and writes `wake`; the capture thread leaves its status under the same lock and posts events to the main loop.
 *
 * The end is the line backwards, on the same thread: mappings and dma-bufs, then the device fd. A dma-buf that outlives its device
 * touches freed memory in one driver, and a device fd that outlives its VMM keeps the device busy.
 *
 * The eventfd of the registrant is never read: it is waited for edge-triggered, where each write() is an edge of its own
 * (fs/eventfd.c wakes on each). So a blocking, semaphore or saturated eventfd cannot hold the thread.
 */
#include "display.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/queue.h>

#include "base/config.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "capture/capture.h"
#include "damage/pace.h"
#include "frame/wall.h"
#include "handover/descriptor.h"
#include "handover/lease.h"
#include "plane/format.h"
#include "plane/source.h"
#include "stage.h"

enum {
	STACK_BYTES = 256 << 10,
	HOLD_MS = 400,	     /* the last picture stays through the gaps of a mode switch */
	HOLD_LOOK_MS = 50,   /* how often to look in such a gap */
	GLANCE_MIN_MS = 500, /* List makes an unwatched display look again, not more often */
	PROBE_AGAIN_MS = 500,
};

/* What the main thread wants. */
struct orders {
	bool stop, program_ended, watch_changed, granted, busy, taken, glance, snapshot;
	unsigned int watchers;
	uint32_t generation; /* granted or busy */
	uint32_t taken_generation;
};

/* What the capture thread found. */
struct status {
	bool probed;
	bool live;
	char reason[sizeof(((struct display_runtime *)0)->reason)];
	struct plane planes[2];
	unsigned int planes_used;
	uint64_t captured, published;
};

/* Wants to know when everything is released. */
struct waiter {
	TAILQ_ENTRY(waiter) link; /* display::waiters */
	display_done_fn fn;
	void *arg;
};

struct display {
	/* Main thread. */
	struct loop *loop;
	const struct config *config;
	struct handover handover; /* descriptors are gone from it, but for none */
	struct lease *lease;	  /* NULL: the connection is the lease, or while ending */
	bool lease_is_descriptor;
	struct wall *wall;
	struct loop_source *ready_timer, *snapshot_timer;
	display_ready_fn ready; /* NULL once called */
	display_done_fn gone;
	void *arg;
	bool ending;
	enum display_state why; /* while ending */
	TAILQ_HEAD(, waiter) waiters;
	display_snapshot_fn snapshot;
	void *snapshot_arg;
	bool snapshot_late; /* answered, the thread still works on it */
	int device;	    /* the source's fd, for comparison only; -EBADF while ending */

	/* Shared. */
	pthread_t thread;
	bool thread_runs;
	int wake; /* eventfd */
	pthread_mutex_t lock;
	struct orders orders;
	struct status status;
	_Atomic uint64_t query_since; /* a query began then and has not ended; 0: none */
	_Atomic unsigned int watchers;

	/* Capture thread. */
	struct source *source;
	struct capture *capture;
	struct stage *stage;
	struct pace pace;
	struct status found;
	int epoll, change;
	bool change_armed, probed;
	bool hot; /* the last look found something: ask for the grant before the next */
	uint64_t trouble_since; /* no picture since then; 0: there is one */
	uint64_t last_glance, last_probe;
};

/* ---- The capture thread ---- */

static void set_reason(struct display *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void set_reason(struct display *d, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(d->found.reason, sizeof(d->found.reason), format, args);
	va_end(args);
}

static void set_live(struct display *d, bool live)
{
	d->found.live = live;
	if (live)
		d->found.reason[0] = '\0';
}

static void report(struct display *d)
{
	pthread_mutex_lock(&d->lock);
	d->status = d->found;
	pthread_mutex_unlock(&d->lock);
}

static int query(struct display *d, enum plane_type type, struct plane *ret)
{
	int r;

	d->query_since = loop_now_ms();
	r = d->source->ops->query(d->source, type, ret);
	d->query_since = 0;
	return r;
}

/* What stands where a picture should be, in words for viewers and for List. Never over a picture that may be back at once. */
static void no_picture(struct display *d, const char *title, uint64_t now)
{
	if (!d->trouble_since)
		d->trouble_since = now;
	if (d->found.live && stage_shows_picture(d->stage) && now - d->trouble_since < HOLD_MS)
		return;
	set_live(d, false);
	if (d->watchers)
		stage_placard(d->stage, title, d->found.reason);
}

/* 0: @ret is mapped until capture_end(). Else no picture, and d->found.reason says why. -ENODATA: off; -ENOTSUP: cannot be
 * shown, ever, like this; others: trouble that may pass. */
static int map_primary(struct display *d, struct plane *plane, struct view *ret)
{
	const char *unfit;
	char name[16];
	int r;

	r = query(d, PLANE_PRIMARY, plane);
	if (r < 0) {
		set_reason(d, "the driver does not say what it shows: %s", strerror(-r));
		return r == -ENODATA || r == -ENOTSUP ? -EIO : r;
	}
	d->found.planes_used = plane_is_on(plane);
	d->found.planes[0] = *plane;
	if (!plane_is_on(plane)) {
		capture_forget(d->capture);
		set_reason(d, "the guest has not switched its display on");
		return -ENODATA;
	}
	unfit = plane_unsuitable(plane);
	if (unfit) {
		set_reason(d, "%s modifier 0x%llx %ux%u: %s", format_name(plane->fourcc, name),
			(unsigned long long)plane->modifier, plane->width, plane->height, unfit);
		return -ENOTSUP;
	}
	r = capture_begin(d->capture, plane, ret);
	if (r == -ESTALE) {
		/* The driver replaced the buffer between QUERY and GET: once more, now. */
		r = query(d, PLANE_PRIMARY, plane);
		if (r == 0 && plane_is_on(plane) && !plane_unsuitable(plane))
			r = capture_begin(d->capture, plane, ret);
		else
			r = -ESTALE;
	}
	if (r == -ENODEV || r == -ENOTSUP) {
		set_reason(d, "%s", capture_reason(d->capture));
		return -ENOTSUP;
	}
	if (r < 0)
		set_reason(d, "%s", capture_reason(d->capture));
	return r;
}

/* -EAGAIN: wait for the grant. */
static int look_at_cursor(struct display *d)
{
	struct plane plane;
	struct view view;
	int r;

	if (query(d, PLANE_CURSOR, &plane) < 0 || !plane_is_on(&plane) ||
		plane.width > LIMIT_CURSOR || plane.height > LIMIT_CURSOR ||
		plane.fourcc != DRM_FORMAT_ARGB8888 || plane_unsuitable(&plane) ||
		capture_begin(d->capture, &plane, &view) < 0)
		return stage_cursor(d->stage, NULL, NULL);
	d->found.planes[d->found.planes_used++] = plane;
	r = view.rows_readable == plane.height ? stage_cursor(d->stage, &plane, &view)
					       : stage_cursor(d->stage, NULL, NULL);
	capture_end(d->capture);
	return r;
}

/* The straight line. */
static void look(struct display *d)
{
	uint64_t now = loop_now_ms();
	struct plane plane;
	struct view view;
	int changed, moved = 0;

	changed = map_primary(d, &plane, &view);
	if (changed < 0) {
		no_picture(d, changed == -ENOTSUP ? "This display cannot be shown" : "No picture",
			now);
	} else {
		changed = stage_picture(d->stage, &view);
		capture_end(d->capture);
		d->found.captured++;
		if (changed >= 0) {
			d->trouble_since = 0;
			set_live(d, true);
			moved = look_at_cursor(d);
		} else if (changed != -EAGAIN) {
			capture_forget(d->capture);
			set_reason(d, "the picture could not be read: %s", strerror(-changed));
			no_picture(d, "No picture", now);
		}
	}
	if (changed == -EAGAIN || moved == -EAGAIN) {
		/* Viewers are still reading. What was found is found again when they let go. */
		report(d);
		return;
	}
	if (stage_publish(d->stage))
		d->found.published++;
	d->hot = changed > 0 || moved > 0;
	pace_looked(&d->pace, d->hot, now);
	report(d);
}

/* For List: what is there, without a frame. */
static void glance(struct display *d)
{
	struct plane plane;
	struct view view;
	int r;

	d->last_glance = loop_now_ms();
	r = map_primary(d, &plane, &view);
	if (r == 0)
		capture_end(d->capture);
	set_live(d, r == 0);
	report(d);
}

struct snapping {
	const struct view *view;
	uint8_t *to;
	size_t stride;
};

static int guarded_snapshot(void *arg)
{
	struct snapping *snapping = arg;
	const struct view *view = snapping->view;

	for (uint32_t y = 0; y < view->rows_readable; y++)
		view->convert((uint32_t *)(snapping->to + y * snapping->stride),
			view->pixels + (size_t)y * view->stride, view->width);
	return 0;
}

static int copy_to_memfd(const struct view *view, struct snapshot *ret)
{
	struct snapping snapping = {.view = view, .stride = (size_t)view->width * 4};
	size_t bytes = snapping.stride * view->height;
	_cleanup_fd_ int fd = -EBADF;
	int r;

	fd = memfd_create("vfio-display-capture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, bytes) < 0)
		return -errno;
	snapping.to = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (snapping.to == MAP_FAILED)
		return -errno;
	r = capture_guard(guarded_snapshot, &snapping);
	munmap(snapping.to, bytes);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	*ret = (struct snapshot){
		.fd = fd_move_high(take_fd(&fd)),
		.width = view->width,
		.height = view->height,
		.stride = snapping.stride,
	};
	return 0;
}

struct snapped {
	struct display *display;
	struct snapshot snapshot;
	int error;
};

static void on_snapped(void *arg);

static void snap(struct display *d)
{
	struct snapped *snapped = new0(struct snapped);
	struct plane plane;
	struct view view;
	int r;

	if (!snapped)
		return; /* the caller's timer answers */
	snapped->display = d;
	snapped->snapshot.fd = -EBADF;
	r = d->probed ? map_primary(d, &plane, &view) : -ENODATA;
	if (r == 0) {
		r = copy_to_memfd(&view, &snapped->snapshot);
		capture_end(d->capture);
	}
	set_live(d, r == 0);
	report(d);
	snapped->error = r == 0 || r == -ENOTSUP ? r : -ENODATA;
	if (loop_post(d->loop, on_snapped, snapped) < 0) {
		fd_close(snapped->snapshot.fd);
		free(snapped);
	}
}

struct probed {
	struct display *display;
	int error;
	char reason[160];
};

static void on_probed(void *arg);

/* False: not fit, or not ready to be asked. */
static bool probe(struct display *d)
{
	const char *reason = "";
	struct probed *probed;
	int r;

	d->last_probe = loop_now_ms();
	d->query_since = d->last_probe;
	r = d->source->ops->probe(d->source, &reason);
	d->query_since = 0;
	d->probed = r == 0;
	if (r == -EAGAIN)
		set_reason(d, "%s", "the device is not bound to an iommufd yet");
	else if (r < 0)
		set_reason(d, "%s", reason);
	d->found.probed = d->probed;
	report(d);
	probed = new0(struct probed);
	if (!probed)
		return d->probed;
	probed->display = d;
	probed->error = r == -EAGAIN ? 0 : r;
	snprintf(probed->reason, sizeof(probed->reason), "%s", reason);
	if (loop_post(d->loop, on_probed, probed) < 0)
		free(probed);
	return d->probed;
}

static void arm_change(struct display *d, bool arm)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = d->change};

	if (d->change < 0 || arm == d->change_armed)
		return;
	epoll_ctl(d->epoll, arm ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, d->change, &event);
	d->change_armed = arm;
}

static struct orders take_orders(struct display *d)
{
	struct orders orders;

	pthread_mutex_lock(&d->lock);
	orders = d->orders;
	d->orders = (struct orders){.stop = orders.stop, .watchers = orders.watchers};
	pthread_mutex_unlock(&d->lock);
	return orders;
}

/* False: stop. */
static bool obey(struct display *d, const struct orders *orders)
{
	uint64_t now = loop_now_ms();

	if (orders->stop)
		return false;
	if (orders->program_ended)
		stage_strike(d->stage);
	if (orders->granted)
		stage_granted(d->stage, orders->generation);
	if (orders->busy)
		stage_busy(d->stage, orders->generation);
	if (orders->taken && stage_taken(d->stage, orders->taken_generation))
		pace_nudge(&d->pace, now);
	if (!d->probed && (orders->watch_changed || orders->glance || orders->snapshot) &&
		now - d->last_probe >= PROBE_AGAIN_MS)
		probe(d);
	if (orders->watch_changed) {
		arm_change(d, orders->watchers);
		if (orders->watchers) {
			/* The first viewer waits for a publish, changed or not: a look that has the grant ends in one. */
			d->hot = true;
			pace_nudge(&d->pace, now);
			stage_patience_anew(d->stage, now);
		} else {
			/* From now on the picture grows old: the next viewer waits for the look that its coming causes. */
			stage_ask(d->stage);
		}
	}
	if (orders->snapshot)
		snap(d);
	if (d->probed && orders->glance && !d->watchers && now - d->last_glance >= GLANCE_MIN_MS)
		glance(d);
	return true;
}

/* Milliseconds to sleep; -1: until woken. 0: look now. */
static int how_long(struct display *d)
{
	uint64_t now = loop_now_ms();
	int patience, wait;

	if (!d->watchers)
		return -1;
	if (!d->probed)
		return PROBE_AGAIN_MS;
	patience = stage_patience(d->stage, now);
	if (patience >= 0)
		return patience ? patience : 1;
	wait = MIN(pace_wait(&d->pace, now), (uint32_t)INT32_MAX);
	if (d->found.live && d->trouble_since) {
		uint64_t since = now - d->pace.last_look;

		wait = MIN(wait, since < HOLD_LOOK_MS ? (int)(HOLD_LOOK_MS - since) : 0);
	}
	/* After a change another is likely: have the grant at hand, then one pass finds and copies. */
	if (wait == 0 && d->hot && !stage_ask(d->stage))
		return LIMIT_GRANT_MS;
	return wait;
}

static void sleep_for(struct display *d, int ms)
{
	struct pollfd wake = {.fd = d->wake, .events = POLLIN};
	struct epoll_event events[2];
	uint64_t count;
	int n;

	/* A look is due already, so the eventfd has no news: a registrant that signals without end does not wake us. */
	if (d->pace.pending && d->change_armed) {
		poll(&wake, 1, ms);
		ms = 0;
	}
	n = epoll_wait(d->epoll, events, 2, ms);
	for (int i = 0; i < n; i++) {
		if (events[i].data.fd == d->change)
			pace_event(&d->pace, loop_now_ms());
		else if (read(d->wake, &count, sizeof(count)) < 0)
			continue;
	}
}

static void on_released(void *arg);

static void *capture_thread(void *arg)
{
	struct display *d = arg;
	struct orders orders;
	int wait;

	if (probe(d))
		glance(d);
	for (;;) {
		orders = take_orders(d);
		if (!obey(d, &orders))
			break;
		wait = how_long(d);
		if (wait == 0)
			look(d);
		else
			sleep_for(d, wait);
		if (d->watchers && !d->probed && !probe(d)) {
			no_picture(d, "No picture", loop_now_ms());
			stage_publish(d->stage);
		}
	}
	/* Backwards: mappings and dma-bufs, then the device. */
	stage_destroy(take_ptr(d->stage));
	capture_destroy(take_ptr(d->capture));
	source_destroy(take_ptr(d->source));
	fd_closep(&d->change);
	while (loop_post(d->loop, on_released, d) < 0)
		sleep_for(d, 100); /* out of memory: this message must arrive */
	return NULL;
}

/* ---- The main thread ---- */

static void order(struct display *d, void (*write_order)(struct orders *orders, uint32_t value),
	uint32_t value)
{
	uint64_t one = 1;

	pthread_mutex_lock(&d->lock);
	write_order(&d->orders, value);
	pthread_mutex_unlock(&d->lock);
	if (write(d->wake, &one, sizeof(one)) < 0)
		return; /* full: it is awake already */
}

static void order_stop(struct orders *orders, uint32_t value)
{
	orders->stop = true;
}

static void order_watch(struct orders *orders, uint32_t watchers)
{
	orders->watch_changed = true;
	orders->watchers = watchers;
}

static void order_program_ended(struct orders *orders, uint32_t value)
{
	orders->program_ended = true;
	orders->granted = orders->busy = orders->taken = false;
	order_watch(orders, 0);
}

static void order_granted(struct orders *orders, uint32_t generation)
{
	orders->granted = true;
	orders->busy = false;
	orders->generation = generation;
}

static void order_busy(struct orders *orders, uint32_t generation)
{
	if (orders->granted)
		return;
	orders->busy = true;
	orders->generation = generation;
}

static void order_taken(struct orders *orders, uint32_t generation)
{
	orders->taken = true;
	orders->taken_generation = generation;
}

static void order_glance(struct orders *orders, uint32_t value)
{
	orders->glance = true;
}

static void order_snapshot(struct orders *orders, uint32_t value)
{
	orders->snapshot = true;
}

static void on_watch(void *arg, unsigned int watchers)
{
	struct display *d = arg;

	d->watchers = watchers;
	order(d, order_watch, watchers);
}

static void on_may_write(void *arg, uint32_t generation)
{
	order(arg, order_granted, generation);
}

static void on_busy(void *arg, uint32_t generation)
{
	order(arg, order_busy, generation);
}

static void on_taken(void *arg, uint32_t generation)
{
	order(arg, order_taken, generation);
}

static void on_program_ended(void *arg)
{
	struct display *d = arg;

	d->watchers = 0;
	order(d, order_program_ended, 0);
}

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

static void on_probed(void *arg)
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

static void on_snapped(void *arg)
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
	display_release(d, DISPLAY_LOST, NULL, NULL);
}

/* The capture thread has closed everything and is returning. */
static void on_released(void *arg)
{
	struct display *d = arg;
	struct waiter *waiter;

	pthread_join(d->thread, NULL);
	d->thread_runs = false;
	while ((waiter = TAILQ_FIRST(&d->waiters))) {
		TAILQ_REMOVE(&d->waiters, waiter, link);
		waiter->fn(waiter->arg);
		free(waiter);
	}
	d->gone(d->arg);
}

static int start_thread(struct display *d)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = d->wake};
	pthread_attr_t attr;
	int r;

	if (epoll_ctl(d->epoll, EPOLL_CTL_ADD, d->wake, &event) < 0)
		return -errno;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	r = -pthread_create(&d->thread, &attr, capture_thread, d);
	pthread_attr_destroy(&attr);
	d->thread_runs = r == 0;
	return r;
}

static int take_source(struct display *d)
{
	int r;

	if (d->handover.source == SOURCE_VFIO)
		r = source_vfio_create(d->handover.device, &d->source);
	else
		r = source_surface_create(d->handover.device, &d->source);
	if (r < 0)
		return r;
	d->device = take_fd(&d->handover.device);
	return capture_create(d->source, &d->capture);
}

static int raise_wall(struct display *d)
{
	static const struct wall_events events = {
		.watch = on_watch,
		.may_write = on_may_write,
		.busy = on_busy,
		.taken = on_taken,
		.ended = on_program_ended,
	};
	const struct context *context = &d->handover.context;
	const struct config *config = d->config;
	struct wall_options options = {
		.program = config->rfb_program,
		.viewers_maximum = context->viewers_maximum ?: config->viewers_maximum,
		.frames_maximum = context->frames_maximum ?: config->frames_maximum,
		.grace_ms = config->grace_seconds * 1000,
		.stall_ms = config->stall_seconds * 1000,
	};
	int r;

	memcpy(options.id, context->id, sizeof(options.id));
	memcpy(options.name, context->name[0] ? context->name : context->id,
		context->name[0] ? sizeof(context->name) : sizeof(context->id));
	r = wall_create(d->loop, &options, &events, d, &d->wall);
	if (r < 0)
		return r;
	return stage_create(d->wall, &d->stage);
}

int display_create(struct loop *loop, const struct config *config, struct handover *handover,
	display_ready_fn ready, display_done_fn gone, void *arg, struct display **ret)
{
	struct display *d = new0(struct display);
	const char *reason;
	int r;

	if (!d) {
		handover_finish(handover);
		return -ENOMEM;
	}
	d->loop = loop;
	d->config = config;
	d->handover = *handover;
	handover_init(handover);
	d->arg = arg;
	d->device = d->change = -EBADF;
	TAILQ_INIT(&d->waiters);
	pthread_mutex_init(&d->lock, NULL);
	d->wake = fd_move_high(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	d->epoll = fd_move_high(epoll_create1(EPOLL_CLOEXEC));
	r = d->wake < 0 || d->epoll < 0 ? -EMFILE : take_source(d);
	if (r == 0)
		r = raise_wall(d);
	if (r == 0)
		r = loop_timer_add(loop, on_ready_timer, d, &d->ready_timer);
	if (r == 0)
		r = loop_timer_add(loop, on_snapshot_timer, d, &d->snapshot_timer);
	if (r == 0 && d->handover.lease >= 0) {
		r = lease_create(loop, d->handover.lease, on_lease_ended, d, &d->lease, &reason);
		if (r == 0)
			take_fd(&d->handover.lease);
		d->lease_is_descriptor = true;
	}
	if (r == 0) {
		d->change = take_fd(&d->handover.change);
		pace_init(&d->pace, d->change >= 0, config->timer_fast_ms, config->timer_slow_ms,
			config->safety_ms,
			d->handover.context.frames_maximum ?: config->frames_maximum,
			loop_now_ms());
		r = start_thread(d);
	}
	if (r < 0) {
		display_destroy(d);
		return r;
	}
	d->ready = ready;
	d->gone = gone;
	loop_timer_once(d->ready_timer, LIMIT_REGISTER_MS);
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
	lease_destroy(d->lease);
	stage_destroy(d->stage);
	wall_destroy(d->wall);
	capture_destroy(d->capture);
	source_destroy(d->source);
	loop_source_free(d->ready_timer);
	loop_source_free(d->snapshot_timer);
	fd_close(d->change);
	fd_close(d->wake);
	fd_close(d->epoll);
	handover_finish(&d->handover);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

void display_release(struct display *d, enum display_state why, display_done_fn done, void *arg)
{
	if (done && display_on_end(d, done, arg) < 0)
		log_err(d->handover.context.id, "out of memory: its release will not be reported");
	if (d->ending)
		return;
	d->ending = true;
	d->why = why;
	d->device = -EBADF;
	lease_destroy(take_ptr(d->lease));
	tell_ready(d, -ECANCELED, "it was released before it was ready");
	tell_snapshot(d, NULL, -ENODATA);
	wall_close(d->wall);
	order(d, order_stop, 0);
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

static unsigned int viewers_ready(struct display *d)
{
	const struct wall_viewer *viewers;
	size_t n = wall_viewers(d->wall, &viewers);
	unsigned int ready = 0;

	for (size_t i = 0; i < n; i++)
		ready += viewers[i].ready;
	return ready;
}

void display_runtime(struct display *d, struct display_runtime *ret)
{
	uint64_t since = d->query_since, now = loop_now_ms();
	struct status status;

	pthread_mutex_lock(&d->lock);
	status = d->status;
	pthread_mutex_unlock(&d->lock);
	*ret = (struct display_runtime){
		.state = d->ending	  ? d->why
			 : !status.probed ? DISPLAY_OFFERED
			 : status.live	  ? DISPLAY_LIVE
					  : DISPLAY_BLANK,
		.planes_used = status.planes_used,
		.viewers = viewers_ready(d),
		.change = !d->watchers	   ? DISPLAY_CHANGE_IDLE
			  : d->change >= 0 ? DISPLAY_CHANGE_EVENTFD
					   : DISPLAY_CHANGE_TIMER,
		.lease_is_descriptor = d->lease_is_descriptor,
		.frames_captured = status.captured,
		.frames_published = status.published,
	};
	memcpy(ret->planes, status.planes, sizeof(ret->planes));
	if (since && now - since >= LIMIT_QUERY_SLOW_MS)
		snprintf(ret->reason, sizeof(ret->reason),
			"the driver has not answered a query for %llu s",
			(unsigned long long)(now - since) / 1000);
	else if (!status.live)
		memcpy(ret->reason, status.reason, sizeof(ret->reason));
	if (!d->watchers && !d->ending)
		order(d, order_glance, 0);
}

int display_snapshot(struct display *d, display_snapshot_fn fn, void *arg)
{
	if (d->snapshot || d->snapshot_late || d->ending)
		return -EBUSY;
	d->snapshot = fn;
	d->snapshot_arg = arg;
	loop_timer_once(d->snapshot_timer, LIMIT_SNAPSHOT_MS);
	order(d, order_snapshot, 0);
	return 0;
}
