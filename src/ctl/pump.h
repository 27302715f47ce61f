/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pump.h - carries bytes both ways between a socket and a pair of descriptors. */
#pragma once

/* Until the socket's peer has closed and all it sent is written. The end of @in shuts the socket's sending side; @out that takes
 * nothing more ends it. Blocks. @socket is made non-blocking; @in and @out keep their flags, since they may be shared with
 * other programs. 0 or -errno. */
int pump(int socket, int in, int out);
