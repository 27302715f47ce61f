/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake-source.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"

#define BYTES (1u << 20)

static struct {
	struct source source;
	int fd, memory, event;
	int results[FAKE_CALLS];
	struct plane planes[2];
	uint32_t limit_width, limit_height, width, height;
	enum fake_call block; /* FAKE_CALLS: none */
	bool blocks;
	unsigned int calls[FAKE_CALLS], last[FAKE_CALLS], order;
	uint64_t when[FAKE_CALLS], heard;
} fake;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

/* Every call begins here; with the lock it goes on. */
static int enter(enum fake_call call)
{
	pthread_mutex_lock(&lock);
	fake.calls[call]++;
	fake.last[call] = ++fake.order;
	fake.when[call] = loop_now_ms();
	if (fake.block == call) {
		fake.blocks = true;
		while (fake.blocks)
			pthread_cond_wait(&cond, &lock);
	}
	return fake.results[call];
}

static int leave(int r)
{
	pthread_mutex_unlock(&lock);
	return r;
}

static int fake_probe(struct source *source, const char **ret_reason)
{
	*ret_reason = "as the script says";
	return leave(enter(FAKE_PROBE));
}

static int fake_query(struct source *source, enum plane_type type, struct plane *ret)
{
	int r = enter(type == PLANE_CURSOR ? FAKE_QUERY_CURSOR : FAKE_QUERY);

	if (r == 0)
		*ret = fake.planes[type];
	return leave(r);
}

static int fake_buffer(struct source *source, const struct plane *plane, struct buffer *ret,
	const char **ret_reason)
{
	int r = enter(FAKE_BUFFER);

	*ret_reason = "as the script says";
	*ret = (struct buffer){.fd = fake.memory, .length = BYTES};
	return leave(r);
}

static void fake_destroy(struct source *source)
{
	enter(FAKE_DESTROY);
	fake.fd = fd_close(fake.fd);
	leave(0);
}

static int fake_arm(struct source *source, int event)
{
	int r = enter(FAKE_ARM);

	if (r == 0)
		fake.event = event;
	return leave(r);
}

static void fake_disarm(struct source *source)
{
	enter(FAKE_DISARM);
	fake.event = -EBADF;
	leave(0);
}

static void fake_heard(struct source *source, uint64_t count)
{
	enter(FAKE_HEARD);
	fake.heard = count;
	leave(0);
}

static int fake_size_limits(struct source *source, uint32_t *ret_width, uint32_t *ret_height)
{
	int r = enter(FAKE_SIZE_LIMITS);

	*ret_width = fake.limit_width;
	*ret_height = fake.limit_height;
	return leave(r);
}

static int fake_offer_size(struct source *source, uint32_t width, uint32_t height)
{
	int r = enter(FAKE_OFFER_SIZE);

	fake.width = width;
	fake.height = height;
	return leave(r);
}

static int fake_link_up(struct source *source)
{
	return leave(enter(FAKE_LINK_UP));
}

static const struct source_ops fake_ops = {
	.probe = fake_probe,
	.query = fake_query,
	.buffer = fake_buffer,
	.destroy = fake_destroy,
	.arm = fake_arm,
	.disarm = fake_disarm,
	.heard = fake_heard,
	.size_limits = fake_size_limits,
	.offer_size = fake_offer_size,
	.link_up = fake_link_up,
};

int source_vfio_create(int fd, struct source **ret)
{
	pthread_mutex_lock(&lock);
	fake.source.ops = &fake_ops;
	fake.fd = fd;
	*ret = &fake.source;
	return leave(0);
}

static void fill(uint32_t pixel)
{
	uint32_t *pixels = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fake.memory, 0);

	for (size_t i = 0; i < BYTES / 4; i++)
		pixels[i] = pixel;
	munmap(pixels, BYTES);
}

void fake_source_draw(
	unsigned int x, unsigned int y, unsigned int width, unsigned int height, uint32_t pixel)
{
	uint32_t *pixels = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fake.memory, 0);

	for (unsigned int v = y; v < y + height; v++)
		for (unsigned int u = x; u < x + width; u++)
			pixels[v * 320 + u] = pixel;
	munmap(pixels, BYTES);
}

void fake_source_reset(void)
{
	int memory;

	pthread_mutex_lock(&lock);
	memory = fake.order ? fake.memory : memfd_create("fake", MFD_CLOEXEC);
	if (!fake.order && ftruncate(memory, BYTES) < 0)
		abort();
	memset(&fake, 0, sizeof(fake));
	fake.fd = fake.event = -EBADF;
	fake.memory = memory;
	fake.order = 1;
	fake.block = FAKE_CALLS;
	fake.results[FAKE_ARM] = fake.results[FAKE_SIZE_LIMITS] = -ENOTTY;
	fake.planes[PLANE_PRIMARY] = (struct plane){
		.kind = PLANE_SURFACE,
		.fourcc = DRM_FORMAT_XRGB8888,
		.width = 320,
		.height = 240,
		.stride = 320 * 4,
		.size = 320 * 240 * 4,
	};
	fake.planes[PLANE_CURSOR] = (struct plane){.type = PLANE_CURSOR, .kind = PLANE_SURFACE};
	fill(0x123456);
	leave(0);
}

void fake_source_result(enum fake_call call, int result)
{
	pthread_mutex_lock(&lock);
	fake.results[call] = result;
	leave(0);
}

void fake_source_plane(const struct plane *plane)
{
	pthread_mutex_lock(&lock);
	fake.planes[plane->type] = *plane;
	leave(0);
}

struct plane fake_source_primary(void)
{
	struct plane plane;

	pthread_mutex_lock(&lock);
	plane = fake.planes[PLANE_PRIMARY];
	leave(0);
	return plane;
}

void fake_source_pixel(uint32_t pixel)
{
	fill(pixel);
}

void fake_source_truncate(bool truncate)
{
	if (ftruncate(fake.memory, truncate ? 64 << 10 : BYTES) < 0)
		abort();
}

void fake_source_limits(uint32_t width, uint32_t height)
{
	pthread_mutex_lock(&lock);
	fake.limit_width = width;
	fake.limit_height = height;
	fake.results[FAKE_SIZE_LIMITS] = 0;
	leave(0);
}

void fake_source_block(enum fake_call call)
{
	pthread_mutex_lock(&lock);
	fake.block = call;
	leave(0);
}

void fake_source_unblock(void)
{
	pthread_mutex_lock(&lock);
	fake.block = FAKE_CALLS;
	fake.blocks = false;
	pthread_cond_broadcast(&cond);
	leave(0);
}

bool fake_source_blocks(void)
{
	pthread_mutex_lock(&lock);
	return leave(fake.blocks);
}

unsigned int fake_source_calls(enum fake_call call)
{
	pthread_mutex_lock(&lock);
	return (unsigned int)leave((int)fake.calls[call]);
}

unsigned int fake_source_last(enum fake_call call)
{
	pthread_mutex_lock(&lock);
	return (unsigned int)leave((int)fake.last[call]);
}

uint64_t fake_source_when(enum fake_call call)
{
	uint64_t when;

	pthread_mutex_lock(&lock);
	when = fake.when[call];
	leave(0);
	return when;
}

int fake_source_event(void)
{
	pthread_mutex_lock(&lock);
	return leave(fake.event);
}

uint64_t fake_source_heard(void)
{
	uint64_t heard;

	pthread_mutex_lock(&lock);
	heard = fake.heard;
	leave(0);
	return heard;
}

void fake_source_offered(uint32_t *ret_width, uint32_t *ret_height)
{
	pthread_mutex_lock(&lock);
	*ret_width = fake.width;
	*ret_height = fake.height;
	leave(0);
}
