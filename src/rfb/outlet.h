/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outlet.h - where a worker's bytes go past LibVNCServer's socket: at once to the network, as far as that takes them, else to the
 * viewer's queue (rfb/relay.h). Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

struct outlet {
	/* Behind all that was written to the socket before. @parts: changed; what they point to is not needed any more afterwards.
	 * True: all but the last byte; that one is to be written to the socket, so that the loop hears of the rest. */
	bool (*put)(void *arg, struct iovec *parts, size_t count);
	/* So much waits that no update is to start. */
	bool (*full)(void *arg);
	void *arg;
};
