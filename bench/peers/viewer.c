/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "peers/viewer.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "peers/film.h"
#include "peers/tight.h"

enum {
	INPUT = 256 * 1024,
	ENCODING_RAW = 0,
	ENCODING_COPYRECT = 1,
	ENCODING_TIGHT = 7,
	ENCODING_H264 = 50,
	ENCODING_LEVEL_2 = -254,
	ENCODING_QUALITY_0 = -32,
	ENCODING_LAST_RECT = -224,
};

/* ---- Bytes ---- */

static int fill_input(struct viewer *v)
{
	size_t most = v->rate ? 4096 : INPUT;
	ssize_t n;

	if (v->rate)
		usleep((useconds_t)(most * 1000000ULL / v->rate));
	do
		n = read(v->fd, v->input, most);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -ECONNRESET;
	if (v->record)
		fwrite(v->input, 1, (size_t)n, v->record);
	v->input_at = 0;
	v->input_end = (size_t)n;
	return 0;
}

int viewer_read(struct viewer *v, void *data, size_t size)
{
	uint8_t *to = data;

	v->bytes += size;
	while (size) {
		size_t part = v->input_end - v->input_at;

		if (!part) {
			int r = fill_input(v);

			if (r < 0)
				return r;
			continue;
		}
		part = part < size ? part : size;
		memcpy(to, v->input + v->input_at, part);
		v->input_at += part;
		to += part;
		size -= part;
	}
	return 0;
}

int viewer_room(struct viewer *v, size_t size)
{
	uint8_t *more;

	if (size <= v->scratch_size)
		return 0;
	more = malloc(size);
	if (!more)
		return -ENOMEM;
	free(v->scratch);
	v->scratch = more;
	v->scratch_size = size;
	return 0;
}

static int skip(struct viewer *v, size_t size)
{
	uint8_t bytes[256];

	while (size) {
		size_t part = size < sizeof(bytes) ? size : sizeof(bytes);
		int r = viewer_read(v, bytes, part);

		if (r < 0)
			return r;
		size -= part;
	}
	return 0;
}

static int put(struct viewer *v, const void *data, size_t size)
{
	ssize_t n = send(v->fd, data, size, MSG_NOSIGNAL);

	return n == (ssize_t)size ? 0 : n < 0 ? -errno : -EPROTO;
}

static uint32_t word16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t word32(const uint8_t *p)
{
	return word16(p) << 16 | word16(p + 2);
}

/* ---- Connecting ---- */

static int open_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, r;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd < 0 ? -errno : fd;
	r = -errno;
	close(fd);
	return r;
}

/* RFB 3.8 and security type None, up to the server's picture. */
static int shake_hands(struct viewer *v)
{
	uint8_t in[256], none = 1, shared = 1;
	int r = viewer_read(v, in, 12);

	if (r == 0)
		r = put(v, "RFB 003.008\n", 12);
	if (r == 0)
		r = viewer_read(v, in, 1);
	if (r == 0)
		r = in[0] ? viewer_read(v, in + 1, in[0]) : -EPROTO;
	if (r == 0)
		r = memchr(in + 1, 1, in[0]) ? put(v, &none, 1) : -EPROTO;
	if (r == 0)
		r = viewer_read(v, in, 4);
	if (r == 0)
		r = word32(in) ? -EPROTO : put(v, &shared, 1);
	if (r == 0)
		r = viewer_read(v, in, 24);
	if (r < 0)
		return r;
	v->width = word16(in);
	v->height = word16(in + 2);
	return skip(v, word32(in + 20));
}

static int say_what_we_want(struct viewer *v, const struct viewer_wish *wish)
{
	static const uint8_t format[20] = {
		0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0};
	int32_t encodings[7] = {ENCODING_TIGHT, ENCODING_COPYRECT, ENCODING_RAW, ENCODING_LEVEL_2,
		ENCODING_LAST_RECT};
	uint8_t message[4 + sizeof(encodings)] = {2};
	size_t count = 5;

	if (wish->quality >= 0)
		encodings[count++] = ENCODING_QUALITY_0 + wish->quality;
	if (wish->h264)
		encodings[count++] = ENCODING_H264;
	message[3] = (uint8_t)count;
	for (size_t i = 0; i < count; i++)
		memcpy(message + 4 + 4 * i, &(uint32_t){htobe32((uint32_t)encodings[i])}, 4);
	int r = put(v, format, sizeof(format));

	return r < 0 ? r : put(v, message, 4 + 4 * count);
}

int viewer_connect(
	const char *path, const struct viewer_wish *wish, FILE *record, struct viewer **ret_viewer)
{
	struct viewer *v = calloc(1, sizeof(*v));
	int r = -ENOMEM;

	if (!v)
		return -ENOMEM;
	v->record = record;
	pthread_mutex_init(&v->lock, NULL);
	v->fd = open_socket(path);
	if (v->fd < 0) {
		r = v->fd;
		goto fail;
	}
	v->input = malloc(INPUT);
	if (!v->input)
		goto fail;
	r = shake_hands(v);
	if (r == 0)
		r = say_what_we_want(v, wish);
	if (r < 0)
		goto fail;
	v->pixels = calloc((size_t)v->width * v->height, 4);
	if (!v->pixels) {
		r = -ENOMEM;
		goto fail;
	}
	*ret_viewer = v;
	return 0;
fail:
	viewer_destroy(v);
	return r;
}

void viewer_destroy(struct viewer *v)
{
	if (!v)
		return;
	if (v->fd >= 0)
		close(v->fd);
	tight_finish(v);
	film_finish(v);
	pthread_mutex_destroy(&v->lock);
	free(v->pixels);
	free(v->input);
	free(v->scratch);
	free(v);
}

/* ---- Messages ---- */

int viewer_request(struct viewer *v, int incremental)
{
	uint8_t m[10] = {3, (uint8_t)incremental, 0, 0, 0, 0, (uint8_t)(v->width >> 8),
		(uint8_t)v->width, (uint8_t)(v->height >> 8), (uint8_t)v->height};

	return put(v, m, sizeof(m));
}

int viewer_type(struct viewer *v, uint32_t keysym)
{
	uint8_t m[16] = {4, 1, 0, 0, (uint8_t)(keysym >> 24), (uint8_t)(keysym >> 16),
		(uint8_t)(keysym >> 8), (uint8_t)keysym};

	memcpy(m + 8, m, 8);
	m[9] = 0;
	return put(v, m, sizeof(m));
}

static int raw_decode(struct viewer *v, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	for (uint32_t j = 0; j < height; j++) {
		uint32_t *out = &v->pixels[(size_t)(y + j) * v->width + x];
		int r = viewer_read(v, out, (size_t)width * 4);

		if (r < 0)
			return r;
		for (uint32_t i = 0; i < width; i++)
			out[i] &= 0xffffff;
	}
	return 0;
}

static int copy_decode(struct viewer *v, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	uint8_t in[4] = {0};
	int r = viewer_read(v, in, sizeof(in));
	uint32_t from_x = word16(in), from_y = word16(in + 2);

	if (r < 0)
		return r;
	if (from_x + width > v->width || from_y + height > v->height)
		return -EPROTO;
	v->moves++;
	for (uint32_t j = 0; j < height; j++) {
		uint32_t row =
			from_y < y ? height - 1 - j : j; /* no row is written before it was read */

		memmove(&v->pixels[(size_t)(y + row) * v->width + x],
			&v->pixels[(size_t)(from_y + row) * v->width + from_x], (size_t)width * 4);
	}
	return 0;
}

static int decode_rectangle(struct viewer *v, int *ret_last)
{
	uint8_t in[12] = {0};
	int r = viewer_read(v, in, sizeof(in));
	uint32_t x = word16(in), y = word16(in + 2), width = word16(in + 4),
		 height = word16(in + 6);
	int32_t encoding = (int32_t)word32(in + 8);

	if (r < 0)
		return r;
	*ret_last = encoding == ENCODING_LAST_RECT;
	if (*ret_last)
		return 0;
	if (x + width > v->width || y + height > v->height)
		return -EPROTO;
	v->rectangles++;
	switch (encoding) {
	case ENCODING_RAW:
		return raw_decode(v, x, y, width, height);
	case ENCODING_COPYRECT:
		return copy_decode(v, x, y, width, height);
	case ENCODING_TIGHT:
		return tight_decode(v, x, y, width, height);
	case ENCODING_H264:
		return film_decode(v, x, y, width, height);
	default:
		return -EPROTO;
	}
}

static int decode_update(struct viewer *v)
{
	uint8_t in[3] = {0};
	int r = viewer_read(v, in, sizeof(in)), last = 0;

	if (r == 0)
		r = viewer_request(v, 1);
	for (uint32_t i = 0; r == 0 && !last && i < word16(in + 1); i++)
		r = decode_rectangle(v, &last);
	v->updates++;
	return r;
}

static int other_message(struct viewer *v, uint8_t type)
{
	uint8_t in[7];
	int r;

	switch (type) {
	case 2: /* Bell */
		return 0;
	case 3: /* ServerCutText */
		r = viewer_read(v, in, sizeof(in));
		return r < 0 ? r : skip(v, word32(in + 3));
	default:
		return -EPROTO;
	}
}

int viewer_update(struct viewer *v)
{
	for (;;) {
		uint8_t type;
		int r = viewer_read(v, &type, 1);

		if (r < 0)
			return r;
		if (type == 0) {
			pthread_mutex_lock(&v->lock);
			r = decode_update(v);
			pthread_mutex_unlock(&v->lock);
			return r;
		}
		r = other_message(v, type);
		if (r < 0)
			return r;
	}
}
