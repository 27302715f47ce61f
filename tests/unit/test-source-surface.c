/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The surface source: honest producers, torn headers, hostile memfds. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include <drm_fourcc.h>

#include "base/mem.h"
#include "plane/source.h"
#include "vfio-displayd/surface.h"

#define MEMFD_BYTES (1 << 20)

struct fixture {
	int fd; /* the producer's own */
	struct vfio_displayd_surface *head;
	struct source *source;
};

static int memfd_sealed(off_t size, int seals)
{
	int fd = memfd_create("surface", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static int setup(void **state)
{
	struct fixture *f = new0(struct fixture);

	assert_non_null(f);
	f->fd = memfd_sealed(MEMFD_BYTES, F_SEAL_SHRINK);
	f->head = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
	assert_true(f->head != MAP_FAILED);
	f->head->magic = VFIO_DISPLAYD_SURFACE_MAGIC;
	f->head->version = VFIO_DISPLAYD_SURFACE_VERSION;
	f->head->planes[0] = (struct vfio_displayd_surface_plane){
		.start = 4096,
		.format = DRM_FORMAT_XRGB8888,
		.width = 320,
		.height = 200,
		.stride = 1280,
		.size = 320 * 200 * 4,
	};
	f->head->planes[1] = (struct vfio_displayd_surface_plane){
		.start = 512 << 10,
		.format = DRM_FORMAT_ARGB8888,
		.width = 16,
		.height = 16,
		.stride = 64,
		.size = 1024,
		.x = -3,
		.y = 400,
		.hot_x = 2,
		.hot_y = 16,
		.serial = 9,
	};
	assert_int_equal(source_surface_create(dup(f->fd), &f->source), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	source_destroy(f->source);
	munmap(f->head, 4096);
	close(f->fd);
	free(f);
	return 0;
}

static void test_honest(void **state)
{
	struct fixture *f = *state;
	struct source *source = f->source;
	const char *reason = NULL;
	struct buffer buffer;
	struct plane plane;

	assert_int_equal(source->ops->probe(source, &reason), 0);
	assert_int_equal(source->ops->query(source, PLANE_PRIMARY, &plane), 0);
	assert_true(plane_is_on(&plane));
	assert_null(plane_unsuitable(&plane));
	assert_int_equal(plane.kind, PLANE_SURFACE);
	assert_int_equal(plane.offset, 4096);
	assert_int_equal(plane.width, 320);
	assert_int_equal(source->ops->buffer(source, &plane, &buffer, &reason), 0);
	assert_false(buffer.owned);
	assert_int_equal(buffer.length, MEMFD_BYTES);
	assert_int_equal(source->ops->query(source, PLANE_CURSOR, &plane), 0);
	assert_int_equal(plane.type, PLANE_CURSOR);
	assert_int_equal(plane.x, -3);
	assert_int_equal(plane.y, 400);
	assert_int_equal(plane.hot_x, PLANE_HOT_UNKNOWN);
	assert_int_equal(plane.hot_y, PLANE_HOT_UNKNOWN);
	assert_int_equal(plane.token, 9);
	f->head->planes[1].hot_y = 15;
	assert_int_equal(source->ops->query(source, PLANE_CURSOR, &plane), 0);
	assert_int_equal(plane.hot_x, 2);
	assert_int_equal(plane.hot_y, 15);
	f->head->planes[0].size = 0;
	assert_int_equal(source->ops->query(source, PLANE_PRIMARY, &plane), 0);
	assert_false(plane_is_on(&plane));
	assert_int_equal(plane.width, 0);
}

/* What the producer counts is told of the primary plane only, and not of one that is off. */
static void test_drawn(void **state)
{
	struct fixture *f = *state;
	const uint32_t counts[] = {0, 1, UINT32_MAX};
	struct plane plane;

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		f->head->drawn = counts[i];
		assert_int_equal(f->source->ops->query(f->source, PLANE_PRIMARY, &plane), 0);
		assert_int_equal(plane.drawn, counts[i]);
		assert_int_equal(f->source->ops->query(f->source, PLANE_CURSOR, &plane), 0);
		assert_int_equal(plane.drawn, 0);
	}
	f->head->planes[0].size = 0;
	assert_int_equal(f->source->ops->query(f->source, PLANE_PRIMARY, &plane), 0);
	assert_int_equal(plane.drawn, 0);
}

static void test_never_rests(void **state)
{
	struct fixture *f = *state;
	struct plane plane = {.width = 77};
	const char *reason = NULL;

	f->head->sequence = 1;
	assert_int_equal(f->source->ops->probe(f->source, &reason), 0);
	assert_int_equal(f->source->ops->query(f->source, PLANE_PRIMARY, &plane), -EBUSY);
	assert_int_equal(plane.width, 77);
	f->head->sequence = 2;
	assert_int_equal(f->source->ops->query(f->source, PLANE_PRIMARY, &plane), 0);
}

static void test_lies(void **state)
{
	struct fixture *f = *state;
	const char *reason = NULL;
	struct buffer buffer;
	struct plane plane;

	f->head->planes[0].start = 4095;
	assert_int_equal(f->source->ops->query(f->source, PLANE_PRIMARY, &plane), 0);
	assert_int_equal(f->source->ops->buffer(f->source, &plane, &buffer, &reason), -ENODEV);
	assert_non_null(reason);
	f->head->planes[0].start = UINT64_MAX;
	assert_int_equal(f->source->ops->query(f->source, PLANE_PRIMARY, &plane), 0);
	assert_non_null(plane_unsuitable(&plane));
	f->head->magic++;
	assert_int_equal(f->source->ops->query(f->source, PLANE_PRIMARY, &plane), -EPROTO);
	reason = NULL;
	assert_int_equal(f->source->ops->probe(f->source, &reason), -EINVAL);
	assert_non_null(reason);
	f->head->magic--;
	f->head->version++;
	assert_int_equal(f->source->ops->probe(f->source, &reason), -EINVAL);
}

/* Takes @fd. Returns why. */
static const char *refused(int fd)
{
	struct vfio_displayd_surface head = {
		.magic = VFIO_DISPLAYD_SURFACE_MAGIC, .version = VFIO_DISPLAYD_SURFACE_VERSION};
	struct source *source;
	const char *reason = NULL;

	assert_true(fd >= 0);
	/* Where it can be written, a good header does not help. */
	if (pwrite(fd, &head, sizeof(head), 0) < 0)
		assert_true(errno == ESPIPE || errno == EBADF || errno == EPERM || errno == EINVAL);
	assert_int_equal(source_surface_create(fd, &source), 0);
	assert_int_equal(source->ops->probe(source, &reason), -EINVAL);
	assert_non_null(reason);
	source_destroy(source);
	return reason;
}

static void test_no_surface(void **state)
{
	char path[] = "/tmp/test-surface.XXXXXX";
	int fds[2], fd;

	refused(memfd_sealed(8192, 0));
	refused(memfd_sealed(8192, F_SEAL_GROW));
	refused(memfd_sealed(4095, F_SEAL_SHRINK));
	refused(memfd_sealed(0, F_SEAL_SHRINK));
	fd = mkstemp(path);
	unlink(path);
	assert_int_equal(ftruncate(fd, 8192), 0);
	refused(fd);
	assert_int_equal(pipe(fds), 0);
	refused(fds[0]);
	close(fds[1]);
	refused(open("/dev/null", O_RDWR | O_CLOEXEC));
	refused(open("/", O_PATH | O_CLOEXEC));
	fd = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
	if (fd >= 0 && ftruncate(fd, 2 << 20) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0)
		assert_non_null(strstr(refused(fd), "huge"));
	else if (fd >= 0)
		close(fd);
}

/* A producer that keeps the rules, as fast as it can: width, height, stride and size always fit each other. */
struct producer {
	struct vfio_displayd_surface *head;
	atomic_bool stop;
	bool rude; /* forgets the counter: shows that the test can fail */
};

static void *produce(void *arg)
{
	struct producer *producer = arg;
	volatile struct vfio_displayd_surface_plane *plane = &producer->head->planes[0];
	uint32_t *sequence = &producer->head->sequence;

	for (uint32_t i = 1; !atomic_load(&producer->stop); i = i % 1000 + 1) {
		if (!producer->rude)
			__atomic_add_fetch(sequence, 1, __ATOMIC_SEQ_CST);
		atomic_thread_fence(memory_order_seq_cst);
		plane->width = i;
		plane->height = i;
		for (int spin = 0; spin < 20; spin++)
			atomic_thread_fence(memory_order_seq_cst);
		plane->stride = i * 4;
		plane->size = (uint64_t)i * i * 4;
		if (!producer->rude)
			__atomic_add_fetch(sequence, 1, __ATOMIC_SEQ_CST);
		for (int spin = 0; spin < 100; spin++)
			atomic_thread_fence(memory_order_seq_cst);
	}
	return NULL;
}

/* Returns how many torn planes were seen; *ret_seen: how many planes at all. */
static unsigned int race(struct fixture *f, bool rude, unsigned int *ret_seen)
{
	struct producer producer = {.head = f->head, .rude = rude};
	unsigned int torn = 0, seen = 0;
	struct plane plane;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, produce, &producer), 0);
	for (unsigned int i = 0; i < 50000 && !(rude && torn); i++) {
		int r = f->source->ops->query(f->source, PLANE_PRIMARY, &plane);

		if (r == -EBUSY)
			continue;
		assert_int_equal(r, 0);
		seen++;
		torn += plane.width != plane.height || plane.stride != plane.width * 4 ||
			plane.size != (uint64_t)plane.width * plane.width * 4;
	}
	atomic_store(&producer.stop, true);
	pthread_join(thread, NULL);
	*ret_seen = seen;
	return torn;
}

static void test_torn(void **state)
{
	struct fixture *f = *state;
	unsigned int seen;

	f->head->planes[0].width = f->head->planes[0].height = 1;
	f->head->planes[0].stride = f->head->planes[0].size = 4;
	assert_int_equal(race(f, false, &seen), 0);
	assert_true(seen > 0);
	if (race(f, true, &seen) == 0)
		print_message("a producer without the counter was never caught: weak run\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_honest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drawn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_never_rests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_torn, setup, teardown),
		cmocka_unit_test(test_no_surface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
