/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * There is no copy of the screen. The viewer maps the frame's memfd itself, privately writable, and LibVNCServer encodes out of
 * that mapping while the broker keeps still. The one thing ever written into the mapping is a cursor for viewers that cannot draw
 * one (see cursor.c); those pages are given back before the frame is let go of, so that no private page outlives the rest and
 * hides what the broker writes next.
 *
 * What the viewer's screen shows is the frame plus the cursor at cursor.drawn. Each update draws the cursor first, and marks where
 * it was and where it is now whenever that changes; LibVNCServer keeps what was not asked for.
 *
 * Moves are made in the viewer's picture, on what it shows: pixels that it has not got yet, pixels that are not exact and a cursor
 * that is drawn into it go along with the rest. So all of these are moved here likewise, as regions and as blocks, and the cursor's remains are sent
 * again. Where the viewer cannot make them, where they end is new.
 *
 * LibVNCServer does not say which areas it sent as JPEG. It is asked only to send the areas in which there is something new, and each
 * of them that has more colours than a palette holds counts as lossy (refresh.h), and all of them where a viewer wishes for grey: then
 * there are no palettes. For an update without loss JPEG is off.
 *
 * LibVNCServer's levels are the viewer's wish, as SetEncodings left them. They are changed for one update and put back.
 */
#include "rfb/canvas.h"

#include "base/mem.h"
#include "damage/rects.h"
#include "frame/frame.h"
#include "rfb/notices.h"
#include "rfb/prints.h"
#include "rfb/region.h"
#include "rfb/screen.h"
#include "rfb/update.h"

#define RECTS_MAX  64
#define REGION_MAX 400	/* rectangles of a region; of more, what is around them all is sent */
#define LITTLE	   2048 /* pixels: a few letters */
#define SLICES_MAX 16
#define SLICE_PIXELS \
	(256u << 10) /* 10 ms of encoding at most, since the broker may want to write */
#define GREY 3	     /* LibVNCServer's number for JPEG without colours */

void canvas_init(struct canvas *canvas, const char *name, struct notices *notices, bool view_only)
{
	*canvas = (struct canvas){.notices = notices, .view_only = view_only};
	screen_init(&canvas->screen, name);
	quality_init(&canvas->quality);
}

void canvas_finish(struct canvas *canvas)
{
	spectator_finish(&canvas->head.spectator);
	screen_finish(&canvas->screen);
	refresh_finish(&canvas->refresh);
	frame_destroy(canvas->frame);
	canvas->frame = NULL;
}

int canvas_show(struct canvas *canvas, const struct frame *shared)
{
	struct frame *frame;
	int r;

	r = frame_map_privately(shared, &frame);
	if (r < 0)
		return r;
	r = refresh_resize(&canvas->refresh, frame->header.width, frame->header.height);
	if (r < 0) {
		frame_destroy(frame);
		return r;
	}
	screen_show(&canvas->screen, frame);
	frame_destroy(canvas->frame);
	canvas->frame = frame;
	return 0;
}

/* ---- what is new ---- */

/* A new frame: what rfbNewFramebuffer() does, for the one client, with the pixel format left alone. */
static const char *follow_frame(struct canvas *canvas, const struct frame *shared)
{
	const struct frame_header *old = &canvas->frame->header;
	bool resized = old->width != shared->header.width || old->height != shared->header.height;
	struct rect all = {0, 0, shared->header.width, shared->header.height};

	if (old->generation == shared->header.generation)
		return NULL;
	if (resized && !(canvas->notices->extras & EXTRA_RESIZES))
		return "cannot resize";
	if (canvas_show(canvas, shared) < 0)
		return "cannot map the frame";
	sraRgnMakeEmpty(canvas->client->modifiedRegion);
	region_add(canvas->client->modifiedRegion, &all);
	canvas->cursor.drawn.width = 0;
	if (resized)
		notices_resized(canvas->notices);
	return NULL;
}

/* ---- moves ---- */

static bool asks_for_all(const struct canvas *canvas)
{
	struct rect asked;

	return region_single(canvas->client->requestedRegion, &asked) && !asked.x && !asked.y &&
	       asked.width == (uint32_t)canvas->screen.width &&
	       asked.height == (uint32_t)canvas->screen.height;
}

static bool can_copy(const struct canvas *canvas)
{
	return canvas->client->useCopyRect && asks_for_all(canvas);
}

void canvas_move(struct canvas *canvas, const struct move *moves, size_t count)
{
	bool copies = count && can_copy(canvas);

	for (size_t i = 0; i < count; i++) {
		struct rect end = move_to(&moves[i]);

		if (!copies) {
			region_add(canvas->client->modifiedRegion, &end);
			continue;
		}
		region_move(canvas->client->modifiedRegion, &moves[i]);
		refresh_moved(&canvas->refresh, &moves[i]);
		head_move(&canvas->head, &moves[i]);
	}
	if (copies && canvas->cursor.drawn.width)
		cursor_moved(&canvas->cursor, canvas->client->modifiedRegion, moves, count);
}

static bool put_head(void *arg, unsigned int rectangles)
{
	struct canvas *canvas = arg;

	return head_put(&canvas->head, canvas->client, rectangles);
}

static void follow_damage(struct canvas *canvas, const uint64_t *damage, const struct rect *within)
{
	struct rect rects[RECTS_MAX];
	size_t count = rects_from_bitmap(damage, canvas->frame->header.width,
		canvas->frame->header.height, rects, ARRAY_SIZE(rects));

	for (size_t i = 0; i < count; i++)
		region_add_within(canvas->client->modifiedRegion, &rects[i], within);
}

/* The part of the picture that the cursor is to be drawn into. */
static struct rect cursor_wanted_at(const struct canvas *canvas)
{
	if (shape_kind(canvas->notices->extras) != SHAPE_NONE)
		return (struct rect){0};
	return cursor_place(&canvas->cursor, canvas->frame);
}

static bool cursor_out_of_place(const struct canvas *canvas, const struct rect *place)
{
	return memcmp(place, &canvas->cursor.drawn, sizeof(*place)) != 0;
}

static void follow_cursor(struct canvas *canvas)
{
	struct cursor *cursor = &canvas->cursor;
	unsigned int news = cursor_look(cursor, canvas->frame);
	struct rect place = cursor_wanted_at(canvas);
	uint16_t x, y;

	/* A cursor larger than the frame can move and cover the same part of it. */
	if (news || cursor_out_of_place(canvas, &place)) {
		region_add(canvas->client->modifiedRegion, &cursor->drawn);
		region_add(canvas->client->modifiedRegion, &place);
		cursor->drawn = place;
	}
	if (news & CURSOR_RESHAPED)
		notices_reshaped(canvas->notices);
	/* Where the pointer is, for viewers that only look: those who control it know better. */
	if (canvas->view_only && cursor->live.visible) {
		cursor_point(cursor, canvas->frame, &x, &y);
		notices_point(canvas->notices, x, y);
	}
}

const char *canvas_follow(struct canvas *canvas, const struct frame *shared, const uint64_t *damage,
	const struct rect *within)
{
	const char *reason = follow_frame(canvas, shared);

	if (reason)
		return reason;
	follow_damage(canvas, damage, within);
	follow_cursor(canvas);
	return NULL;
}

/* ---- what is wanted ---- */

bool canvas_asked(const struct canvas *canvas)
{
	return !sraRgnEmpty(canvas->client->requestedRegion);
}

void canvas_ask(struct canvas *canvas, const struct rect *area)
{
	uint32_t width = canvas->screen.width, height = canvas->screen.height;
	struct rect asked;

	if (!area->width || area->x >= width || area->y >= height)
		return;
	asked = (struct rect){area->x, area->y, MIN(area->width, width - area->x),
		MIN(area->height, height - area->y)};
	region_add(canvas->client->requestedRegion, &asked);
}

/* What the library would send now. To be destroyed. */
static sraRegionPtr coming(const struct canvas *canvas)
{
	sraRegionPtr region = sraRgnCreateRgn(canvas->client->requestedRegion);

	sraRgnAnd(region, canvas->client->modifiedRegion);
	return region;
}

static bool nothing_coming(const struct canvas *canvas)
{
	sraRegionPtr region = coming(canvas);
	bool nothing = sraRgnEmpty(region);

	sraRgnDestroy(region);
	return nothing;
}

bool canvas_wanted(const struct canvas *canvas)
{
	struct rect place = cursor_wanted_at(canvas);

	if (!canvas_asked(canvas))
		return false;
	/* Out of place: the viewer changed its encodings. */
	if (notices_due(canvas->notices) || cursor_out_of_place(canvas, &place))
		return true;
	return !nothing_coming(canvas);
}

bool canvas_still(struct canvas *canvas)
{
	struct rect place = cursor_wanted_at(canvas);

	return sraRgnEmpty(canvas->client->modifiedRegion) && !notices_due(canvas->notices) &&
	       !cursor_out_of_place(canvas, &place) &&
	       refresh_due(&canvas->refresh, 0) == UINT64_MAX;
}

const char *canvas_encoding(const struct canvas *canvas)
{
	return canvas->head.spectator.filming
		       ? "h264"
		       : screen_encoding(screen_fit_encoding(canvas->client));
}

uint32_t canvas_bytes(const struct canvas *canvas)
{
	/* The library's sums, and what notices have counted in a field that the library has no use for. */
	return (uint32_t)rfbStatGetSentBytes(canvas->client) + (uint32_t)canvas->client->bytesSent;
}

/* ---- sending ---- */

/* Tight has JPEG for pixels of 16 and 32 bits. */
static bool sends_jpeg(const struct canvas *canvas)
{
	const struct _rfbClientRec *client = canvas->client;

	return screen_fit_encoding(client) == rfbEncodingTight && client->turboQualityLevel != -1 &&
	       client->format.bitsPerPixel != 8;
}

enum loss { NO_LOSS, LOSS_OF_MANY_COLOURS, LOSS };

/* Before the cursor is taken off: it is part of what was sent. */
static void note_sent(struct canvas *canvas, sraRegionPtr region, enum loss loss, uint64_t now)
{
	const uint32_t *pixels = frame_pixels(canvas->frame);
	size_t stride = canvas->frame->header.stride / sizeof(*pixels);
	sraRectangleIterator *iterator = sraRgnGetIterator(region);
	sraRect part;

	if (!iterator)
		return;
	while (sraRgnIteratorNext(iterator, &part)) {
		struct rect rect = {part.x1, part.y1, part.x2 - part.x1, part.y2 - part.y1};

		refresh_sent(&canvas->refresh, &rect,
			loss == LOSS || (loss == LOSS_OF_MANY_COLOURS &&
						!refresh_exact_anyway(pixels, stride, &rect)),
			now);
	}
	sraRgnReleaseIterator(iterator);
}

/* By LibVNCServer. */
static void update_client(struct canvas *canvas, const struct quality_levels *levels, uint64_t now)
{
	rfbClientPtr client = canvas->client;
	int preferred = client->preferredEncoding;
	const struct quality_levels wish = {
		client->turboQualityLevel, client->turboSubsampLevel, client->tightCompressLevel};
	sraRegionPtr region;

	if (!head_send(&canvas->head, client))
		return;
	region = coming(canvas);
	client->turboQualityLevel = levels->quality;
	client->turboSubsampLevel = levels->subsampling;
	client->tightCompressLevel = levels->compression;
	client->preferredEncoding = screen_fit_encoding(client);
	rfbUpdateClient(client);
	client->preferredEncoding = preferred;
	client->turboQualityLevel = wish.quality;
	client->turboSubsampLevel = wish.subsampling;
	client->tightCompressLevel = wish.compression;
	note_sent(canvas, region,
		levels->quality == -1	      ? NO_LOSS
		: levels->subsampling == GREY ? LOSS
					      : LOSS_OF_MANY_COLOURS,
		now);
	sraRgnDestroy(region);
}

struct sending {
	struct canvas *canvas;
	uint64_t now;
};

static void on_sent(void *arg, const struct rect *rect, const struct rect *lossy)
{
	struct sending *sending = arg;

	refresh_sent(&sending->canvas->refresh, rect, false, sending->now);
	if (lossy->width)
		refresh_sent(&sending->canvas->refresh, lossy, true, sending->now);
}

/* By the studio, and with the library's regions as the library itself would leave them. */
static const char *update_shared(struct canvas *canvas, const struct tight_wish *wish, uint64_t now)
{
	rfbClientPtr client = canvas->client;
	sraRegionPtr region = coming(canvas);
	struct sending sending = {canvas, now};
	const struct prints_order order = {
		.studio = canvas->studio,
		.reader = canvas->reader,
		.own = canvas->frame,
		.drawn = &canvas->cursor.drawn,
		.wish = *wish,
		.outlet = canvas->outlet,
		.head = put_head,
		.head_arg = canvas,
		.sent = on_sent,
		.arg = &sending,
	};
	int r = 0;

	region_limit(region, REGION_MAX);
	if (!sraRgnEmpty(region)) {
		sraRgnSubtract(client->modifiedRegion, region);
		sraRgnMakeEmpty(client->requestedRegion);
		r = prints_send(&order, client, region);
	}
	sraRgnDestroy(region);
	return r < 0 ? "out of memory" : NULL;
}

/* So little that to make it once for all saves less than LibVNCServer's streams, which go on with what this viewer has got before. It is to send it
 * exact: with JPEG it would send more than 24 colours with loss. So what has more than a palette is the studio's. */
static bool little_comes(const struct canvas *canvas, bool jpeg)
{
	sraRegionPtr region = coming(canvas);
	size_t stride = canvas->frame->header.stride / sizeof(uint32_t);
	bool little = region_covers(region, LITTLE) <= LITTLE;

	if (little && jpeg)
		little = region_has_few_colours(region, frame_pixels(canvas->frame), stride);
	sraRgnDestroy(region);
	return little;
}

static const char *update(struct canvas *canvas, bool exact, uint64_t now)
{
	rfbClientPtr client = canvas->client;
	const struct quality_levels wish = {
		client->turboQualityLevel, client->turboSubsampLevel, client->tightCompressLevel};
	struct quality_levels levels;
	struct tight_wish settled;

	quality_levels(&canvas->quality, client->tightQualityLevel, &wish, &levels);
	/* LibVNCServer asks its own screen's pixels, not the viewer's, whether they are too small for JPEG. */
	if (!sends_jpeg(canvas) || exact)
		levels.quality = -1;
	settled = (struct tight_wish){levels.quality, levels.subsampling, levels.compression};
	tight_settle(&settled);
	/* The studio may have been built without JPEG. */
	if (canvas->studio && prints_fit(client) &&
		(settled.quality != -1 || levels.quality == -1)) {
		if (!little_comes(canvas, levels.quality != -1))
			return update_shared(canvas, &settled, now);
		levels.quality = -1;
	}
	update_client(canvas, &levels, now);
	return NULL;
}

static const char *draw(struct canvas *canvas, bool exact, uint64_t now)
{
	bool cursor = canvas->cursor.drawn.width != 0;
	const char *reason;

	if (cursor)
		cursor_draw(&canvas->cursor, canvas->frame);
	reason = update(canvas, exact, now);
	if (cursor && cursor_erase(canvas->frame, &canvas->cursor.drawn) < 0)
		return "cannot unmap the cursor";
	return reason;
}

/* ---- film ---- */

/* The viewer's picture of @area is what the shot has made of the frame. */
static void note_film(struct canvas *canvas, const struct rect *area, uint64_t now)
{
	region_remove(canvas->client->modifiedRegion, area);
	if (rects_meet(area, &canvas->cursor.drawn))
		region_add(canvas->client->modifiedRegion, &canvas->cursor.drawn);
	refresh_sent(&canvas->refresh, area, true, now);
}

const char *canvas_draw(struct canvas *canvas, uint64_t now)
{
	const char *reason;

	if (!notices_write(canvas->notices, canvas->client, &canvas->cursor, canvas->frame)) {
		head_drop(&canvas->head);
		return NULL;
	}
	if (spectator_follow(&canvas->head.spectator, canvas->client, canvas->notices->extras) &&
		asks_for_all(canvas) &&
		spectator_take(&canvas->head.spectator, canvas->reader, canvas->quality.step, now))
		note_film(canvas, &canvas->head.spectator.area, now);
	/* Moves or a film alone are an answer, too. */
	if (head_waits(&canvas->head) && nothing_coming(canvas)) {
		sraRgnMakeEmpty(canvas->client->requestedRegion);
		head_send(&canvas->head, canvas->client);
		reason = NULL;
	} else {
		reason = draw(canvas, false, now);
	}
	head_drop(&canvas->head); /* of a connection that is gone */
	return reason;
}

/* ---- without loss ---- */

/* Marks slices, which count as sent from then on. Returns their pixels. */
static uint32_t mark_slices(struct canvas *canvas, uint32_t pixels, uint64_t now)
{
	struct rect within, slice;
	uint32_t marked = 0;

	if (!region_single(canvas->client->requestedRegion, &within))
		return 0;
	for (int i = 0; i < SLICES_MAX && marked < pixels; i++) {
		if (!refresh_slice(&canvas->refresh, &within, pixels - marked, &slice))
			break;
		refresh_sent(&canvas->refresh, &slice, false, now);
		region_add(canvas->client->modifiedRegion, &slice);
		marked += slice.width * slice.height;
	}
	return marked;
}

bool canvas_refresh(struct canvas *canvas, uint64_t now, uint64_t bytes, const char **ret_reason)
{
	uint64_t pixels = MIN(refresh_room(&canvas->refresh, bytes), (uint64_t)SLICE_PIXELS);
	uint32_t before, marked;

	if (screen_fit_encoding(canvas->client) == rfbEncodingZYWRLE) /* knows no other way */
		return false;
	marked = mark_slices(canvas, pixels, now);
	if (!marked)
		return false;
	canvas->head.spectator.filming = false;
	before = canvas_bytes(canvas);
	*ret_reason = draw(canvas, true, now);
	refresh_took(&canvas->refresh, marked, canvas_bytes(canvas) - before);
	return true;
}
