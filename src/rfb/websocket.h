/* SPDX-License-Identifier: GPL-2.0-or-later */
/* websocket.h - a server's end of a WebSocket (RFC 6455) as a layer: HTTP upgrade, then binary frames, whose bounds mean nothing. Sans
 * I/O.
 *
 * Refused with a close code: frames that are not masked, reserved bits and opcodes, long or fragmented control frames, lengths that
 * are longer than they need to be (1002), text (1003), more than LIMIT_WEBSOCKET_FRAME (1009). A ping is answered, the newest one
 * only while answers wait (RFC 6455 5.5.3).
 */
#pragma once

#include "rfb/layer.h"

struct upgrade_place;
struct websocket;

extern const struct layer_ops websocket_layer;

/* @place: copied, its texts are borrowed; see upgrade.h. -ENOMEM. */
int websocket_create(const struct upgrade_place *place, struct websocket **ret);
/* Of the request; NULL: it has not come, or was refused. */
const char *websocket_path(const struct websocket *websocket);
