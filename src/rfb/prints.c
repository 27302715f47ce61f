/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * A region is sent in batches: pieces are cut off it, their prints gathered in whatever order they are to be had, and written
 * behind one head that says how many there are. Nearly every update is one batch; what is larger is one message all the same where the viewer knows
 * LastRect, else some of them.
 *
 * Prints are held only from here until they are written. When there is no room for one more, those that are held are written first.
 */
#include "rfb/prints.h"

#include <errno.h>

#include "base/mem.h"
#include "rfb/cut.h"
#include "rfb/reader.h"
#include "rfb/studio.h"
#include "rfb/update.h"

#define BATCH 512

static_assert(CUT_PIXELS <= STUDIO_PIXELS, "a piece is no larger than a print");

struct batch {
	struct rect pieces[BATCH]; /* not yet to be had */
	const struct print *prints[BATCH];
	unsigned int piece_count, print_count, rectangles;
};

struct job {
	const struct prints_order *order;
	rfbClientPtr client;
	bool last_rect; /* the message goes on, over all batches */
	bool begun;
};

bool prints_fit(const struct _rfbClientRec *client)
{
	const rfbPixelFormat *format = &client->format;

	return client->preferredEncoding == rfbEncodingTight && format->trueColour &&
	       format->bitsPerPixel == 32 && format->depth == 24 && format->redMax == 255 &&
	       format->greenMax == 255 && format->blueMax == 255;
}

static bool meet(const struct rect *a, const struct rect *b)
{
	return a->width && b->width && a->x < b->x + b->width && b->x < a->x + a->width &&
	       a->y < b->y + b->height && b->y < a->y + a->height;
}

static int take(const struct job *job, const struct rect *rect, bool must, const struct print **ret)
{
	const struct prints_order *order = job->order;
	bool own = meet(rect, order->drawn);
	const struct frame *frame = own ? order->own : reader_frame(order->reader);
	const struct print_want want = {
		.rect = *rect,
		.serial = own ? 0 : reader_serial(order->reader, rect),
		.wish = order->wish,
		.pixels = frame_pixels(frame),
		.stride = frame->header.stride / sizeof(uint32_t),
		.must = must,
	};

	return studio_take(order->studio, &want, ret);
}

static bool write_bytes(const struct job *job, const struct batch *batch)
{
	struct iovec parts[UPDATE_PARTS];
	bool going = true;

	for (unsigned int i = 0; going && i < batch->print_count;) {
		size_t count = 0;

		for (; count < ARRAY_SIZE(parts) && i < batch->print_count; i++)
			parts[count++] = (struct iovec){
				(void *)batch->prints[i]->bytes, batch->prints[i]->size};
		going = update_put_parts(job->client, job->order->outlet, parts, count);
	}
	return going;
}

/* What is held is written, if the connection is there, and let go of. */
static bool write_prints(struct job *job, struct batch *batch)
{
	const struct prints_order *order = job->order;
	bool going = job->client->sock >= 0;

	if (!batch->print_count)
		return going;
	if (going && !job->begun)
		going = order->head(
			order->head_arg, job->last_rect ? PRINTS_MANY : batch->rectangles);
	job->begun = job->last_rect;
	for (unsigned int i = 0; i < batch->print_count; i++)
		order->sent(order->arg, &batch->prints[i]->rect, &batch->prints[i]->lossy);
	going = going && write_bytes(job, batch);
	studio_drop(order->studio, batch->prints, batch->print_count);
	batch->print_count = batch->rectangles = 0;
	return going;
}

/* One look at each piece that is not there yet. 0: some may be to be had by now; -EAGAIN: not before another turn. */
static int gather_some(struct job *job, struct batch *batch)
{
	unsigned int left = 0, before = batch->piece_count;
	int r = 0;

	for (unsigned int i = 0; i < before; i++) {
		const struct rect piece = batch->pieces[i];

		if (r == 0 || r == -EAGAIN)
			r = take(job, &piece, !batch->print_count,
				&batch->prints[batch->print_count]);
		if (r == 0)
			batch->rectangles += batch->prints[batch->print_count++]->rectangles;
		else
			batch->pieces[left++] = piece;
	}
	batch->piece_count = left;
	if (r == 0 || r == -EAGAIN)
		return left < before ? 0 : -EAGAIN;
	return r;
}

static int gather(struct job *job, struct batch *batch)
{
	struct studio *studio = job->order->studio;

	while (batch->piece_count) {
		uint64_t turn = studio_turn(studio);
		int r = gather_some(job, batch);

		if (r == -EAGAIN)
			studio_wait(studio, turn);
		else if (r == -ENOSPC && !write_prints(job, batch))
			return 0;
		else if (r < 0 && r != -ENOSPC)
			return r;
	}
	return 0;
}

static bool fill(struct cut *cut, struct batch *batch)
{
	batch->piece_count = batch->print_count = batch->rectangles = 0;
	while (batch->piece_count < BATCH && cut_next(cut, &batch->pieces[batch->piece_count]))
		batch->piece_count++;
	return batch->piece_count;
}

int prints_send(const struct prints_order *order, rfbClientPtr client, sraRegionPtr region)
{
	struct job job = {.order = order, .client = client};
	struct batch batch;
	struct cut cut;
	int r = 0;

	if (!cut_begin(&cut, region))
		return -ENOMEM;
	while (client->sock >= 0 && r == 0 && fill(&cut, &batch)) {
		if (batch.piece_count == BATCH)
			job.last_rect = client->enableLastRectEncoding;
		r = gather(&job, &batch);
		write_prints(&job, &batch);
	}
	if (job.begun && client->sock >= 0 &&
		update_put_rect(client, 0, 0, 0, 0, rfbEncodingLastRect))
		update_flush(client);
	cut_end(&cut);
	return r;
}
