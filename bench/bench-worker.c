/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-worker.c - what LibVNCServer itself takes for a viewer: many clients of it on socketpairs, each with a screen and a sleeping thread of
 * its own, without a line of the viewer's side but the screen. See bench/README.md.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rfb/rfb.h>
#include <rfb/rfbregion.h>

#include "base/fd.h"
#include "base/mem.h"
#include "frame/frame.h"
#include "rfb/screen.h"
#include "rfb/wire.h"

#define STACK_BYTES (256u << 10)
#define COUNT_MAX   200u /* LibVNCServer wants low numbers for its descriptors */

struct client {
	rfbScreenInfo screen;
	rfbClientPtr client;
	int hangup, door;
	pthread_t thread;
};

static struct client clients[COUNT_MAX];

static void *work(void *arg)
{
	struct client *client = arg;
	struct pollfd polled = {.fd = client->client->sock, .events = POLLIN};

	while (client->client->sock >= 0 && poll(&polled, 1, -1) > 0) {
		rfbProcessClientMessage(client->client);
		if (client->client->sock >= 0 && !sraRgnEmpty(client->client->requestedRegion))
			rfbUpdateClient(client->client);
	}
	rfbClientConnectionGone(client->client);
	return NULL;
}

/* KiB of this process. */
static long resident(void)
{
	char line[128];
	long kib = 0;
	FILE *file = fopen("/proc/self/smaps_rollup", "re");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Pss: %ld", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib;
}

static void drain(int fd)
{
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	static char sink[1 << 16];

	while (poll(&polled, 1, 100) > 0 && recv(fd, sink, sizeof(sink), 0) > 0)
		;
}

static void ask(int fd, const int32_t *encodings, unsigned int count, const struct frame *frame)
{
	uint8_t list[4 + 4 * 8] = {2}, request[10] = {3};

	wire_put_u16(list + 2, count);
	for (unsigned int i = 0; i < count; i++)
		wire_put_u32(list + 4 + 4 * i, encodings[i]);
	wire_put_u16(request + 6, frame->header.width);
	wire_put_u16(request + 8, frame->header.height);
	(void)!send(fd, list, 4 + 4 * count, MSG_NOSIGNAL);
	(void)!send(fd, request, sizeof(request), MSG_NOSIGNAL);
}

static int start(struct client *client, const struct frame *frame)
{
	pthread_attr_t attributes;
	int r;

	screen_init(&client->screen, "bench");
	screen_show(&client->screen, frame);
	r = screen_connect(&client->screen, &client->client, &client->hangup, &client->door);
	if (r < 0)
		return r;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	r = pthread_create(&client->thread, &attributes, work, client);
	pthread_attr_destroy(&attributes);
	return -r;
}

/* The same picture as bench/viewers.py: windows with text, and a photo. */
static void desktop(struct frame *frame)
{
	uint32_t *pixels = frame_pixels(frame), stride = frame->header.stride / 4, seed = 1;

	for (uint32_t y = 0; y < frame->header.height; y++)
		for (uint32_t x = 0; x < frame->header.width; x++) {
			seed = seed * 1664525u + 1013904223u;
			if (x > 1590 && y > 910 && x < 1910 && y < 1070)
				pixels[y * stride + x] = seed >> 8;
			else if (x % 290 > 70 && x % 290 < 250 && y % 20 < 12 && y > 100 && y < 900)
				pixels[y * stride + x] = (seed >> 24) % 6 * 0x2a1f0b;
			else
				pixels[y * stride + x] =
					x % 290 > 60 && x % 290 < 320 ? 0xe6ebf0 : 0x203040;
		}
}

static int measure(const char *name, const int32_t *encodings, unsigned int count)
{
	struct frame *frame;
	long before = 0;
	int r;

	r = frame_create(1920, 1080, 1, &frame);
	if (r < 0)
		return r;
	desktop(frame);
	for (unsigned int i = 0; i < COUNT_MAX && r == 0; i++) {
		if (i == 1)
			before = resident();
		r = start(&clients[i], frame);
		if (r == 0 && count)
			ask(clients[i].door, encodings, count, frame);
		if (r == 0)
			drain(clients[i].door);
	}
	if (r == 0)
		printf("%-18s %ld KiB each\n", name, (resident() - before) / (long)(COUNT_MAX - 1));
	fflush(stdout);
	_exit(r < 0);
}

static const struct kind {
	const char *name;
	int32_t encodings[4];
	unsigned int count;
} kinds[] = {
	{"no picture yet:", {0}, 0},
	{"Raw:", {0}, 1},
	{"Tight, quality 6:", {7, -26, -224, 0}, 4},
	{"ZRLE:", {16, 0}, 2},
};

int main(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	printf("LibVNCServer's clients, screens and threads; rfbClientRec has %zu bytes, a screen "
	       "%zu\n",
		sizeof(rfbClientRec), sizeof(rfbScreenInfo));
	fflush(stdout);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		pid_t child = fork();

		if (child == 0 && screen_prepare() == 0)
			measure(kinds[i].name, kinds[i].encodings, kinds[i].count);
		if (child <= 0)
			return 1;
		waitpid(child, NULL, 0);
	}
	return 0;
}
