/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-serve-neatvnc: what neatvnc costs: a file's pixels, the whole frame given to it when somebody says so; it compares by itself.
 *
 *   bench-serve-neatvnc FILE OFFSET WIDTH HEIGHT SOCKET        told by 8 bytes at standard input
 */
/* Its releases from 0.3 on want to be told that one knows; what is called here is the same before and after. */
#define AML_UNSTABLE_API 1
#include <aml.h>
#include <drm_fourcc.h>
#include <fcntl.h>
#include <neatvnc.h>
#include <pixman.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct screen {
	struct nvnc_display *display;
	struct nvnc_fb *frame;
	uint16_t width, height;
};

static void show(struct screen *s)
{
	struct pixman_region16 all;

	pixman_region_init_rect(&all, 0, 0, s->width, s->height);
	nvnc_display_feed_buffer(s->display, s->frame, &all);
	pixman_region_fini(&all);
}

static void told(void *handler)
{
	uint64_t words[64];

	if (read(STDIN_FILENO, words, sizeof(words)) <= 0)
		exit(EXIT_SUCCESS);
	show(aml_get_userdata(handler));
}

int main(int argc, char **argv)
{
	struct screen s = {0};
	struct aml_handler *handler;
	struct nvnc *server;
	struct aml *loop;
	size_t offset;
	uint8_t *map;
	int fd;

	if (argc != 6)
		return EXIT_FAILURE;
	signal(SIGPIPE, SIG_IGN);
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	offset = strtoul(argv[2], NULL, 10);
	s.width = (uint16_t)strtoul(argv[3], NULL, 10);
	s.height = (uint16_t)strtoul(argv[4], NULL, 10);
	map = mmap(NULL, offset + (size_t)s.width * s.height * 4, PROT_READ | PROT_WRITE,
		MAP_SHARED, fd, 0);
	loop = aml_new();
	if (map == MAP_FAILED || !loop) {
		perror(argv[1]);
		return EXIT_FAILURE;
	}
	aml_set_default(loop);
	server = nvnc_open_unix(argv[5]);
	s.display = nvnc_display_new(0, 0);
	s.frame =
		nvnc_fb_from_buffer(map + offset, s.width, s.height, DRM_FORMAT_XRGB8888, s.width);
	handler = aml_handler_new(STDIN_FILENO, told, &s, NULL);
	if (!server || !s.display || !s.frame || !handler)
		return EXIT_FAILURE;
	nvnc_add_display(server, s.display);
	nvnc_set_name(server, "bench");
	show(&s);
	aml_start(loop, handler);
	return aml_run(loop);
}
