/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-serve-lvs: what LibVNCServer alone costs: a file's pixels, tiles of 64x64 compared when somebody says so, sent at once.
 *
 *   bench-serve-lvs FILE OFFSET WIDTH HEIGHT SOCKET        told by 8 bytes at standard input
 */
#include <fcntl.h>
#include <rfb/rfb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TILE = 64 };

struct screen {
	rfbScreenInfoPtr rfb;
	const uint8_t *source;
	uint32_t width, height;
	int listener;
};

static bool tile_changed(
	const struct screen *s, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	const uint8_t *shadow = (const uint8_t *)s->rfb->frameBuffer;

	for (uint32_t j = y; j < y + height; j++) {
		size_t at = ((size_t)j * s->width + x) * 4;

		if (memcmp(shadow + at, s->source + at, (size_t)width * 4) != 0)
			return true;
	}
	return false;
}

static void look(struct screen *s)
{
	for (uint32_t y = 0; y < s->height; y += TILE) {
		uint32_t height = s->height - y < TILE ? s->height - y : TILE;

		for (uint32_t x = 0; x < s->width; x += TILE) {
			uint32_t width = s->width - x < TILE ? s->width - x : TILE;

			if (!tile_changed(s, x, y, width, height))
				continue;
			for (uint32_t j = y; j < y + height; j++) {
				size_t at = ((size_t)j * s->width + x) * 4;

				memcpy(s->rfb->frameBuffer + at, s->source + at, (size_t)width * 4);
			}
			rfbMarkRectAsModified(
				s->rfb, (int)x, (int)y, (int)(x + width), (int)(y + height));
		}
	}
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, 16) < 0) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	return fd;
}

static void open_screen(struct screen *s, char **argv)
{
	size_t offset = strtoul(argv[2], NULL, 10), size;
	int fd = open(argv[1], O_RDONLY | O_CLOEXEC), no_arguments = 0;
	uint8_t *map;

	s->width = (uint32_t)strtoul(argv[3], NULL, 10);
	s->height = (uint32_t)strtoul(argv[4], NULL, 10);
	size = (size_t)s->width * s->height * 4;
	map = fd < 0 ? MAP_FAILED : mmap(NULL, offset + size, PROT_READ, MAP_SHARED, fd, 0);
	s->rfb = rfbGetScreen(&no_arguments, NULL, (int)s->width, (int)s->height, 8, 3, 4);
	if (map == MAP_FAILED || !s->rfb) {
		perror(argv[1]);
		exit(EXIT_FAILURE);
	}
	s->source = map + offset;
	s->rfb->frameBuffer = calloc(size, 1);
	s->rfb->serverFormat.redShift = 16;
	s->rfb->serverFormat.greenShift = 8;
	s->rfb->serverFormat.blueShift = 0;
	s->rfb->cursor = NULL;
	s->rfb->deferUpdateTime = 0;
	s->rfb->port = s->rfb->ipv6port = 0;
	s->rfb->alwaysShared = TRUE;
	rfbLogEnable(FALSE);
	rfbInitServer(s->rfb);
	s->listener = listen_at(argv[5]);
}

static void wait_for_something(struct screen *s)
{
	fd_set fds = s->rfb->allFds;
	int most = s->rfb->maxFd > s->listener ? s->rfb->maxFd : s->listener;
	uint64_t told[64];

	FD_SET(STDIN_FILENO, &fds);
	FD_SET(s->listener, &fds);
	if (select(most + 1, &fds, NULL, NULL, NULL) < 0)
		return;
	if (FD_ISSET(s->listener, &fds)) {
		rfbNewClient(s->rfb, accept(s->listener, NULL, NULL));
		look(s);
	}
	if (FD_ISSET(STDIN_FILENO, &fds)) {
		if (read(STDIN_FILENO, told, sizeof(told)) <= 0)
			exit(EXIT_SUCCESS);
		look(s);
	}
}

int main(int argc, char **argv)
{
	struct screen screen = {0};

	if (argc != 6)
		return EXIT_FAILURE;
	open_screen(&screen, argv);
	for (;;) {
		wait_for_something(&screen);
		/* Messages of viewers in one go, then what they may have. */
		while (rfbProcessEvents(screen.rfb, 0))
			;
	}
}
