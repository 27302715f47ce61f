/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks without a frame, on the capture thread: for who asks once, whether anybody watches or not. */
#include <errno.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "display_internal.h"

/* What is there, without a frame. As display_map(); a driver that fails is not asked too often, whoever wants to know. */
static int peek(struct display *d, struct view *ret)
{
	struct plane plane;
	int r;

	if (retry_wait(&d->pace.retry, false, loop_now_ms()))
		return -EIO;
	r = display_ask(d, &plane);
	if (r == 0)
		r = display_map(d, &plane, ret);
	if (r == 0)
		pace_found(&d->pace);
	else
		display_missed(d, r, loop_now_ms());
	return r;
}

/* What the driver gave is not held for somebody who asked once: it could give it to others. */
static void end_peek(struct display *d, bool mapped)
{
	if (mapped)
		driver_unmap(&d->driver);
	if (!d->watchers)
		driver_forget(&d->driver);
}

/* For List. */
void peek_glance(struct display *d)
{
	struct view view;
	int r;

	d->last_glance = loop_now_ms();
	r = peek(d, &view);
	end_peek(d, r == 0);
	display_set_live(d, r == 0);
	display_report(d);
}

/* For Capture. */
void peek_snap(struct display *d)
{
	struct snapped *snapped = new0(struct snapped);
	struct view view;
	bool mapped;
	int r;

	if (!snapped)
		return; /* the caller's timer answers */
	snapped->display = d;
	snapped->snapshot.fd = -EBADF;
	r = d->probed ? peek(d, &view) : -ENODATA;
	mapped = r == 0;
	if (mapped)
		r = snapshot_copy(&view, &snapped->snapshot);
	end_peek(d, mapped);
	if (!d->watchers)
		display_set_live(d, r == 0);
	display_report(d);
	snapped->error = r == 0 || r == -ENOTSUP ? r : r == -ENODEV ? -ENOTSUP : -ENODATA;
	if (loop_post(d->loop, custody_snapped, snapped) < 0) {
		fd_close(snapped->snapshot.fd);
		free(snapped);
	}
}
