/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/tidy.h"

#include <errno.h>
#include <malloc.h>
#include <sys/eventfd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/processors.h"
#include "rfb/film.h"
#include "rfb/studio.h"

static void on_filled(void *arg)
{
	struct tidy *tidy = arg;

	(void)!eventfd_write(tidy->filled, 1);
}

static void on_wake(int fd, unsigned int events, void *arg)
{
	struct tidy *tidy = arg;
	eventfd_t count;

	if (eventfd_read(fd, &count) == 0)
		loop_timer_once(tidy->timer, LIMIT_TIDY_MS);
}

static void on_timer(void *arg)
{
	struct tidy *tidy = arg;

	bool studio = studio_tidy(tidy->studio), film = film_tidy(tidy->film);

	if (studio || film)
		loop_timer_once(tidy->timer, LIMIT_TIDY_MS);
	else
		malloc_trim(0); /* of what encoders had */
}

int tidy_init(struct tidy *tidy, struct loop *loop)
{
	const struct studio_options options = {
		.makers = MIN(processors_count(), (unsigned int)LIMIT_STUDIO_MAKERS),
		.maximum = LIMIT_STUDIO,
		.filled = on_filled,
		.arg = tidy,
	};
	int r;

	*tidy = (struct tidy){.filled = -EBADF};
	tidy->filled = fd_move_high(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (tidy->filled < 0)
		return -errno;
	r = loop_timer_add(loop, on_timer, tidy, &tidy->timer);
	if (r == 0)
		r = loop_fd_add(loop, tidy->filled, LOOP_READ, on_wake, tidy, &tidy->source);
	if (r == 0)
		r = studio_create(&options, &tidy->studio);
	return r < 0 ? r : film_create(on_filled, tidy, &tidy->film);
}

void tidy_finish(struct tidy *tidy)
{
	loop_source_free(tidy->source);
	loop_source_free(tidy->timer);
	film_destroy(tidy->film);
	studio_destroy(tidy->studio);
	fd_close(tidy->filled);
}
