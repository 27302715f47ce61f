/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Formats, what can be shown, and the vfio source over scripted drivers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <drm_fourcc.h>

#include "base/limits.h"
#include "base/mem.h"
#include "fake-driver.h"
#include "plane/format.h"
#include "plane/plane.h"
#include "plane/source.h"

static void test_format(void **state)
{
	char name[16];

	assert_int_equal(format_find(DRM_FORMAT_XRGB8888)->bytes, 4);
	assert_int_equal(format_find(DRM_FORMAT_RGB888)->bytes, 3);
	assert_int_equal(format_find(DRM_FORMAT_RGB565)->bytes, 2);
	assert_null(format_find(DRM_FORMAT_NV12));
	assert_null(format_find(0));
	assert_string_equal(format_name(DRM_FORMAT_XRGB8888, name), "XRGB8888");
	assert_string_equal(format_name(DRM_FORMAT_XBGR16161616F, name), "XBGR16161616F");
	assert_string_equal(format_name(fourcc_code('z', 'Z', '9', '!'), name), "zZ9!");
	assert_string_equal(format_name(DRM_FORMAT_P010, name), "P010");
	assert_string_equal(format_name(0, name), "0x00000000");
	assert_string_equal(format_name(0xffffffff, name), "0xffffffff");
	assert_string_equal(format_name(fourcc_code('a', '\n', 'b', 'c'), name), "0x63620a61");
}

static void test_modifier(void **state)
{
	char name[64];

	assert_string_equal(modifier_name(DRM_FORMAT_MOD_LINEAR, name), "LINEAR");
	assert_string_equal(modifier_name(DRM_FORMAT_MOD_INVALID, name), "INVALID");
	assert_string_equal(modifier_name(I915_FORMAT_MOD_X_TILED, name), "INTEL_X_TILED");
	assert_string_equal(modifier_name(I915_FORMAT_MOD_Yf_TILED, name), "INTEL_Yf_TILED");
	assert_string_equal(modifier_name(5, name), "0x5");
	assert_string_equal(modifier_name(fourcc_mod_code(INTEL, 99), name), "0x100000000000063");
	assert_string_equal(modifier_name(UINT64_MAX, name), "0xffffffffffffffff");
	/* What libdrm makes of it is longer than the room. */
	assert_in_range(
		strlen(modifier_name(DRM_FORMAT_MOD_NVIDIA_BLOCK_LINEAR_2D(1, 3, 3, 255, 5), name)),
		20, 63);
}

static const struct plane good = {
	.kind = PLANE_DMABUF,
	.fourcc = DRM_FORMAT_XRGB8888,
	.width = 640,
	.height = 480,
	.stride = 2560,
	.size = 640 * 480 * 4,
};

#define WITH(...) \
	({ \
		struct plane plane = good; \
		struct plane *p = &plane; \
		__VA_ARGS__; \
		plane_unsuitable(p); \
	})

/* Of a dma-buf there may be a GPU that reads it. */
static void test_needs_gpu(void **state)
{
	static const struct {
		uint64_t modifier;
		uint32_t fourcc;
		bool needs;
	} cases[] = {
		{DRM_FORMAT_MOD_LINEAR, DRM_FORMAT_XRGB8888, false},
		{DRM_FORMAT_MOD_INVALID, DRM_FORMAT_XRGB8888, false},
		{I915_FORMAT_MOD_X_TILED, DRM_FORMAT_XRGB8888, false},
		{I915_FORMAT_MOD_X_TILED, DRM_FORMAT_RGB888, true},
		{I915_FORMAT_MOD_4_TILED, DRM_FORMAT_XRGB8888, true},
		{I915_FORMAT_MOD_Y_TILED_CCS, DRM_FORMAT_XRGB8888, true},
		{0x7full << 56, DRM_FORMAT_XRGB8888, true},
		{I915_FORMAT_MOD_4_TILED, DRM_FORMAT_NV12, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct plane plane = good;

		plane.modifier = cases[i].modifier;
		plane.fourcc = cases[i].fourcc;
		assert_int_equal(plane_needs_gpu(&plane), cases[i].needs);
		if (cases[i].needs)
			assert_null(plane_unsuitable(&plane));
		plane.type = PLANE_CURSOR;
		assert_false(plane_needs_gpu(&plane));
	}
	/* Its own checks are still made. */
	assert_non_null(WITH(p->modifier = I915_FORMAT_MOD_4_TILED, p->stride = 2556));
	assert_non_null(WITH(p->modifier = I915_FORMAT_MOD_4_TILED, p->size--));
}

static void test_unsuitable(void **state)
{
	assert_null(plane_unsuitable(&good));
	assert_null(WITH(p->modifier = DRM_FORMAT_MOD_INVALID));
	assert_null(WITH(p->size = UINT64_MAX));
	assert_null(WITH(p->size = 2560ull * 479 + 640 * 4));
	assert_non_null(WITH(p->size--));
	assert_non_null(WITH(p->stride--));
	assert_null(WITH(p->modifier = I915_FORMAT_MOD_X_TILED));
	assert_non_null(WITH(p->modifier = I915_FORMAT_MOD_X_TILED, p->type = PLANE_CURSOR,
		p->width = p->height = 64));
	assert_non_null(WITH(p->modifier = I915_FORMAT_MOD_X_TILED, p->stride += 128));
	assert_null(
		WITH(p->modifier = I915_FORMAT_MOD_Y_TILED, p->stride += 128, p->size += 61440));
	assert_non_null(WITH(p->modifier = I915_FORMAT_MOD_Y_TILED, p->stride += 64));
	/* The last row of tiles is there as a whole. */
	assert_null(WITH(p->modifier = I915_FORMAT_MOD_X_TILED, p->height--));
	assert_non_null(WITH(p->modifier = I915_FORMAT_MOD_X_TILED, p->height--, p->size--));
	assert_non_null(WITH(p->modifier = I915_FORMAT_MOD_Y_TILED, p->height++, p->size += 2560));
	assert_null(WITH(p->modifier = I915_FORMAT_MOD_Y_TILED, p->height++, p->size += 32 * 2560));
	assert_non_null(WITH(p->modifier = I915_FORMAT_MOD_4_TILED, p->kind = PLANE_SURFACE));
	assert_non_null(WITH(p->modifier = I915_FORMAT_MOD_4_TILED, p->kind = PLANE_REGION));
	assert_non_null(WITH(p->modifier = I915_FORMAT_MOD_4_TILED, p->type = PLANE_CURSOR,
		p->width = p->height = 64));
	assert_non_null(WITH(p->modifier = I915_FORMAT_MOD_X_TILED, p->fourcc = DRM_FORMAT_RGB888,
		p->kind = PLANE_SURFACE));
	assert_null(WITH(p->modifier = I915_FORMAT_MOD_Yf_TILED));
	assert_null(WITH(p->modifier = I915_FORMAT_MOD_Yf_TILED, p->fourcc = DRM_FORMAT_C8,
		p->height = 448));
	assert_non_null(WITH(p->modifier = I915_FORMAT_MOD_Yf_TILED, p->fourcc = DRM_FORMAT_C8,
		p->height = 449));
	/* Half a pair has the bytes of a whole one. */
	assert_null(WITH(p->fourcc = DRM_FORMAT_YUYV, p->width = 639, p->stride = 1280));
	assert_non_null(WITH(p->fourcc = DRM_FORMAT_YUYV, p->width = 639, p->stride = 1278));
	assert_null(WITH(p->fourcc = DRM_FORMAT_YUYV, p->width = 1, p->stride = 4, p->height = 1,
		p->size = 4));
	assert_non_null(WITH(p->fourcc = DRM_FORMAT_YUYV, p->width = 1, p->stride = 4,
		p->height = 1, p->size = 3));
	assert_non_null(WITH(p->fourcc = DRM_FORMAT_NV12));
	assert_non_null(WITH(p->fourcc = 0));
	assert_non_null(WITH(p->width = 0));
	assert_non_null(WITH(p->height = 0));
	assert_non_null(WITH(p->width = 65536, p->height = 1, p->stride = 65536 * 4));
	assert_non_null(WITH(p->width = 1, p->height = 65536, p->size = UINT64_MAX));
	/* 0x40000001 * 4 is 4 in 32 bits. */
	assert_non_null(WITH(p->width = 0x40000001, p->stride = 4, p->size = UINT64_MAX));
	assert_non_null(WITH(p->stride = UINT32_MAX, p->size = UINT64_MAX));
	assert_non_null(WITH(p->offset = UINT64_MAX - 4096));
	assert_non_null(WITH(p->offset = INT64_MAX));
	assert_non_null(WITH(p->type = PLANE_CURSOR));
	assert_null(WITH(p->type = PLANE_CURSOR, p->width = 64, p->height = 64));
}

static void test_same_buffer(void **state)
{
	struct plane a = good, b = good;

	b.x = 5;
	b.hot_x = 7;
	assert_true(plane_same_buffer(&a, &b));
	b.token = 1;
	assert_false(plane_same_buffer(&a, &b));
	a.kind = b.kind = PLANE_SURFACE;
	assert_true(plane_same_buffer(&a, &b));
	b.stride += 4;
	assert_false(plane_same_buffer(&a, &b));
	b = a;
	b.modifier = DRM_FORMAT_MOD_INVALID;
	assert_false(plane_same_buffer(&a, &b));
	b = a;
	b.offset = 4096;
	assert_false(plane_same_buffer(&a, &b));
}

static struct source *source_over(struct fake_driver *driver)
{
	struct source *source;

	fake_driver_init(driver);
	assert_int_equal(source_vfio_create_over(&driver->ops, -EBADF, &source), 0);
	return source;
}

static void s01_probe_matrix(void **state)
{
	const struct {
		int info, dmabuf, region, expected;
		unsigned int probes;
	} cases[] = {
		{0, 0, -EINVAL, 0, 1}, {0, 0, 0, 0, 1}, /* both: dma-bufs are preferred */
		{0, -EINVAL, 0, 0, 2}, {0, -EINVAL, -EINVAL, -ENOTTY, 2},
		{0, -ENOTTY, -ENOTTY, -ENOTTY, 2}, {0, -EIO, 0, -EIO, 1},
		{0, -EINVAL, -EIO, -EIO, 2},
		{-EINVAL, -EINVAL, -EINVAL, -EAGAIN, 0}, /* not bound: not "no display" */
		{-ENOTTY, 0, 0, -ENOTTY, 0},		 /* a container: nothing may follow */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fake_driver driver;
		struct source *source = source_over(&driver);
		const char *reason = NULL;

		driver.info = cases[i].info;
		driver.probe_dmabuf = cases[i].dmabuf;
		driver.probe_region = cases[i].region;
		assert_int_equal(source->ops->probe(source, &reason), cases[i].expected);
		assert_int_equal(driver.probes, cases[i].probes);
		assert_int_equal(reason != NULL, cases[i].expected != 0);
		source_destroy(source);
	}
}

static void s01_bound_later(void **state)
{
	struct fake_driver driver;
	struct source *source = source_over(&driver);
	const char *reason;
	struct plane plane;

	driver.info = -EINVAL;
	assert_int_equal(source->ops->probe(source, &reason), -EAGAIN);
	assert_int_equal(source->ops->query(source, PLANE_PRIMARY, &plane), -ENXIO);
	assert_int_equal(driver.queries, 0);
	driver.info = 0;
	assert_int_equal(source->ops->probe(source, &reason), 0);
	assert_int_equal(source->ops->query(source, PLANE_PRIMARY, &plane), 0);
	assert_false(plane_is_on(&plane));
	source_destroy(source);
}

static struct source *probed(struct fake_driver *driver, bool region)
{
	struct source *source = source_over(driver);
	const char *reason;

	if (region) {
		driver->probe_dmabuf = -EINVAL;
		driver->probe_region = 0;
	}
	assert_int_equal(source->ops->probe(source, &reason), 0);
	return source;
}

static void assert_off(const struct plane *plane, enum plane_type type, enum plane_kind kind)
{
	struct plane off;

	memset(&off, 0, sizeof(off));
	off.type = type;
	off.kind = kind;
	assert_false(plane_is_on(plane));
	assert_memory_equal(plane, &off, sizeof(off));
}

/* i915 leaves the struct alone when the plane is off: the frame before must not come back. */
static void s03_off_and_on(void **state)
{
	struct fake_driver driver;
	struct source *source = probed(&driver, false);
	struct plane plane;

	for (uint32_t i = 0; i < 4; i++) {
		memset(&plane, 0, sizeof(plane));
		fake_driver_show(&driver, VFIO_PLANE_PRIMARY, 640, 480, 7 + i / 2);
		driver.query_silent = i % 2;
		assert_int_equal(source->ops->query(source, PLANE_PRIMARY, &plane), 0);
		if (i % 2) {
			assert_off(&plane, PLANE_PRIMARY, PLANE_DMABUF);
			continue;
		}
		assert_true(plane_is_on(&plane));
		assert_int_equal(plane.token, 7 + i / 2);
		assert_int_equal(plane.kind, PLANE_DMABUF);
		assert_int_equal(plane.stride, 2560);
	}
	driver.query_silent = false;
	driver.planes[VFIO_PLANE_PRIMARY].size = 0; /* leftovers do not make it on */
	assert_int_equal(source->ops->query(source, PLANE_PRIMARY, &plane), 0);
	assert_off(&plane, PLANE_PRIMARY, PLANE_DMABUF);
	assert_false(driver.dirty);
	source_destroy(source);
}

/* mdpy and NVIDIA answer a query for the cursor with the primary plane. */
static void s13_region_has_no_cursor(void **state)
{
	struct fake_driver driver;
	struct source *source = probed(&driver, true);
	struct plane plane;

	driver.ignores_type = true;
	fake_driver_show(&driver, VFIO_PLANE_PRIMARY, 640, 480, 16);
	assert_int_equal(source->ops->query(source, PLANE_PRIMARY, &plane), 0);
	assert_int_equal(plane.kind, PLANE_REGION);
	assert_int_equal(plane.token, 16);
	assert_int_equal(source->ops->query(source, PLANE_CURSOR, &plane), 0);
	assert_off(&plane, PLANE_CURSOR, PLANE_REGION);
	assert_int_equal(driver.queries, 1);
	assert_int_equal(driver.cursor_queries, 0);
	source_destroy(source);
}

static void s14_hot_spots(void **state)
{
	const struct {
		uint32_t hot_x, hot_y, expected_x, expected_y;
	} cases[] = {
		{3, 4, 3, 4},
		{0, 0, 0, 0},
		{63, 63, 63, 63},
		{64, 0, PLANE_HOT_UNKNOWN, PLANE_HOT_UNKNOWN},
		{0, 64, PLANE_HOT_UNKNOWN, PLANE_HOT_UNKNOWN},
		{UINT32_MAX, UINT32_MAX, PLANE_HOT_UNKNOWN, PLANE_HOT_UNKNOWN},
		{3, UINT32_MAX, PLANE_HOT_UNKNOWN, PLANE_HOT_UNKNOWN},
	};
	struct fake_driver driver;
	struct source *source = probed(&driver, false);
	struct vfio_device_gfx_plane_info *info = &driver.planes[VFIO_PLANE_CURSOR];
	struct plane plane;

	fake_driver_show(&driver, VFIO_PLANE_CURSOR, 64, 64, 3);
	info->x_pos = (uint32_t)-10;
	info->y_pos = 8191;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		info->x_hot = cases[i].hot_x;
		info->y_hot = cases[i].hot_y;
		assert_int_equal(source->ops->query(source, PLANE_CURSOR, &plane), 0);
		assert_int_equal(plane.type, PLANE_CURSOR);
		assert_int_equal(plane.hot_x, cases[i].expected_x);
		assert_int_equal(plane.hot_y, cases[i].expected_y);
		assert_int_equal(plane.x, -10);
		assert_int_equal(plane.y, 8191);
	}
	source_destroy(source);
}

static void s07_query_trouble(void **state)
{
	struct fake_driver driver;
	struct source *source = probed(&driver, false);
	struct plane plane = {.width = 77};

	fake_driver_show(&driver, VFIO_PLANE_PRIMARY, 640, 480, 7);
	driver.query_errors[0] = -EFAULT;
	assert_int_equal(source->ops->query(source, PLANE_PRIMARY, &plane), -EFAULT);
	assert_int_equal(plane.width, 77); /* written on success only */
	driver.query_errors[0] = -EAGAIN;  /* means something else to who looks */
	assert_int_equal(source->ops->query(source, PLANE_PRIMARY, &plane), -EBUSY);
	driver.query_errors[0] = -ENOMEM;
	assert_int_equal(source->ops->query(source, PLANE_PRIMARY, &plane), 0);
	assert_int_equal(plane.width, 640);
	source_destroy(source);
}

static void test_region_buffer(void **state)
{
	struct fake_driver driver;
	struct source *source = probed(&driver, true);
	const char *reason = NULL;
	struct buffer buffer;
	struct plane plane;

	fake_driver_show(&driver, VFIO_PLANE_PRIMARY, 640, 480, 9);
	assert_int_equal(source->ops->query(source, PLANE_PRIMARY, &plane), 0);
	assert_int_equal(source->ops->buffer(source, &plane, &buffer, &reason), -EINVAL);
	assert_non_null(reason);
	driver.region = fake_region_plain;
	driver.region_info = (struct vfio_region_info){
		.flags = VFIO_REGION_INFO_FLAG_MMAP, .size = 16 << 20, .offset = 9ull << 40};
	assert_int_equal(source->ops->buffer(source, &plane, &buffer, &reason), 0);
	assert_false(buffer.owned);
	assert_false(buffer.dmabuf);
	assert_int_equal(buffer.length, 16 << 20);
	assert_true(buffer.offset == 9ll << 40);
	driver.region_info.offset = UINT64_MAX;
	assert_int_equal(source->ops->buffer(source, &plane, &buffer, &reason), -ENODEV);
	driver.region_info.offset = 0;
	driver.region_info.size = 0;
	assert_int_equal(source->ops->buffer(source, &plane, &buffer, &reason), -ENODEV);
	driver.region_info.size = 4096;
	driver.region_info.flags = 0;
	reason = NULL;
	assert_int_equal(source->ops->buffer(source, &plane, &buffer, &reason), -ENODEV);
	assert_non_null(reason);
	source_destroy(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_modifier),
		cmocka_unit_test(test_needs_gpu),
		cmocka_unit_test(test_unsuitable),
		cmocka_unit_test(test_same_buffer),
		cmocka_unit_test(s01_probe_matrix),
		cmocka_unit_test(s01_bound_later),
		cmocka_unit_test(s03_off_and_on),
		cmocka_unit_test(s13_region_has_no_cursor),
		cmocka_unit_test(s14_hot_spots),
		cmocka_unit_test(s07_query_trouble),
		cmocka_unit_test(test_region_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
