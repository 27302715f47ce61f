/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

struct loop_source {
	struct loop *loop;
	struct event *event; /* owned */
	loop_fd_fn fd_fn;    /* one of the two is set */
	loop_fn fn;
	void *arg;
};

struct posted {
	STAILQ_ENTRY(posted) link; /* loop::posted */
	loop_fn fn;
	void *arg;
};

struct loop {
	struct event_base *base;
	int wake; /* eventfd: other threads have posted */
	struct loop_source *wake_source;
	pthread_mutex_t lock; /* guards posted */
	STAILQ_HEAD(, posted) posted;
};

static void run_posted(struct loop *loop)
{
	struct posted *job;

	for (;;) {
		pthread_mutex_lock(&loop->lock);
		job = STAILQ_FIRST(&loop->posted);
		if (job)
			STAILQ_REMOVE_HEAD(&loop->posted, link);
		pthread_mutex_unlock(&loop->lock);
		if (!job)
			return;
		job->fn(job->arg);
		free(job);
	}
}

static void on_wake(int fd, unsigned int events, void *arg)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	run_posted(arg);
}

/* It would write to stderr by itself, past all bounds. */
static void on_libevent(int severity, const char *words)
{
	log_write(severity >= EVENT_LOG_ERR    ? LOG_LEVEL_ERR
		  : severity == EVENT_LOG_WARN ? LOG_LEVEL_WARNING
					       : LOG_LEVEL_DEBUG,
		NULL, "libevent: %s", words);
}

int loop_create(struct loop **ret)
{
	struct event_config *config;
	struct loop *loop;
	int r;

	event_set_log_callback(on_libevent);
	loop = new0(struct loop);
	if (!loop)
		return -ENOMEM;
	loop->wake = -EBADF;
	pthread_mutex_init(&loop->lock, NULL);
	STAILQ_INIT(&loop->posted);
	config = event_config_new();
	if (config) {
		event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
		loop->base = event_base_new_with_config(config);
		event_config_free(config);
	}
	if (!loop->base) {
		loop_destroy(loop);
		return -ENOMEM;
	}
	loop->wake = fd_move_high(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (loop->wake < 0) {
		r = -errno;
		loop_destroy(loop);
		return r;
	}
	r = loop_fd_add(loop, loop->wake, LOOP_READ, on_wake, loop, &loop->wake_source);
	if (r < 0) {
		loop_destroy(loop);
		return r;
	}
	*ret = loop;
	return 0;
}

/* A bufferevent that was freed while a callback of its own waited for its turn lives until that has come. (libevent counts what is active as added,
 * too.) */
static void run_freed(struct event_base *base)
{
	int active = event_base_get_num_events(base, EVENT_BASE_COUNT_ACTIVE);

	if (active && event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED) == active)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	run_posted(loop);
	loop_source_free(loop->wake_source);
	fd_close(loop->wake);
	if (loop->base) {
		run_freed(loop->base);
		event_base_free(loop->base);
	}
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

int loop_run(struct loop *loop)
{
	return event_base_dispatch(loop->base) < 0 ? -EIO : 0;
}

void loop_stop(struct loop *loop)
{
	event_base_loopbreak(loop->base);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct loop_source *source = arg;

	if (source->fd_fn)
		source->fd_fn(fd,
			(what & EV_READ ? LOOP_READ : 0) | (what & EV_WRITE ? LOOP_WRITE : 0),
			source->arg);
	else
		source->fn(source->arg);
}

static int source_create(struct loop *loop, int fd, short what, loop_fd_fn fd_fn, loop_fn fn,
	void *arg, struct loop_source **ret)
{
	struct loop_source *source = new0(struct loop_source);

	if (!source)
		return -ENOMEM;
	source->loop = loop;
	source->fd_fn = fd_fn;
	source->fn = fn;
	source->arg = arg;
	source->event = event_new(loop->base, fd, what, on_event, source);
	if (!source->event) {
		free(source);
		return -ENOMEM;
	}
	*ret = source;
	return 0;
}

int loop_fd_add(struct loop *loop, int fd, unsigned int events, loop_fd_fn fn, void *arg,
	struct loop_source **ret)
{
	struct loop_source *source;
	int r;

	r = source_create(loop, fd, EV_PERSIST, fn, NULL, arg, &source);
	if (r < 0)
		return r;
	r = loop_fd_events(source, events);
	if (r < 0) {
		loop_source_free(source);
		return r;
	}
	*ret = source;
	return 0;
}

int loop_fd_events(struct loop_source *source, unsigned int events)
{
	short what = EV_PERSIST | (events & LOOP_READ ? EV_READ : 0) |
		     (events & LOOP_WRITE ? EV_WRITE : 0);
	evutil_socket_t fd = event_get_fd(source->event);

	if (event_get_events(source->event) == what && event_pending(source->event, what, NULL))
		return 0;
	event_del(source->event);
	if (event_assign(source->event, source->loop->base, fd, what, on_event, source) < 0)
		return -EINVAL;
	if (!(events & (LOOP_READ | LOOP_WRITE)))
		return 0;
	return event_add(source->event, NULL) < 0 ? -EINVAL : 0;
}

int loop_timer_add(struct loop *loop, loop_fn fn, void *arg, struct loop_source **ret)
{
	return source_create(loop, -1, EV_PERSIST, NULL, fn, arg, ret);
}

static int timer_arm(struct loop_source *source, uint64_t ms, short what)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_del(source->event);
	if (event_assign(source->event, source->loop->base, -1, what, on_event, source) < 0)
		return -EINVAL;
	return event_add(source->event, &tv) < 0 ? -ENOMEM : 0;
}

int loop_timer_once(struct loop_source *source, uint64_t ms)
{
	return timer_arm(source, ms, 0);
}

int loop_timer_every(struct loop_source *source, uint64_t ms)
{
	return timer_arm(source, ms, EV_PERSIST);
}

void loop_timer_stop(struct loop_source *source)
{
	event_del(source->event);
}

int loop_signal_add(struct loop *loop, int signum, loop_fn fn, void *arg, struct loop_source **ret)
{
	struct loop_source *source;
	int r;

	r = source_create(loop, signum, EV_SIGNAL | EV_PERSIST, NULL, fn, arg, &source);
	if (r < 0)
		return r;
	if (event_add(source->event, NULL) < 0) {
		loop_source_free(source);
		return -EINVAL;
	}
	*ret = source;
	return 0;
}

void loop_source_free(struct loop_source *source)
{
	if (!source)
		return;
	event_free(source->event);
	free(source);
}

int loop_post(struct loop *loop, loop_fn fn, void *arg)
{
	struct posted *job = new0(struct posted);
	uint64_t one = 1;

	if (!job)
		return -ENOMEM;
	job->fn = fn;
	job->arg = arg;
	pthread_mutex_lock(&loop->lock);
	STAILQ_INSERT_TAIL(&loop->posted, job, link);
	pthread_mutex_unlock(&loop->lock);
	if (write(loop->wake, &one, sizeof(one)) < 0)
		return 0; /* EAGAIN: the counter is full, so the loop is awake already */
	return 0;
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

uint64_t loop_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
