/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/spectator.h"

#include "frame/frame.h"
#include "rfb/encodings.h"
#include "rfb/h264.h"
#include "rfb/quality.h"
#include "rfb/reader.h"
#include "rfb/shots.h"

#define PERFECT 100 /* LibVNCServer's quality for level 9 */

_Static_assert(QUALITY_STEPS <= H264_STEPS, "one set of numbers");

void spectator_finish(struct spectator *spectator)
{
	if (spectator->audience)
		film_audience(spectator->film, false);
	spectator->audience = false;
}

void spectator_forget(struct spectator *spectator)
{
	spectator->place.reel = 0;
}

/* A viewer is sent a film if it takes JPEG, but for one that wishes for the best that there is. */
bool spectator_follow(
	struct spectator *spectator, const struct _rfbClientRec *client, unsigned int extras)
{
	int quality = client->turboQualityLevel;
	bool can = spectator->film && extras & EXTRA_H264 && quality != -1 && quality < PERFECT;

	if (can != spectator->audience)
		film_audience(spectator->film, can);
	if (!can)
		spectator_forget(spectator);
	spectator->audience = can;
	spectator->filming = false;
	return can;
}

bool spectator_take(struct spectator *spectator, const struct reader *reader, unsigned int step,
	uint64_t now_ns)
{
	const struct frame *frame = reader_frame(reader);
	struct film_want want = {.now = now_ns, .step = step};
	struct rect *area = &spectator->area;

	if (!film_showing(spectator->film, frame->header.generation, area, &want.reel))
		return false;
	want.serial = reader_serial(reader, area);
	want.pixels = frame_pixels(frame);
	want.stride = frame->header.stride / sizeof(*want.pixels);
	spectator->filming =
		spectator->place.reel == want.reel && spectator->place.serial == want.serial;
	if (spectator->filming)
		return false;
	spectator->shot_count = film_take(
		spectator->film, &want, &spectator->place, spectator->shots, &spectator->anew);
	spectator->filming = spectator->shot_count != 0;
	return spectator->filming;
}

bool spectator_put(const struct spectator *spectator, rfbClientPtr client)
{
	return shots_put(
		client, &spectator->area, spectator->shots, spectator->shot_count, spectator->anew);
}

void spectator_drop(struct spectator *spectator)
{
	if (spectator->shot_count)
		film_drop(spectator->film, spectator->shots, spectator->shot_count);
	spectator->shot_count = 0;
}
