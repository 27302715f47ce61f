/* SPDX-License-Identifier: GPL-2.0-or-later */
/* envelope.h - the layer (rfb/layer.h) that RSA-AES puts on a connection: seals both ways. */
#pragma once

#include "rfb/layer.h"

struct envelope;
struct rsaaes;

extern const struct layer_ops envelope_ops;

/* @rsaaes: with both randoms. *ret is for transport_push(). -ENOMEM. */
int envelope_create(const struct rsaaes *rsaaes, struct envelope **ret);
