/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposition.h - the daemon's metrics as one text (base/openmetrics.h; docs/OBSERVE.md lists them). Main thread.
 *
 * Nothing is asked of a driver for it. A display's series are there as long as the display; there are none for single viewers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct manager;

/* @classic: the older form. *ret_text, to be freed. -ENOMEM. */
int exposition_text(struct manager *manager, bool classic, char **ret_text, size_t *ret_size);
