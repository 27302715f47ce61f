/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.h - the RFB program may talk on the fds that it was given, and nothing else. */
#pragma once

/* no_new_privs, no core dumps, and a filter for this thread and those it starts later: no path can be opened, no socket
 * connected, no program run, no memory made executable. Call before any thread is started. In a build with a
 * sanitizer the filter is left out, because its runtime needs more. -errno. */
int sandbox_enter(void);
