/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tight rectangles at a viewer that others wrote: LibVNCServer's client library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <rfb/rfbclient.h>

#include "base/mem.h"
#include "rfb/mosaic.h"
#include "rfb/photo.h"
#include "rfb/wire.h"

enum { WIDTH = 2048, HEIGHT = 300 };

/* LibVNCServer's client (0.9.14) never lets go of its JPEG decoder. The leak sanitizer asks this by that name. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:tjInitDecompress\n";
}

static const struct tight_wish exact = {.quality = -1, .compression = 1};

struct fixture {
	struct tight *tight;
	rfbClient *client;
	int server;
	uint32_t pixels[HEIGHT][WIDTH];
	uint8_t *bytes;
	size_t size;
	uint32_t seed;
};

static void write_all(struct fixture *f)
{
	for (size_t done = 0; done < f->size;) {
		ssize_t r = write(f->server, f->bytes + done, f->size - done);

		assert_true(r > 0);
		done += r;
	}
}

static void *write_message(void *arg)
{
	write_all(arg);
	return NULL;
}

/* RFB 3.3, no security, and a ServerInit of our pixel format. */
static void greet(struct fixture *f)
{
	static const uint8_t format[16] = {32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0};
	uint8_t *at = f->bytes;

	memcpy(at, "RFB 003.003\n\0\0\0\1", 16);
	wire_put_u16(at + 16, WIDTH);
	wire_put_u16(at + 18, HEIGHT);
	memcpy(at + 20, format, sizeof(format));
	wire_put_u32(at + 36, 0);
	f->size = 40;
	write_all(f);
}

static void say_nothing(const char *format, ...)
{
}

static rfbClient *new_client(int sock)
{
	rfbClient *client = rfbGetClient(8, 3, 4);

	assert_non_null(client);
	client->sock = sock;
	client->format.redShift = 16;
	client->format.greenShift = 8;
	client->format.blueShift = 0;
	client->appData.useRemoteCursor = FALSE;
	assert_true(InitialiseRFBConnection(client));
	client->width = client->si.framebufferWidth;
	client->height = client->si.framebufferHeight;
	assert_true(client->MallocFrameBuffer(client));
	return client;
}

static int begin(void **state)
{
	struct fixture *f = new0(struct fixture);
	int fds[2];

	rfbClientLog = rfbClientErr = say_nothing;
	f->seed = 1;
	f->bytes = malloc(16u * TIGHT_PIXELS_MAX);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	f->server = fds[0];
	greet(f);
	f->client = new_client(fds[1]);
	*state = f;
	return tight_create(&f->tight);
}

static int end(void **state)
{
	struct fixture *f = *state;

	tight_destroy(f->tight);
	free(f->client->frameBuffer);
	rfbClientCleanup(f->client);
	close(f->server);
	free(f->bytes);
	free(f);
	return 0;
}

static uint32_t draw(struct fixture *f)
{
	f->seed ^= f->seed << 13;
	f->seed ^= f->seed >> 17;
	f->seed ^= f->seed << 5;
	return f->seed;
}

static void paint(struct fixture *f, const struct rect *rect, uint32_t colours)
{
	for (uint32_t y = rect->y; y < rect->y + rect->height; y++) {
		for (uint32_t x = rect->x; x < rect->x + rect->width; x++)
			f->pixels[y][x] =
				draw(f) % 3 ? 0x204060 : draw(f) % colours * 0x10d4f1u & 0xffffff;
	}
}

/* One update with @rect, which the client decodes while it comes. */
static void show(struct fixture *f, const struct rect *rect, const struct tight_wish *wish)
{
	pthread_t writer;
	struct mosaic made;
	uint8_t asked[256];

	memset(f->bytes, 0, 4);
	f->size = 4 + mosaic_make(f->tight, f->pixels[0], WIDTH, rect, wish, f->bytes + 4, &made);
	wire_put_u16(f->bytes + 2, made.rectangles);
	assert_int_equal(pthread_create(&writer, NULL, write_message, f), 0);
	assert_true(HandleRFBServerMessage(f->client));
	pthread_join(writer, NULL);
	/* It asks for the next one. */
	while (recv(f->server, asked, sizeof(asked), MSG_DONTWAIT) > 0) {
	}
}

static unsigned int difference(struct fixture *f, const struct rect *rect)
{
	const uint32_t *seen = (const uint32_t *)f->client->frameBuffer;
	unsigned int most = 0;

	for (uint32_t y = rect->y; y < rect->y + rect->height; y++) {
		for (uint32_t x = rect->x; x < rect->x + rect->width; x++) {
			for (int i = 0; i < 24; i += 8) {
				int a = f->pixels[y][x] >> i & 0xff;
				int b = seen[y * WIDTH + x] >> i & 0xff;

				most = MAX(most, (unsigned int)abs(a - b));
			}
		}
	}
	return most;
}

static const uint32_t counts[] = {1, 2, 3, 16, 255, 256, 257, 5000};

static void test_every_small_size_is_exact(void **state)
{
	struct fixture *f = *state;

	for (uint32_t height = 1; height <= 80; height++) {
		for (uint32_t width = 1; width <= 80; width++) {
			struct rect rect = {draw(f) % 1900, draw(f) % 200, width, height};

			paint(f, &rect, counts[(height + width) % ARRAY_SIZE(counts)]);
			show(f, &rect, &exact);
			assert_int_equal(difference(f, &rect), 0);
		}
	}
}

static void test_large_sizes_are_exact(void **state)
{
	static const struct rect rects[] = {
		{0, 0, 2048, 64},
		{1, 3, 2047, 1},
		{2000, 0, 1, 300},
		{7, 9, 513, 255},
		{100, 0, 256, 256},
		{100, 0, 1000, 18},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rects); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(counts); j++) {
			paint(f, &rects[i], counts[j]);
			show(f, &rects[i], &exact);
			assert_int_equal(difference(f, &rects[i]), 0);
		}
	}
}

static void test_jpeg_comes(void **state)
{
	static const struct tight_wish fine = {95, 0, 1};
	static const struct rect rect = {300, 20, 256, 256};
	struct fixture *f = *state;

	if (!photo_there())
		skip();
	for (uint32_t y = rect.y; y < rect.y + rect.height; y++) {
		for (uint32_t x = rect.x; x < rect.x + rect.width; x++)
			f->pixels[y][x] = (x / 3 + draw(f) % 4) << 16 | (y + draw(f) % 4) / 2 << 8 |
					  (x + y) / 4;
	}
	show(f, &rect, &fine);
	assert_in_range(difference(f, &rect), 1, 16);
	show(f, &rect, &exact);
	assert_int_equal(difference(f, &rect), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_small_size_is_exact, begin, end),
		cmocka_unit_test_setup_teardown(test_large_sizes_are_exact, begin, end),
		cmocka_unit_test_setup_teardown(test_jpeg_comes, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
