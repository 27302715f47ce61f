/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One rectangle for each shot, though one may hold many: there are decoders that expect one picture in it. */
#include "rfb/shots.h"

#include "rfb/encodings.h"
#include "rfb/spool.h"
#include "rfb/update.h"
#include "rfb/wire.h"

static bool put(
	rfbClientPtr client, const struct rect *area, const struct shot *shot, uint32_t flags)
{
	uint8_t head[8];

	wire_put_u32(head, shot->size);
	wire_put_u32(head + 4, flags);
	return update_put_rect(
		       client, area->x, area->y, area->width, area->height, ENCODING_H264) &&
	       update_put(client, head, sizeof(head)) &&
	       update_put(client, shot->bytes, shot->size);
}

bool shots_put(rfbClientPtr client, const struct rect *area, const struct shot *const *shots,
	size_t count, bool anew)
{
	bool going = true;

	for (size_t i = 0; i < count && going; i++)
		going = put(
			client, area, shots[i], i == 0 && anew ? SHOTS_RESET | SHOTS_RESET_ALL : 0);
	return going;
}
