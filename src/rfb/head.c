/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/head.h"

#include "rfb/encodings.h"
#include "rfb/prints.h"
#include "rfb/update.h"
#include "rfb/wire.h"

void head_move(struct head *head, const struct move *move)
{
	head->moves[head->move_count++] = *move;
}

bool head_waits(const struct head *head)
{
	return head->move_count || head->spectator.shot_count;
}

static bool put_move(rfbClientPtr client, const struct move *move)
{
	struct rect to = move_to(move);
	uint8_t from[4];

	wire_put_u16(from, move->from.x);
	wire_put_u16(from + 2, move->from.y);
	return update_put_rect(client, to.x, to.y, to.width, to.height, ENCODING_COPY_RECT) &&
	       update_put(client, from, sizeof(from));
}

bool head_put(struct head *head, rfbClientPtr client, unsigned int rectangles)
{
	size_t first = head->move_count + head->spectator.shot_count;
	bool going = update_put_head(
		client, rectangles == PRINTS_MANY ? PRINTS_MANY : rectangles + first);

	for (size_t i = 0; i < head->move_count && going; i++)
		going = put_move(client, &head->moves[i]);
	going = going && spectator_put(&head->spectator, client);
	head_drop(head);
	return going;
}

bool head_send(struct head *head, rfbClientPtr client)
{
	return !head_waits(head) || (head_put(head, client, 0) && update_flush(client));
}

void head_drop(struct head *head)
{
	head->move_count = 0;
	spectator_drop(&head->spectator);
}
