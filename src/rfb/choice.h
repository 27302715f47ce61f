/* SPDX-License-Identifier: GPL-2.0-or-later */
/* choice.h - which display a viewer at the gate asks for, before any ticket does. Sans I/O.
 *
 *   WebSocket path "/displays/ID"  "ID"; "." where that is no id, which no display has
 *   TLS server name "NAME"	    "@NAME": the broker knows whether it or its first label is a display; too long: the first label
 *   neither			    ""
 *
 * The path is the more exact one: a browser sends the host's name in any case.
 */
#pragma once

#include "base/limits.h"

/* Either may be NULL. @ret: as in LINK_CHECK. */
void choice_make(const char *path, const char *server_name, char ret[LIMIT_ID_CHARS + 1]);
