/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * The registrant's eventfd is not ours: it may be blocking, a semaphore, or full. So it is never read. It is waited for
 * edge-triggered, where each write() is an edge of its own (fs/eventfd.c wakes on each), also without a read in between.
 *
 * The interrupt's eventfd is ours, and its counter means something to the source (facts: two counters of 8 bits in one), so it is read
 * before each query, too. It is armed when somebody first watches and stays armed until the end: arming takes it from whoever had
 * it, which nobody should have to expect again and again. While nobody watches it is not waited for; the driver then adds to a
 * counter, and nobody wakes up.
 */
#include "change.h"

#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include "base/fd.h"
#include "base/mem.h"
#include "plane/source.h"

/* 0 as the kernel's slack is the usual one, 50 microseconds. */
#define PATIENCE_MS	8
#define PATIENT_FROM_MS 40

static int add(struct change *change, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	return epoll_ctl(change->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int change_init(struct change *change, int wake, int event)
{
	*change = (struct change){.wake = wake, .event = event, .interrupt = -EBADF};
	change->epoll = fd_move_high(epoll_create1(EPOLL_CLOEXEC));
	return change->epoll < 0 ? -EMFILE : add(change, wake, EPOLLIN);
}

void change_finish(struct change *change)
{
	fd_closep(&change->event);
	fd_closep(&change->interrupt);
	fd_closep(&change->epoll);
}

static void wait_for(struct change *change, int fd, uint32_t events, bool listen)
{
	if (fd < 0)
		return;
	if (listen)
		add(change, fd, events);
	else
		epoll_ctl(change->epoll, EPOLL_CTL_DEL, fd, NULL);
}

void change_listen(struct change *change, bool listen)
{
	if (listen == change->listening)
		return;
	change->listening = listen;
	wait_for(change, change->event, EPOLLIN | EPOLLET, listen);
	wait_for(change, change->interrupt, EPOLLIN, listen);
}

int change_arm(struct change *change, struct source *source)
{
	_cleanup_fd_ int fd = -EBADF;
	int r;

	if (!source->ops->arm)
		return -ENOTTY;
	fd = fd_move_high(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (fd < 0)
		return -EMFILE;
	r = source->ops->arm(source, fd);
	if (r < 0)
		return r;
	change->interrupt = take_fd(&fd);
	if (change->listening)
		wait_for(change, change->interrupt, EPOLLIN, true);
	return 0;
}

void change_disarm(struct change *change, struct source *source)
{
	if (change->interrupt < 0)
		return;
	source->ops->disarm(source);
	fd_closep(&change->interrupt);
}

static void tell(struct source *source, uint64_t count)
{
	if (source->ops->heard)
		source->ops->heard(source, count);
}

void change_hear(struct change *change, struct source *source)
{
	uint64_t count;

	if (change->interrupt >= 0 &&
		read(change->interrupt, &count, sizeof(count)) == sizeof(count))
		tell(source, count);
}

/* Where it is long anyway: then displays that rest wake up together, which takes somewhat less of a processor where there are many. */
static void be_patient(struct change *change, int ms)
{
	bool patient = ms >= PATIENT_FROM_MS;

	if (ms < 0 || patient == change->patient)
		return;
	change->patient = patient;
	prctl(PR_SET_TIMERSLACK, patient ? PATIENCE_MS * 1000000ul : 0ul);
}

bool change_wait(struct change *change, struct source *source, int ms, bool known)
{
	struct pollfd wake = {.fd = change->wake, .events = POLLIN};
	struct epoll_event events[3];
	bool news = false;
	uint64_t count;
	int n;

	be_patient(change, ms);
	/* A registrant that signals without end does not wake us: at the end of the sleep there is time for what it says. */
	if (known && change->listening) {
		poll(&wake, 1, ms);
		ms = 0;
	}
	n = epoll_wait(change->epoll, events, ARRAY_SIZE(events), ms);
	for (int i = 0; i < n; i++) {
		if (events[i].data.fd == change->wake) {
			if (read(change->wake, &count, sizeof(count)) < 0)
				continue;
		} else if (events[i].data.fd == change->event) {
			news = true;
			tell(source, 0);
		} else {
			news = true;
			change_hear(change, source);
		}
	}
	return news;
}
