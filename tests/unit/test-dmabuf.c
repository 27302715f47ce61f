/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which dma-bufs are open, for how long, and how often they are asked for: captures over scripted drivers whose dma-bufs are
 * memfds. Which driver the kernel says they come from is wrapped. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "capture/capture.h"
#include "capture/dmabuf.h"
#include "capture/exporter.h"
#include "fake-driver.h"

#define SIDE  64u
#define BYTES (SIDE * SIDE * 4)

/* NULL: what the kernel says. */
static const char *exporter;
static unsigned int names_asked;

int __real_exporter_name(int fd, char ret[EXPORTER_NAME_BYTES]);
int __wrap_exporter_name(int fd, char ret[EXPORTER_NAME_BYTES]);

int __wrap_exporter_name(int fd, char ret[EXPORTER_NAME_BYTES])
{
	names_asked++;
	if (!exporter)
		return __real_exporter_name(fd, ret);
	snprintf(ret, EXPORTER_NAME_BYTES, "%s", exporter);
	return 0;
}

struct fixture {
	struct fake_driver driver;
	struct source *source;
	struct capture *capture;
	unsigned int fds; /* before the first look */
};

static struct fixture *fixture_create(const char *name)
{
	struct fixture *f = new0(struct fixture);
	const char *reason;

	assert_non_null(f);
	exporter = name;
	names_asked = 0;
	fake_driver_init(&f->driver);
	f->driver.memory = fake_memory(BYTES);
	assert_true(f->driver.memory >= 0);
	f->driver.get = fake_get_memory;
	assert_int_equal(source_vfio_create_over(&f->driver.ops, -EBADF, &f->source), 0);
	assert_int_equal(f->source->ops->probe(f->source, &reason), 0);
	assert_int_equal(capture_create(f->source, &f->capture), 0);
	f->fds = fake_count_fds();
	return f;
}

static void fixture_destroy(struct fixture *f)
{
	capture_destroy(f->capture);
	assert_int_equal(fake_count_fds(), f->fds);
	source_destroy(f->source);
	close(f->driver.memory);
	free(f);
}

/* Fds that the capture has open, as the kernel counts them. */
static unsigned int opened(const struct fixture *f)
{
	unsigned int n = fake_count_fds() - f->fds;

	assert_int_equal(capture_buffers_open(f->capture), n);
	return n;
}

/* How many mappings of dma-bufs there are. */
static unsigned int mapped(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	unsigned int n = 0;
	char line[512];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		n += strstr(line, "/memfd:fake") != NULL;
	fclose(file);
	return n;
}

/* One look, as a display makes it: 0, or what capture_begin() says; -ENODATA: off. *ret_pixel: the picture's first 4 bytes. */
static int look(struct fixture *f, enum plane_type type, uint32_t *ret_pixel)
{
	struct plane plane;
	struct view view;
	int r = f->source->ops->query(f->source, type, &plane);

	if (r < 0)
		return r;
	if (!plane_is_on(&plane)) {
		if (type == PLANE_PRIMARY)
			capture_forget(f->capture);
		return -ENODATA;
	}
	r = capture_begin(f->capture, &plane, &view);
	if (r < 0)
		return r;
	assert_int_equal(view.rows_readable, plane.height);
	memcpy(ret_pixel, view.pixels, sizeof(*ret_pixel));
	capture_end(f->capture);
	return 0;
}

static int show(struct fixture *f, uint32_t side, uint32_t id)
{
	uint32_t pixel;

	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, side, side, id);
	return look(f, PLANE_PRIMARY, &pixel);
}

static int show_cursor(struct fixture *f, uint32_t id)
{
	uint32_t pixel;

	fake_driver_show(&f->driver, VFIO_PLANE_CURSOR, SIDE, SIDE, id);
	return look(f, PLANE_CURSOR, &pixel);
}

static void switch_off(struct fixture *f)
{
	uint32_t pixel;

	memset(f->driver.planes, 0, sizeof(f->driver.planes));
	assert_int_equal(look(f, PLANE_PRIMARY, &pixel), -ENODATA);
}

/* A driver's memory that begins with @mark, in place of the one before. */
static void new_memory(struct fixture *f, uint64_t size, uint32_t mark)
{
	close(f->driver.memory);
	f->driver.memory = fake_memory(size);
	assert_int_equal(pwrite(f->driver.memory, &mark, 4, 0), 4);
	f->fds = fake_count_fds() - capture_buffers_open(f->capture);
}

static void s05_million_flips(void **state)
{
	struct fixture *f = fixture_create(NULL);
	uint32_t pixel;

	fake_driver_show(&f->driver, VFIO_PLANE_CURSOR, SIDE, SIDE, 100);
	for (uint32_t i = 0; i < 1000000; i++) {
		fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, SIDE, SIDE, 1 + i % 3);
		assert_int_equal(look(f, PLANE_PRIMARY, &pixel), 0);
		if (i % 5 == 0)
			assert_int_equal(look(f, PLANE_CURSOR, &pixel), 0);
		if (i % 100000 == 99999)
			assert_int_equal(opened(f), 4);
	}
	assert_int_equal(f->driver.gets, 4);
	assert_int_equal(names_asked, 4);
	fixture_destroy(f);
}

/* More ids than are kept: each is asked for once while it is open, the one used longest ago goes, none leaks. */
static void s05_many_ids(void **state)
{
	struct fixture *f = fixture_create(NULL);

	for (uint32_t i = 0; i < 10000; i++) {
		assert_int_equal(show(f, SIDE, 100 + i), 0);
		assert_int_equal(show(f, SIDE, 100 + i - i % 2), 0);
	}
	assert_int_equal(f->driver.gets, 10000);
	assert_int_equal(opened(f), LIMIT_DMABUFS);
	fixture_destroy(f);
}

static void s05_modes(void **state)
{
	struct fixture *f = fixture_create(NULL);

	for (uint32_t id = 1; id <= 3; id++)
		assert_int_equal(show(f, SIDE, id), 0);
	assert_int_equal(show_cursor(f, 9), 0);
	assert_int_equal(opened(f), 4);
	/* Another mode: the buffers of the one before may be anything by now. */
	assert_int_equal(show(f, SIDE / 2, 4), 0);
	assert_int_equal(opened(f), 2);
	assert_int_equal(show(f, SIDE / 2, 5), 0);
	assert_int_equal(show_cursor(f, 9), 0);
	assert_int_equal(opened(f), 3);
	assert_int_equal(f->driver.gets, 6);
	/* The same id in another mode: as long as its fd is open it is the same buffer. */
	assert_int_equal(show(f, SIDE, 5), 0);
	assert_int_equal(f->driver.gets, 6);
	assert_int_equal(opened(f), 2);
	assert_int_equal(mapped(), 2);
	switch_off(f);
	assert_int_equal(opened(f), 0);
	assert_int_equal(mapped(), 0);
	fixture_destroy(f);
}

static void s06_id_comes_back(void **state)
{
	struct fixture *f = fixture_create(NULL);
	uint32_t pixel;

	new_memory(f, BYTES, 0x11111111);
	assert_int_equal(show(f, SIDE, 7), 0);
	switch_off(f);
	new_memory(f, 4 * BYTES, 0x22222222);
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 2 * SIDE, 2 * SIDE, 7);
	assert_int_equal(look(f, PLANE_PRIMARY, &pixel), 0);
	assert_int_equal(pixel, 0x22222222);
	assert_int_equal(f->driver.gets, 2);
	/* The number of one that was pushed out. */
	for (uint32_t id = 20; id < 20 + LIMIT_DMABUFS; id++)
		assert_int_equal(show(f, SIDE, id), 0);
	new_memory(f, 4 * BYTES, 0x33333333);
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 2 * SIDE, 2 * SIDE, 7);
	assert_int_equal(look(f, PLANE_PRIMARY, &pixel), 0);
	assert_int_equal(pixel, 0x33333333);
	fixture_destroy(f);
}

/* A dma-buf that cannot be mapped: mmap() says EACCES. */
static int get_write_only(struct fake_driver *driver, uint32_t id)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", driver->memory);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* What is known of an id ends with the buffer that had it. */
static void s06_verdict_ends(void **state)
{
	struct fixture *f = fixture_create(NULL);

	f->driver.get = get_write_only;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(show(f, SIDE, 7), -ENODEV);
		assert_non_null(strstr(capture_reason(f->capture), "cannot be mapped"));
	}
	assert_int_equal(f->driver.gets, 1);
	assert_int_equal(opened(f), 1);
	switch_off(f);
	assert_int_equal(opened(f), 0);
	f->driver.get = fake_get_memory;
	assert_int_equal(show(f, SIDE, 7), 0);
	assert_int_equal(f->driver.gets, 2);
	fixture_destroy(f);
}

static void s07_get_fails(void **state)
{
	/* @settles: how it ends when the driver says the same for ever. */
	const struct {
		int driver, expected, settles;
	} cases[] = {
		{-ENOENT, -ESTALE, -ENODEV}, {-EINVAL, -ESTALE, -ENODEV},
		{-ENOMEM, -ENOMEM, -ENOMEM}, {-EMFILE, -EMFILE, -EMFILE},
		{-ENOSPC, -ENOSPC, -ENOSPC}, {-EFAULT, -EFAULT, -EFAULT}, {-EIO, -EIO, -EIO},
		{-ETIMEDOUT, -ETIMEDOUT, -ETIMEDOUT},
		{-EAGAIN, -EIO, -EIO}, /* means something else to who looks */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture *f = fixture_create(NULL);

		f->driver.get_error = cases[i].driver;
		assert_int_equal(show(f, SIDE, 7), cases[i].expected);
		assert_true(capture_reason(f->capture)[0]);
		f->driver.get_error = 0;
		assert_int_equal(show(f, SIDE, 7), 0);
		f->driver.get_error = cases[i].driver;
		for (int n = 0; n < 5; n++)
			show(f, SIDE, 8);
		assert_int_equal(show(f, SIDE, 8), cases[i].settles);
		/* And what was open still is. */
		assert_int_equal(show(f, SIDE, 7), 0);
		assert_int_equal(opened(f), 1);
		f->driver.get_error = 0;
		assert_int_equal(show(f, SIDE, 8), 0);
		fixture_destroy(f);
	}
}

/* NVIDIA logs each ioctl that it does not have. */
static void s07_no_get(void **state)
{
	struct fixture *f = fixture_create(NULL);

	f->driver.get = NULL;
	for (uint32_t id = 1; id < 20; id++)
		assert_int_equal(show(f, SIDE, id), -ENODEV);
	assert_int_equal(f->driver.gets, 1);
	assert_non_null(strstr(capture_reason(f->capture), "no dma-bufs"));
	fixture_destroy(f);
}

static void s07_query_fails(void **state)
{
	const struct {
		int driver, expected;
	} cases[] = {
		{-EINVAL, -EINVAL}, {-EFAULT, -EFAULT}, {-EIO, -EIO}, {-ETIMEDOUT, -ETIMEDOUT},
		{-ENOSPC, -ENOSPC}, {-ENOTTY, -ENOTTY}, {-EBADF, -EBADF},
		{-ENOMEM, 0}, /* mbochs, at the first query of a mode */
		{-EINTR, 0}, {-EAGAIN, -EBUSY}, {-ENODEV, -ENODATA}, /* off */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture *f = fixture_create(NULL);

		assert_int_equal(show(f, SIDE, 7), 0);
		f->driver.query_errors[0] = cases[i].driver;
		assert_int_equal(show(f, SIDE, 7), cases[i].expected);
		/* Trouble is no reason to let go of anything. */
		assert_int_equal(opened(f), cases[i].expected != -ENODATA);
		assert_int_equal(show(f, SIDE, 7), 0);
		assert_false(f->driver.dirty);
		fixture_destroy(f);
	}
}

/* 800x600: 468.75 pages, of which the dma-buf core maps 468. */
static void s11_partial_page(void **state)
{
	struct fixture *f = fixture_create(NULL);
	struct plane plane;
	struct view view;

	new_memory(f, 800 * 600 * 4, 0);
	fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, 800, 600, 7);
	assert_int_equal(f->source->ops->query(f->source, PLANE_PRIMARY, &plane), 0);
	assert_int_equal(capture_begin(f->capture, &plane, &view), 0);
	assert_int_equal(view.rows_readable, 468 * 4096 / 3200);
	capture_end(f->capture);
	fixture_destroy(f);
}

/* mbochs: one GET for each id, whatever happens in between. */
static void s05_mbochs_asked_once(void **state)
{
	const char *names[] = {"mbochs", "mbochs_rw"};

	for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
		struct fixture *f = fixture_create(names[n]);
		const unsigned int ids = 3 * LIMIT_DMABUFS;

		for (uint32_t i = 0; i < 20000; i++) {
			assert_int_equal(show(f, i % 64 < 32 ? SIDE : SIDE / 2, 1 + i % ids), 0);
			if (i % 1000 == 999)
				switch_off(f);
		}
		assert_int_equal(f->driver.gets, ids);
		assert_int_equal(opened(f), ids);
		assert_true(mapped() <= LIMIT_DMABUFS);
		switch_off(f);
		assert_int_equal(opened(f), ids);
		assert_int_equal(mapped(), 0);
		fixture_destroy(f);
	}
}

static void s05_mbochs_unmappable(void **state)
{
	struct fixture *f = fixture_create("mbochs");
	const unsigned int ids = 3 * LIMIT_DMABUFS;

	f->driver.get = get_write_only;
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(show(f, SIDE, 1 + i % ids), -ENODEV);
		assert_non_null(strstr(capture_reason(f->capture), "cannot be mapped"));
		if (i % 100 == 99)
			switch_off(f);
	}
	assert_int_equal(f->driver.gets, ids);
	fixture_destroy(f);
}

static void s05_mbochs_cap(void **state)
{
	struct fixture *f = fixture_create("mbochs");

	for (uint32_t id = 1; id <= LIMIT_DMABUFS_KEPT; id++)
		assert_int_equal(show(f, SIDE, id), 0);
	for (uint32_t id = 1000; id < 1100; id++) {
		assert_int_equal(show(f, SIDE, id), -ENODEV);
		assert_non_null(strstr(capture_reason(f->capture), "more buffers"));
	}
	assert_int_equal(f->driver.gets, LIMIT_DMABUFS_KEPT);
	assert_int_equal(opened(f), LIMIT_DMABUFS_KEPT);
	for (uint32_t id = 1; id <= LIMIT_DMABUFS_KEPT; id++)
		assert_int_equal(show(f, SIDE, id), 0);
	switch_off(f);
	for (uint32_t id = LIMIT_DMABUFS_KEPT; id > 0; id--)
		assert_int_equal(show(f, SIDE, id), 0);
	assert_int_equal(f->driver.gets, LIMIT_DMABUFS_KEPT);
	fixture_destroy(f);
}

static void test_others_are_not_kept(void **state)
{
	const char *names[] = {"i915", "drm", "", "udmabuf", "xmbochs"};

	for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
		struct fixture *f = fixture_create(names[n]);

		for (uint32_t id = 1; id <= 20; id++)
			assert_int_equal(show(f, SIDE, id), 0);
		assert_int_equal(opened(f), LIMIT_DMABUFS);
		switch_off(f);
		assert_int_equal(opened(f), 0);
		fixture_destroy(f);
	}
}

static unsigned int closing_mask;

static void on_closing(void *arg, unsigned int index)
{
	closing_mask |= 1u << index;
}

/* Who holds a copy of an fd hears when to let go: before it is closed, and before it is only kept. */
static void test_closing(void **state)
{
	const char *names[] = {"i915", "mbochs"};

	for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
		struct fixture *f = fixture_create(names[n]);
		struct dmabuf_cache cache;
		struct dmabuf *dmabuf;
		struct plane plane;
		const char *reason;

		dmabuf_cache_init(&cache, f->source);
		cache.closing = on_closing;
		closing_mask = 0;
		for (uint32_t id = 1; id <= 2; id++) {
			fake_driver_show(&f->driver, VFIO_PLANE_PRIMARY, SIDE, SIDE, id);
			f->source->ops->query(f->source, PLANE_PRIMARY, &plane);
			assert_int_equal(dmabuf_cache_get(&cache, &plane, &dmabuf, &reason), 0);
			assert_int_equal(dmabuf_cache_index(&cache, dmabuf), id - 1);
		}
		assert_int_equal(closing_mask, 0);
		dmabuf_cache_forget(&cache);
		assert_int_equal(closing_mask, 3);
		closing_mask = 0;
		dmabuf_cache_finish(&cache);
		assert_int_equal(closing_mask, 0);
		fixture_destroy(f);
	}
}

static void test_exporter(void **state)
{
	const struct {
		const char *text, *name;
	} cases[] = {
		{"pos:\t0\nsize:\t4096\ncount:\t2\nexp_name:\tmbochs\n", "mbochs"},
		{"exp_name:\ti915\nname:\tx\nexp_name:\tmbochs\n", "i915"},
		{"exp_name:\tdrm", "drm"},
		{"exp_name:\t\n", ""},
		{"pos:\t0\nname:\texp_name:\tmbochs\n", NULL},
		{"pos:\t0\n", NULL},
		{"exp_name:", NULL},
		{"", NULL},
	};
	char name[EXPORTER_NAME_BYTES], text[200] = "exp_name:\t";
	int fd = fake_memory(4096);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(exporter_parse(cases[i].text, name), cases[i].name ? 0 : -ENOENT);
		if (cases[i].name)
			assert_string_equal(name, cases[i].name);
	}
	memset(text + strlen(text), 'x', 100);
	assert_int_equal(exporter_parse(text, name), -ENAMETOOLONG);
	assert_int_equal(__real_exporter_name(fd, name), -ENOENT);
	close(fd);
	assert_int_equal(__real_exporter_name(fd, name), -ENOENT);
	assert_true(exporter_miscounts("mbochs"));
	assert_false(exporter_miscounts("bochs"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(s05_million_flips),
		cmocka_unit_test(s05_many_ids),
		cmocka_unit_test(s05_modes),
		cmocka_unit_test(s06_id_comes_back),
		cmocka_unit_test(s06_verdict_ends),
		cmocka_unit_test(s07_get_fails),
		cmocka_unit_test(s07_no_get),
		cmocka_unit_test(s07_query_fails),
		cmocka_unit_test(s11_partial_page),
		cmocka_unit_test(s05_mbochs_asked_once),
		cmocka_unit_test(s05_mbochs_unmappable),
		cmocka_unit_test(s05_mbochs_cap),
		cmocka_unit_test(test_others_are_not_kept),
		cmocka_unit_test(test_closing),
		cmocka_unit_test(test_exporter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
