/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may change about a display while it runs: main thread. */
#include "display_internal.h"

void display_update(struct display *d, struct context *context)
{
	context_finish(&d->handover.context);
	d->handover.context = *context;
	context->labels_used = 0;
}

int display_on_power(struct display *d, display_power_fn fn, void *arg)
{
	return power_add(&d->power, fn, arg);
}

void display_off_power(struct display *d, display_power_fn fn, void *arg)
{
	power_remove(&d->power, fn, arg);
}
