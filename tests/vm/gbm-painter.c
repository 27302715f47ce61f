/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gbm-painter - a buffer of a GPU that somebody paints: what a guest's driver does behind a display whose dma-bufs the CPU cannot map.
 *
 * usage: gbm-painter NODE WIDTH HEIGHT, with a socket as fd 3. Makes a buffer on NODE, sends its dma-buf over the socket with the line
 * "STRIDE MODIFIER\n", then reads commands from stdin and answers each with "ok" or "error ...":
 *
 *	paint PATTERN SEED
 */
#include <errno.h>
#include <fcntl.h>
#include <gbm.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/packet.h"
#include "pattern.h"

#define LINK 3

struct painter {
	struct gbm_device *device;
	struct gbm_bo *bo;
	uint32_t width, height;
};

static int fail(const char *what)
{
	fprintf(stderr, "gbm-painter: %s: %s\n", what, strerror(errno));
	return EXIT_FAILURE;
}

static int paint(struct painter *painter, const struct pattern *pattern, uint32_t seed)
{
	uint32_t stride;
	void *data = NULL;
	uint8_t *to = gbm_bo_map(painter->bo, 0, 0, painter->width, painter->height,
		GBM_BO_TRANSFER_WRITE, &stride, &data);

	if (!to)
		return -errno;
	for (uint32_t y = 0; y < painter->height; y++)
		pattern_line(
			pattern, seed, 0, y, painter->width, (uint32_t *)(to + (size_t)y * stride));
	gbm_bo_unmap(painter->bo, data);
	return 0;
}

static int hand_out(struct painter *painter)
{
	int dmabuf = gbm_bo_get_fd(painter->bo), r;
	char line[64] = "";

	if (dmabuf < 0)
		return fail("export");
	snprintf(line, sizeof(line), "%" PRIu32 " %" PRIu64 "\n", gbm_bo_get_stride(painter->bo),
		gbm_bo_get_modifier(painter->bo));
	r = packet_send(LINK, line, strlen(line), dmabuf);
	close(dmabuf);
	errno = -r;
	return r < 0 ? fail("fd 3") : EXIT_SUCCESS;
}

static int obey(struct painter *painter, char *line)
{
	const struct pattern *pattern;
	char name[32];
	uint32_t seed;

	if (sscanf(line, "paint %31s %" SCNu32, name, &seed) != 2)
		return -EINVAL;
	pattern = pattern_find(name);
	return pattern ? paint(painter, pattern, seed) : -EINVAL;
}

int main(int argc, char **argv)
{
	struct painter painter = {0};
	char line[128];
	int node, r;

	if (argc != 4)
		return fail("usage: gbm-painter NODE WIDTH HEIGHT");
	painter.width = (uint32_t)atol(argv[2]);
	painter.height = (uint32_t)atol(argv[3]);
	node = open(argv[1], O_RDWR | O_CLOEXEC);
	painter.device = node < 0 ? NULL : gbm_create_device(node);
	if (!painter.device)
		return fail(argv[1]);
	painter.bo = gbm_bo_create(painter.device, painter.width, painter.height,
		GBM_FORMAT_XRGB8888, GBM_BO_USE_LINEAR);
	if (!painter.bo)
		return fail("no buffer");
	if (hand_out(&painter) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	while (fgets(line, sizeof(line), stdin)) {
		r = obey(&painter, line);
		printf(r < 0 ? "error %s\n" : "ok\n", strerror(-r));
		fflush(stdout);
	}
	gbm_bo_destroy(painter.bo);
	gbm_device_destroy(painter.device);
	close(node);
	return EXIT_SUCCESS;
}
