/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Colours are ITU-R BT.601's, 16 to 235, and what is between two samples of colour is made as libjpeg makes it for JPEG: three quarters of the
 * nearer one. Shares no code with the daemon.
 */
#include "peers/film.h"

#include <errno.h>

#include "peers/tight.h"
#include "peers/viewer.h"

#ifdef HAVE_AVCODEC
#include <endian.h>
#include <libavcodec/avcodec.h>
#include <stdlib.h>
#include <string.h>

enum { RESET = 1, RESET_ALL = 2 };

struct film {
	AVCodecContext *context;
	AVPacket *packet;
	AVFrame *frame;
	uint32_t x, y, width, height;
	int16_t *blues, *reds; /* of one row of pixels */
};

bool film_there(void)
{
	return true;
}

void film_finish(struct viewer *v)
{
	struct film *film = v->film;

	if (!film)
		return;
	av_frame_free(&film->frame);
	av_packet_free(&film->packet);
	avcodec_free_context(&film->context);
	free(film->blues);
	free(film->reds);
	free(film);
	v->film = NULL;
}

static int begin(struct viewer *v, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	const AVCodec *codec = avcodec_find_decoder(AV_CODEC_ID_H264);
	struct film *film = calloc(1, sizeof(*film));

	film_finish(v);
	v->film = film;
	if (!film || !codec)
		return -ENOMEM;
	*film = (struct film){.x = x, .y = y, .width = width, .height = height};
	film->context = avcodec_alloc_context3(codec);
	film->packet = av_packet_alloc();
	film->frame = av_frame_alloc();
	film->blues = calloc(width, sizeof(*film->blues));
	film->reds = calloc(width, sizeof(*film->reds));
	if (!film->context || !film->packet || !film->frame || !film->blues || !film->reds)
		return -ENOMEM;
	film->context->flags |= AV_CODEC_FLAG_LOW_DELAY;
	film->context->thread_count = 1;
	return avcodec_open2(film->context, codec, NULL) < 0 ? -ENOMEM : 0;
}

/* ---- Colours ---- */

static int clamp(int value)
{
	return value < 0 ? 0 : value > 255 ? 255 : value;
}

/* Two pixels for each of @count samples, which are three quarters of those in @near and one of those in @far. */
static void spread(const uint8_t *near, const uint8_t *far, int count, int16_t *ret)
{
	int before = 3 * near[0] + far[0], now = before;

	for (int i = 0; i < count; i++) {
		int next = i + 1 < count ? 3 * near[i + 1] + far[i + 1] : now;

		ret[2 * i] = (int16_t)((3 * now + before + 8) / 16 - 128);
		ret[2 * i + 1] = (int16_t)((3 * now + next + 8) / 16 - 128);
		before = now;
		now = next;
	}
}

/* Of pixels in row @y. */
static void spread_row(const AVFrame *frame, int plane, int y, int16_t *ret)
{
	const uint8_t *data = frame->data[plane];
	int stride = frame->linesize[plane], rows = frame->height / 2,
	    other = y & 1 ? y / 2 + 1 : y / 2 - 1;

	other = other < 0 ? 0 : other >= rows ? rows - 1 : other;
	spread(data + y / 2 * stride, data + other * stride, frame->width / 2, ret);
}

static uint32_t pixel_of(int bright, int blue, int red)
{
	bright = 76309 * (bright - 16) + 32768;
	return (uint32_t)clamp((bright + 104597 * red) >> 16) << 16 |
	       (uint32_t)clamp((bright - 25675 * blue - 53279 * red) >> 16) << 8 |
	       (uint32_t)clamp((bright + 132201 * blue) >> 16);
}

static void show(struct viewer *v, const struct film *film)
{
	const AVFrame *frame = film->frame;

	for (uint32_t y = 0; y < film->height; y++) {
		uint32_t *row = &v->pixels[(size_t)(film->y + y) * v->width + film->x];
		const uint8_t *bright = frame->data[0] + (int)y * frame->linesize[0];

		spread_row(frame, 1, (int)y, film->blues);
		spread_row(frame, 2, (int)y, film->reds);
		for (uint32_t x = 0; x < film->width; x++)
			row[x] = pixel_of(bright[x], film->blues[x], film->reds[x]);
	}
}

/* ---- Rectangles ---- */

static int decode(struct viewer *v, uint8_t *bytes, size_t size)
{
	struct film *film = v->film;

	film->packet->data = bytes;
	film->packet->size = (int)size;
	if (avcodec_send_packet(film->context, film->packet) < 0 ||
		avcodec_receive_frame(film->context, film->frame) < 0)
		return -EPROTO;
	if (film->frame->format != AV_PIX_FMT_YUV420P || film->frame->width != (int)film->width ||
		film->frame->height != (int)film->height)
		return -EPROTO;
	show(v, film);
	v->shots++;
	return 0;
}

int film_decode(struct viewer *v, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	const struct film *film;
	uint32_t head[2];
	size_t size;
	int r = viewer_read(v, head, sizeof(head));

	size = be32toh(head[0]);
	if (r == 0)
		r = viewer_room(v, size + AV_INPUT_BUFFER_PADDING_SIZE);
	if (r == 0)
		r = viewer_read(v, v->scratch, size);
	if (r == 0 && be32toh(head[1]) & (RESET | RESET_ALL))
		r = begin(v, x, y, width, height);
	film = v->film;
	if (r < 0)
		return r;
	if (!film || film->x != x || film->y != y || film->width != width || film->height != height)
		return -EPROTO;
	memset(v->scratch + size, 0, AV_INPUT_BUFFER_PADDING_SIZE);
	return size ? decode(v, v->scratch, size) : 0;
}

#else

bool film_there(void)
{
	return false;
}

void film_finish(struct viewer *v)
{
	(void)v;
}

int film_decode(struct viewer *v, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	(void)v, (void)x, (void)y, (void)width, (void)height;
	return -EPROTO;
}
#endif
