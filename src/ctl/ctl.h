/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ctl.h - vfio-displayctl: what its verbs share.
 *
 * A verb gets its own name as argv[0] and returns an exit status. Whatever goes wrong is one line on stderr (complain.h).
 */
#pragma once

#include <stdbool.h>

/* vfio-displayctl(1) has them, for programs. */
enum exit_status {
	CTL_OK = 0,
	CTL_FAILED = 1,	   /* something else */
	CTL_USAGE = 2,	   /* the arguments are wrong */
	CTL_NO_DAEMON = 3, /* nobody listens, or it hung up */
	CTL_DENIED = 4,
	CTL_NOT_FOUND = 5, /* no such display, viewer or sink */
	CTL_EXISTS = 6,	   /* the id or the address is taken */
	CTL_NOT_NOW = 7,   /* worth another try: no picture now, a limit, memory, a shutdown */
	CTL_REFUSED = 8,   /* the daemon does not accept it: a value, a descriptor, a device, a method */
	CTL_DONE = 256	   /* nothing is left to do; not an exit status, main() makes 0 of it */
};

struct ctl {
	const char *socket; /* path */
	bool json;
};
