/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Captures over scripted drivers. A memfd stands in for dma-bufs and regions; mmap() is wrapped to refuse what drivers refuse. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <drm_fourcc.h>

#include "base/limits.h"
#include "base/mem.h"
#include "capture/capture.h"
#include "capture/detile.h"
#include "fake-driver.h"
#include "vfio-displayd/surface.h"
#include "skip.h"

/* What the wrapped mmap() refuses: more bytes than this of a file, 0: nothing. */
static size_t mmap_at_most;
static int mmap_error;
static unsigned int mmaps;

void *__real_mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset);

void *__wrap_mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	if (fd >= 0) {
		mmaps++;
		assert_int_equal(prot, PROT_READ);
		assert_int_equal(flags, MAP_SHARED);
		if (mmap_error || (mmap_at_most && length > mmap_at_most)) {
			errno = mmap_error ? mmap_error : EINVAL;
			return MAP_FAILED;
		}
	}
	return __real_mmap(address, length, prot, flags, fd, offset);
}

/* cmocka puts handlers of its own in place before each test: the one of capture_guard() has to be put back. */
static struct sigaction guard_action;

static void restore_guard(void)
{
	assert_int_equal(sigaction(SIGBUS, &guard_action, NULL), 0);
}

struct fixture {
	struct fake_driver driver;
	struct source *source;
	struct capture *capture;
};

static struct fixture *fixture_create(bool region, uint64_t memory)
{
	struct fixture *f = new0(struct fixture);
	const char *reason;

	assert_non_null(f);
	mmap_at_most = 0;
	mmap_error = 0;
	mmaps = 0;
	fake_driver_init(&f->driver);
	f->driver.memory = fake_memory(memory);
	assert_true(f->driver.memory >= 0);
	f->driver.get = fake_get_memory;
	f->driver.region = fake_region_plain;
	f->driver.region_info =
		(struct vfio_region_info){.flags = VFIO_REGION_INFO_FLAG_MMAP, .size = memory};
	if (region)
		f->driver.probe_dmabuf = -EINVAL, f->driver.probe_region = 0;
	assert_int_equal(
		source_vfio_create_over(&f->driver.ops, dup(f->driver.memory), &f->source), 0);
	assert_int_equal(f->source->ops->probe(f->source, &reason), 0);
	assert_int_equal(capture_create(f->source, &f->capture), 0);
	return f;
}

static void fixture_destroy(struct fixture *f)
{
	capture_destroy(f->capture);
	source_destroy(f->source);
	close(f->driver.memory);
	free(f);
}

/* One look as a display makes it; the view stays open on success. */
static int look(struct fixture *f, enum plane_type type, struct view *ret)
{
	struct plane plane;
	int r = f->source->ops->query(f->source, type, &plane);

	if (r < 0)
		return r;
	if (!plane_is_on(&plane)) {
		capture_forget(f->capture);
		return -ENODATA;
	}
	return capture_begin(f->capture, &plane, ret);
}

/* Reads every byte that the view promises; under AddressSanitizer and at the end of a mapping one byte more is fatal. */
static int read_all(void *arg)
{
	const struct view *view = arg;
	unsigned int sum = 0;
	uint32_t row[LIMIT_WIDTH];

	for (uint32_t y = 0; y < view->rows_readable; y++) {
		const uint8_t *src = view->pixels + (size_t)y * view->stride;

		view->convert(row, src, view->width);
		for (size_t x = 0; x < (size_t)view->width * view->bytes; x++)
			sum += ((const volatile uint8_t *)src)[x];
	}
	return (int)(sum & 1);
}

static void look_and_read(struct fixture *f, enum plane_type type)
{
	struct view view;

	assert_int_equal(look(f, type, &view), 0);
	assert_true(capture_guard(read_all, &view) >= 0);
	capture_end(f->capture);
}

static void test_dmabuf(void **state)
{
	struct fixture *f = fixture_create(false, 640 * 480 * 4);
	struct view view;

	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 640, 480, 7);
	assert_int_equal(look(f, PLANE_PRIMARY, &view), 0);
	assert_int_equal(view.width, 640);
	assert_int_equal(view.rows_readable, 480);
	assert_int_equal(view.bytes, 4);
	assert_int_equal(view.pixels[4 * 250], 250);
	assert_int_equal(look(f, PLANE_PRIMARY, &view), -EBUSY);
	capture_end(f->capture);
	look_and_read(f, PLANE_PRIMARY);
	assert_int_equal(f->driver.gets, 1);
	assert_int_equal(mmaps, 1);
	capture_forget(f->capture);
	assert_int_equal(capture_buffers_open(f->capture), 0);
	look_and_read(f, PLANE_PRIMARY);
	assert_int_equal(f->driver.gets, 2);
	assert_int_equal(mmaps, 2);
	assert_int_equal(capture_buffers_open(f->capture), 1);
	fixture_destroy(f);
}

/* The one used longest ago goes; a number that comes back later may be another buffer. */
static void s06_reuse(void **state)
{
	struct fixture *f = fixture_create(false, 64 * 64 * 4);
	int first = f->driver.memory, second = fake_memory(128 * 128 * 4 + 4096);
	uint32_t mark = 0x12345678;
	struct view view;

	assert_int_equal(pwrite(second, &mark, 4, 0), 4);
	for (uint32_t id = 1; id <= LIMIT_DMABUFS; id++) {
		fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 64, 64, id);
		look_and_read(f, PLANE_PRIMARY);
	}
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 64, 64, 1); /* now 2 is the oldest */
	look_and_read(f, PLANE_PRIMARY);
	assert_int_equal(f->driver.gets, LIMIT_DMABUFS);
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 64, 64, 99);
	look_and_read(f, PLANE_PRIMARY);
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 64, 64, 1);
	look_and_read(f, PLANE_PRIMARY);
	assert_int_equal(f->driver.gets, LIMIT_DMABUFS + 1);
	f->driver.memory = second;
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 128, 128, 2);
	assert_int_equal(look(f, PLANE_PRIMARY, &view), 0);
	assert_int_equal(f->driver.gets, LIMIT_DMABUFS + 2);
	assert_memory_equal(view.pixels, &mark, 4);
	assert_int_equal(view.rows_readable, 128);
	assert_int_equal(capture_guard(read_all, &view) >= 0, 1);
	capture_end(f->capture);
	close(first);
	fixture_destroy(f);
}

static void s06_unmappable(void **state)
{
	const int errors[] = {ENODEV, EINVAL, EACCES};
	struct view view;

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct fixture *f = fixture_create(false, 64 * 64 * 4);
		unsigned int fds = fake_count_fds();

		mmap_error = errors[i];
		for (uint32_t look_number = 0; look_number < 300; look_number++) {
			fake_driver_show(
				&f->driver, VFIO_PLANE_PRIMARY, 64, 64, 1 + look_number % 3);
			assert_int_equal(look(f, PLANE_PRIMARY, &view), -ENODEV);
			assert_non_null(strstr(capture_reason(f->capture), "cannot be mapped"));
		}
		assert_int_equal(f->driver.gets, 3);
		/* Open they stay: then their ids are theirs. */
		assert_int_equal(fake_count_fds(), fds + 3);
		fixture_destroy(f);
	}
}

/* Trouble that passes condemns nothing. */
static void s07_passing(void **state)
{
	const int errors[] = {-EMFILE, -ENOMEM, -EIO};
	struct fixture *f = fixture_create(false, 64 * 64 * 4);
	struct view view;

	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 64, 64, 1);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		f->driver.get_error = errors[i];
		assert_int_equal(look(f, PLANE_PRIMARY, &view), errors[i]);
	}
	f->driver.get_error = 0;
	mmap_error = ENOMEM;
	assert_int_equal(look(f, PLANE_PRIMARY, &view), -ENOMEM);
	mmap_error = 0;
	look_and_read(f, PLANE_PRIMARY);
	assert_int_equal(f->driver.gets, ARRAY_SIZE(errors) + 1);
	fixture_destroy(f);
}

static void s07_stale(void **state)
{
	const int errors[] = {-ENOENT, -EINVAL};
	struct view view;

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct fixture *f = fixture_create(false, 64 * 64 * 4);

		f->driver.get_error = errors[i];
		fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 64, 64, 1);
		assert_int_equal(look(f, PLANE_PRIMARY, &view), -ESTALE);
		fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 64, 64, 2);
		assert_int_equal(look(f, PLANE_PRIMARY, &view), -ESTALE);
		f->driver.get_error = 0;
		look_and_read(f, PLANE_PRIMARY);
		/* An id that is named and refused again and again must not spin. */
		f->driver.get_error = errors[i];
		fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 64, 64, 3);
		assert_int_equal(look(f, PLANE_PRIMARY, &view), -ESTALE);
		assert_int_equal(look(f, PLANE_PRIMARY, &view), -ESTALE);
		assert_int_equal(look(f, PLANE_PRIMARY, &view), -ENODEV);
		assert_int_equal(look(f, PLANE_PRIMARY, &view), -ENODEV);
		f->driver.get_error = 0;
		look_and_read(f, PLANE_PRIMARY);
		fixture_destroy(f);
	}
}

/* 800x600: 468.75 pages, of which 468 can be mapped (as mbochs and the dma-buf core have it). */
static void s11_partial_page(void **state)
{
	struct fixture *f = fixture_create(false, 800 * 600 * 4);
	struct view view;

	mmap_at_most = 468 * 4096;
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 800, 600, 1);
	assert_int_equal(look(f, PLANE_PRIMARY, &view), 0);
	assert_int_equal(view.height, 600);
	assert_int_equal(view.rows_readable, 468 * 4096 / 3200);
	assert_true(capture_guard(read_all, &view) >= 0);
	capture_end(f->capture);
	fixture_destroy(f);
}

static void s10_too_small(void **state)
{
	struct fixture *f = fixture_create(false, 64 * 64 * 4);
	struct view view;

	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 64, 65, 1);
	assert_int_equal(look(f, PLANE_PRIMARY, &view), -ENODEV);
	assert_non_null(strstr(capture_reason(f->capture), "smaller than its plane"));
	assert_int_equal(look(f, PLANE_PRIMARY, &view), -ENODEV);
	assert_int_equal(f->driver.gets, 1);
	assert_int_equal(mmaps, 0);
	/* The id was not at fault. */
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 64, 32, 1);
	look_and_read(f, PLANE_PRIMARY);
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 64, 64, 1);
	look_and_read(f, PLANE_PRIMARY);
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 64, 65, 1);
	assert_int_equal(look(f, PLANE_PRIMARY, &view), -ENODEV);
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 64, 64, 1);
	look_and_read(f, PLANE_PRIMARY);
	assert_int_equal(f->driver.gets, 1);
	/* Less than one page, and one page for rows that are longer. */
	f->driver.memory = fake_memory(1024);
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 16, 16, 2);
	assert_int_equal(look(f, PLANE_PRIMARY, &view), -ENODEV);
	f->driver.memory = fake_memory(6000);
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 1500, 1, 3);
	assert_int_equal(look(f, PLANE_PRIMARY, &view), -ENODEV);
	fixture_destroy(f);
}

static int read_tiles(void *arg)
{
	const struct view *view = arg;
	static uint32_t picture[64 * 40];

	detile_picture(view, picture, view->width * 4);
	/* Fourth row, second column of words: byte 512 + 48, and four bytes have one number. */
	assert_int_equal(picture[3 * view->width + 4], 140 * 0x010101);
	return 0;
}

/* The last row of tiles has more rows than the picture. */
static void test_tiled(void **state)
{
	struct fixture *f = fixture_create(false, 16384);
	struct vfio_device_gfx_plane_info *info = &f->driver.planes[VFIO_PLANE_PRIMARY];
	struct view view;

	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 64, 40, 1);
	info->drm_format_mod = I915_FORMAT_MOD_Y_TILED;
	info->size = 16384;
	assert_int_equal(look(f, PLANE_PRIMARY, &view), 0);
	assert_non_null(view.tiling);
	assert_int_equal(view.rows_readable, 40);
	assert_int_equal(capture_guard(read_tiles, &view), 0);
	capture_end(f->capture);
	info->drm_format_mod = I915_FORMAT_MOD_Yf_TILED;
	look_and_read(f, PLANE_PRIMARY);
	/* The same id, and one more row than there are tiles. */
	info->height = 65;
	info->size = 3 * 8192;
	assert_int_equal(look(f, PLANE_PRIMARY, &view), -ENODEV);
	info->drm_format_mod = 0;
	info->height = 64;
	assert_int_equal(look(f, PLANE_PRIMARY, &view), 0);
	assert_null(view.tiling);
	capture_end(f->capture);
	fixture_destroy(f);
}

static void s10_hostile_geometry(void **state)
{
	struct fixture *f = fixture_create(false, 64 * 64 * 4);
	struct vfio_device_gfx_plane_info *info = &f->driver.planes[VFIO_PLANE_PRIMARY];
	struct view view;

#define EXPECT_REFUSED(...) \
	do { \
		fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 64, 64, 1); \
		__VA_ARGS__; \
		assert_int_equal(look(f, PLANE_PRIMARY, &view), -ENOTSUP); \
		assert_true(capture_reason(f->capture)[0]); \
	} while (0)
	EXPECT_REFUSED(info->stride = 64 * 4 - 1);
	EXPECT_REFUSED(info->stride = UINT32_MAX);
	EXPECT_REFUSED(info->width = 0x40000001);
	EXPECT_REFUSED(info->width = 65536, info->height = 1, info->stride = 65536 * 4);
	EXPECT_REFUSED(info->height = UINT32_MAX, info->size = UINT32_MAX);
	EXPECT_REFUSED(info->size = 1);
	EXPECT_REFUSED(info->drm_format = DRM_FORMAT_NV12);
	EXPECT_REFUSED(info->drm_format_mod = I915_FORMAT_MOD_X_TILED); /* rows of half a tile */
	EXPECT_REFUSED(info->drm_format_mod = I915_FORMAT_MOD_Y_TILED, info->size--);
	EXPECT_REFUSED(info->drm_format_mod = I915_FORMAT_MOD_Y_TILED, info->height = 65,
		info->size += 256);
	assert_int_equal(f->driver.gets, 0);
	EXPECT_REFUSED(info->drm_format_mod = I915_FORMAT_MOD_Y_TILED_CCS); /* for a GPU */
#undef EXPECT_REFUSED
	/* The last row may end where its pixels end. */
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 32, 64, 1);
	info->stride = 256;
	info->size = 63 * 256 + 128;
	look_and_read(f, PLANE_PRIMARY);
	fixture_destroy(f);
}

static void s09_region(void **state)
{
	struct fixture *f = fixture_create(true, 16 << 20);
	struct view view;

	/* NVIDIA: 16 MiB are claimed, what is behind the picture cannot be mapped. */
	mmap_at_most = 640 * 480 * 4;
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 640, 480, 9);
	look_and_read(f, PLANE_PRIMARY);
	look_and_read(f, PLANE_PRIMARY);
	assert_int_equal(mmaps, 1);
	assert_int_equal(f->driver.regions, 1);
	/* Off and on again, another stride, another index: mapped anew. */
	capture_forget(f->capture);
	look_and_read(f, PLANE_PRIMARY);
	assert_int_equal(mmaps, 2);
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 320, 240, 9);
	f->driver.planes[VFIO_PLANE_PRIMARY].stride = 320 * 4;
	look_and_read(f, PLANE_PRIMARY);
	f->driver.planes[VFIO_PLANE_PRIMARY].stride = 321 * 4;
	f->driver.planes[VFIO_PLANE_PRIMARY].size = 321 * 240 * 4;
	look_and_read(f, PLANE_PRIMARY);
	f->driver.planes[VFIO_PLANE_PRIMARY].region_index = 16;
	look_and_read(f, PLANE_PRIMARY);
	assert_int_equal(mmaps, 5);
	/* Not allocated yet: passes. */
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 800, 600, 9);
	assert_int_equal(look(f, PLANE_PRIMARY, &view), -EIO);
	mmap_at_most = 0;
	look_and_read(f, PLANE_PRIMARY);
	assert_int_equal(capture_buffers_open(f->capture), 0);
	fixture_destroy(f);
}

static void s09_region_refused(void **state)
{
	struct fixture *f = fixture_create(true, 640 * 480 * 4);
	struct view view;

	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 640, 481, 9);
	assert_int_equal(look(f, PLANE_PRIMARY, &view), -ENODEV);
	assert_non_null(strstr(capture_reason(f->capture), "beyond its memory"));
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 640, 480, 9);
	f->driver.region_info.flags = VFIO_REGION_INFO_FLAG_READ;
	assert_int_equal(look(f, PLANE_PRIMARY, &view), -ENODEV);
	assert_int_equal(mmaps, 0);
	f->driver.region_info.flags = VFIO_REGION_INFO_FLAG_MMAP;
	look_and_read(f, PLANE_PRIMARY);
	fixture_destroy(f);
}

/* The thread sanitizer runs a handler with its signal blocked, whatever SA_NODEFER says: the second fault would be deadly. */
static void faults_needed(void)
{
#ifdef __SANITIZE_THREAD__
	skip_because("the thread sanitizer runs a handler with its signal blocked");
#endif
}

static void s12_sigbus(void **state)
{
	struct fixture *f = fixture_create(false, 640 * 480 * 4);
	struct view view;

	faults_needed();
	restore_guard();
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 640, 480, 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(look(f, PLANE_PRIMARY, &view), 0);
		assert_int_equal(ftruncate(f->driver.memory, 8192), 0);
		assert_int_equal(capture_guard(read_all, &view), -EFAULT);
		capture_end(f->capture);
		assert_int_equal(ftruncate(f->driver.memory, 640 * 480 * 4), 0);
		look_and_read(f, PLANE_PRIMARY);
	}
	fixture_destroy(f);
}

static int fault(void *arg)
{
	return *(volatile uint8_t *)arg;
}

static int negative(void *arg)
{
	return -EAGAIN;
}

static int nested(void *arg)
{
	if (capture_guard(fault, arg) != -EFAULT || capture_guard(negative, NULL) != -EAGAIN)
		return 1;
	return fault(arg);
}

/* A page behind the end of a file. */
static uint8_t *bad_page(void)
{
	int fd = memfd_create("empty", MFD_CLOEXEC);
	void *page = __real_mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	assert_true(page != MAP_FAILED);
	close(fd);
	return page;
}

static void *guarded_thread(void *arg)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	for (int i = 0; i < 1000; i++)
		if (capture_guard(fault, arg) != -EFAULT)
			return arg;
	return NULL;
}

static void test_guard(void **state)
{
	uint8_t *page = bad_page();
	pthread_t threads[4];
	void *wrong;

	faults_needed();
	restore_guard();
	assert_int_equal(capture_guard(fault, page), -EFAULT);
	assert_int_equal(capture_guard(nested, page), -EFAULT);
	assert_int_equal(capture_guard(negative, NULL), -EAGAIN);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, guarded_thread, page), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	munmap(page, 4096);
}

static int killed(void *arg)
{
	raise(SIGBUS);
	return 0;
}

/* In a child: what no guard awaits ends the process as if there were no handler. Returns the signal that did. */
static int signal_of(int (*fn)(void *arg), void *arg, bool guarded)
{
	const struct rlimit no_core = {0};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		alarm(20);
		_exit(guarded ? capture_guard(fn, arg) : fn(arg));
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void test_unguarded(void **state)
{
	uint8_t *page = bad_page();

	restore_guard();
	assert_int_equal(signal_of(fault, page, false), SIGBUS);
	assert_int_equal(signal_of(killed, NULL, false), SIGBUS);
	assert_int_equal(signal_of(killed, NULL, true), SIGBUS);
	assert_int_equal(signal_of(fault, page, true), 0);
	munmap(page, 4096);
}

static void put_plane(int fd, unsigned int index, uint64_t start, uint32_t side)
{
	struct vfio_displayd_surface_plane plane = {.start = start,
		.format = index ? DRM_FORMAT_ARGB8888 : DRM_FORMAT_XRGB8888,
		.width = side,
		.height = side,
		.stride = side * 4,
		.size = (uint64_t)side * side * 4};
	off_t at = (off_t)(offsetof(struct vfio_displayd_surface, planes) + index * sizeof(plane));

	assert_int_equal(pwrite(fd, &plane, sizeof(plane), at), sizeof(plane));
}

static void test_surface(void **state)
{
	struct vfio_displayd_surface head = {
		.magic = VFIO_DISPLAYD_SURFACE_MAGIC, .version = VFIO_DISPLAYD_SURFACE_VERSION};
	struct fixture *f = new0(struct fixture);
	int fd = fake_memory(64 << 10);
	struct view view;

	mmap_at_most = 0;
	mmaps = 0;
	assert_int_equal(pwrite(fd, &head, sizeof(head), 0), sizeof(head));
	put_plane(fd, 0, 5000, 64); /* no page begins at 5000 */
	put_plane(fd, 1, 40000, 16);
	assert_int_equal(source_surface_create(dup(fd), &f->source), 0);
	assert_int_equal(capture_create(f->source, &f->capture), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(look(f, PLANE_PRIMARY, &view), 0);
		assert_int_equal(view.pixels[0], 5000 / 4 % 251);
		assert_true(capture_guard(read_all, &view) >= 0);
		capture_end(f->capture);
		assert_int_equal(look(f, PLANE_CURSOR, &view), 0);
		assert_int_equal(view.pixels[0], 40000 / 4 % 251);
		assert_int_equal(view.width, 16);
		capture_end(f->capture);
	}
	assert_int_equal(mmaps, 2);
	put_plane(fd, 0, (64 << 10) - 64 * 64 * 4, 64); /* to the last byte */
	look_and_read(f, PLANE_PRIMARY);
	put_plane(fd, 0, (64 << 10) - 64 * 64 * 4 + 1, 64);
	assert_int_equal(look(f, PLANE_PRIMARY, &view), -ENODEV);
	put_plane(fd, 0, INT64_MAX - 64 * 64 * 4, 64);
	assert_int_equal(look(f, PLANE_PRIMARY, &view), -ENODEV);
	put_plane(fd, 0, 0, 64);
	assert_int_equal(look(f, PLANE_PRIMARY, &view), -ENODEV);
	capture_destroy(f->capture);
	source_destroy(f->source);
	close(fd);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unguarded),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_dmabuf),
		cmocka_unit_test(s06_reuse),
		cmocka_unit_test(s06_unmappable),
		cmocka_unit_test(s07_passing),
		cmocka_unit_test(s07_stale),
		cmocka_unit_test(s11_partial_page),
		cmocka_unit_test(s10_too_small),
		cmocka_unit_test(test_tiled),
		cmocka_unit_test(s10_hostile_geometry),
		cmocka_unit_test(s09_region),
		cmocka_unit_test(s09_region_refused),
		cmocka_unit_test(s12_sigbus),
		cmocka_unit_test(test_surface),
	};

	signal(SIGBUS, SIG_DFL);
	capture_guard(negative, NULL);
	sigaction(SIGBUS, NULL, &guard_action);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
