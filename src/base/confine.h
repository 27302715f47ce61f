/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confine.h - what the daemon's other programs do to themselves before their system call filters. */
#pragma once

/* no_new_privs, no core dumps (they would hold guests' pictures), no capabilities. Call before any thread is started. -errno. */
int confine_self(void);
/* What this program costs in memory is paid by it, not by the daemon, whose score it has. */
void confine_be_first_to_go(void);
