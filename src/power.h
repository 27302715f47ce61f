/* SPDX-License-Identifier: GPL-2.0-or-later */
/* power.h - who hears that a viewer asks to shut the guest down, reboot or reset it (xvp). A request: nothing is done by the daemon.
 *
 * Main thread.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>

#include "display.h"

struct power_listener;

struct power {
	TAILQ_HEAD(, power_listener) listeners;
};

void power_init(struct power *power);
void power_finish(struct power *power);
/* -ENOMEM. */
int power_add(struct power *power, display_power_fn fn, void *arg);
/* Harmless where it was not added. */
void power_remove(struct power *power, display_power_fn fn, void *arg);
/* Does anybody listen? */
bool power_heard(const struct power *power);
/* False: nobody heard it. A listener may not be added or removed meanwhile. */
bool power_tell(const struct power *power, enum display_power action, const char *viewer);
