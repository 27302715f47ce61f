/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VFIO ioctls against scripted drivers. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>
#include <drm_fourcc.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "fake-driver.h"
#include "vfio/device.h"

static struct vfio_device device_of(struct fake_driver *driver)
{
	return (struct vfio_device){.fd = -EBADF, .ops = &driver->ops};
}

static void s01_present(void **state)
{
	const struct {
		int driver, expected;
	} cases[] = {{0, 0}, {-EINVAL, -EAGAIN}, {-ENOTTY, -ENOTTY}, {-EIO, -EIO}};
	struct fake_driver driver;
	struct vfio_device device = device_of(&driver);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fake_driver_init(&driver);
		driver.info = cases[i].driver;
		assert_int_equal(vfio_device_present(&device), cases[i].expected);
	}
}

static void s01_probe(void **state)
{
	const struct {
		int driver, expected;
	} cases[] = {{0, 0}, {-EINVAL, -ENOTTY}, {-ENOTTY, -ENOTTY}, {-EIO, -EIO},
		{-ETIMEDOUT, -ETIMEDOUT}};
	struct fake_driver driver;
	struct vfio_device device = device_of(&driver);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fake_driver_init(&driver);
		driver.probe_dmabuf = cases[i].driver;
		assert_int_equal(
			vfio_device_probe(&device, VFIO_GFX_PLANE_TYPE_DMABUF), cases[i].expected);
		assert_false(driver.dirty);
	}
}

static void s02_struct(void **state)
{
	struct fake_driver driver;
	struct vfio_device device = device_of(&driver);
	struct vfio_device_gfx_plane_info info;

	memset(&info, 0xff, sizeof(info));
	fake_driver_init(&driver);
	fake_driver_show(&driver, VFIO_PLANE_PRIMARY, 640, 480, 7);
	driver.short_struct = true;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(vfio_device_query(&device, VFIO_GFX_PLANE_TYPE_DMABUF,
					 VFIO_PLANE_PRIMARY, &info),
			0);
		assert_int_equal(info.width, 640);
		assert_int_equal(info.dmabuf_id, 7);
	}
	assert_false(driver.dirty);
	driver.query_silent = true;
	assert_int_equal(
		vfio_device_query(&device, VFIO_GFX_PLANE_TYPE_DMABUF, VFIO_PLANE_PRIMARY, &info),
		0);
	assert_int_equal(info.drm_format, 0);
	assert_int_equal(info.size, 0);
	assert_false(driver.dirty);
}

static int query_after(struct fake_driver *driver, const int *errors, size_t count)
{
	struct vfio_device device = device_of(driver);
	struct vfio_device_gfx_plane_info info;

	fake_driver_init(driver);
	fake_driver_show(driver, VFIO_PLANE_PRIMARY, 640, 480, 7);
	memcpy(driver->query_errors, errors, count * sizeof(*errors));
	return vfio_device_query(&device, VFIO_GFX_PLANE_TYPE_DMABUF, VFIO_PLANE_PRIMARY, &info);
}

static void s07_query_errors(void **state)
{
	struct fake_driver driver;

	assert_int_equal(query_after(&driver, (int[]){-ENOMEM}, 1), 0);
	assert_int_equal(driver.queries, 2);
	assert_int_equal(query_after(&driver, (int[]){-ENOMEM, -ENOMEM, -ENOMEM}, 3), -ENOMEM);
	assert_int_equal(driver.queries, 2);
	assert_int_equal(query_after(&driver, (int[]){-EINTR, -EINTR}, 2), 0);
	assert_int_equal(query_after(&driver, (int[]){-ENODEV}, 1), 0);
	assert_int_equal(query_after(&driver, (int[]){-EFAULT}, 1), -EFAULT);
	assert_int_equal(driver.queries, 1);
	assert_int_equal(query_after(&driver, (int[]){-EINVAL}, 1), -EINVAL);
	assert_int_equal(query_after(&driver, (int[]){-ETIMEDOUT}, 1), -ETIMEDOUT);
	assert_int_equal(
		query_after(&driver,
			(int[]){-EINTR, -EINTR, -EINTR, -EINTR, -EINTR, -EINTR, -EINTR, -EINTR}, 8),
		-EINTR);
	assert_false(driver.dirty);
}

static void s07_get_errors(void **state)
{
	const struct {
		int driver, expected;
	} cases[] = {{-ENOENT, -ESTALE}, {-EINVAL, -ESTALE}, {-ENOTTY, -ENODEV}, {-EMFILE, -EMFILE},
		{-ENOMEM, -ENOMEM}};
	struct fake_driver driver;
	struct vfio_device device = device_of(&driver);
	struct rlimit limit;
	unsigned int fds;
	int fd = -1;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	fake_driver_init(&driver);
	assert_int_equal(vfio_device_dmabuf(&device, 1, &fd), -ENODEV);
	driver.get = fake_get_memory;
	driver.memory = fake_memory(4096);
	fds = fake_count_fds();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		driver.get_error = cases[i].driver;
		assert_int_equal(vfio_device_dmabuf(&device, 1, &fd), cases[i].expected);
		assert_int_equal(fd, -1);
	}
	driver.get_error = 0;
	/* With room above and without. */
	for (rlim_t files = 4096; files >= 256; files /= 16) {
		limit.rlim_cur = MIN(files, limit.rlim_max);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		assert_int_equal(vfio_device_dmabuf(&device, 1, &fd), 0);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		assert_int_equal(fd >= FD_HIGH, limit.rlim_cur > FD_HIGH);
		assert_int_equal(fake_count_fds(), fds + 1);
		close(fd);
	}
	close(driver.memory);
}

/* mbochs: refuses more than 48 bytes, names its capability even when there was no room for it. */
static int region_mbochs(struct fake_driver *driver, struct vfio_region_info *info)
{
	struct {
		struct vfio_region_info base;
		struct vfio_region_info_cap_type type;
	} answer = {.base = {.argsz = sizeof(answer),
			    .flags = VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS,
			    .index = info->index,
			    .cap_offset = 32,
			    .size = 4096,
			    .offset = 8192},
		.type = {.header = {.id = VFIO_REGION_INFO_CAP_TYPE, .version = 1},
			.type = 1,
			.subtype = 1}};

	if (info->argsz > sizeof(answer))
		return -EINVAL;
	memcpy(info, &answer, info->argsz);
	return 0;
}

static void s15_region_mbochs(void **state)
{
	struct fake_driver driver;
	struct vfio_device device = device_of(&driver);
	struct vfio_region region;

	fake_driver_init(&driver);
	assert_int_equal(vfio_device_region(&device, 9, &region), -EINVAL);
	driver.region = fake_region_plain;
	driver.region_info = (struct vfio_region_info){
		.flags = VFIO_REGION_INFO_FLAG_MMAP, .size = 16 << 20, .offset = 9ull << 40};
	assert_int_equal(vfio_device_region(&device, 9, &region), 0);
	assert_int_equal(region.index, 9);
	assert_true(region.can_map);
	assert_false(region.sparse);
	assert_int_equal(region.mappable, 16 << 20);
	assert_true(region.offset == 9ull << 40);
	driver.region_info.flags = VFIO_REGION_INFO_FLAG_READ;
	assert_int_equal(vfio_device_region(&device, 9, &region), 0);
	assert_false(region.can_map);
	assert_int_equal(region.mappable, 0);
	driver.region = region_mbochs;
	driver.regions = 0;
	assert_int_equal(vfio_device_region(&device, 10, &region), 0);
	assert_int_equal(driver.regions, 2);
	assert_int_equal(region.size, 4096);
}

/* What a driver with capabilities answers: up to argsz bytes of it, and its real size. */
static uint8_t region_bytes[LIMIT_REGION_INFO];
static uint32_t region_size;

static int region_scripted(struct fake_driver *driver, struct vfio_region_info *info)
{
	uint32_t index = info->index;

	memcpy(info, region_bytes, MIN(info->argsz, (uint32_t)sizeof(region_bytes)));
	info->index = index;
	info->argsz = region_size;
	return 0;
}

static void put_base(uint32_t size, uint32_t cap_offset)
{
	struct vfio_region_info base = {
		.flags = VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS,
		.cap_offset = cap_offset,
		.size = 1 << 20};

	memset(region_bytes, 0, sizeof(region_bytes));
	memcpy(region_bytes, &base, sizeof(base));
	region_size = size;
}

static void put_header(uint32_t at, uint16_t id, uint32_t next)
{
	struct vfio_info_cap_header header = {.id = id, .version = 1, .next = next};

	memcpy(region_bytes + at, &header, sizeof(header));
}

static void put_sparse(uint32_t at, uint32_t areas, uint64_t offset, uint64_t size)
{
	struct vfio_region_info_cap_sparse_mmap sparse = {
		.header = {.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP, .version = 1},
		.nr_areas = areas};
	struct vfio_region_sparse_mmap_area area = {.offset = offset, .size = size};

	memcpy(region_bytes + at, &sparse, sizeof(sparse));
	memcpy(region_bytes + at + sizeof(sparse), &area, sizeof(area));
}

static int ask_region(struct vfio_region *ret)
{
	struct fake_driver driver;
	struct vfio_device device = device_of(&driver);

	fake_driver_init(&driver);
	driver.region = region_scripted;
	return vfio_device_region(&device, 2, ret);
}

static void s09_region_sparse(void **state)
{
	struct vfio_region region;

	put_base(80, 32);
	put_header(32, VFIO_REGION_INFO_CAP_TYPE, 48);
	put_sparse(48, 1, 0, 65536);
	assert_int_equal(ask_region(&region), 0);
	assert_true(region.sparse);
	assert_int_equal(region.mappable, 65536);
	put_sparse(48, 1, 4096, 65536);
	assert_int_equal(ask_region(&region), 0);
	assert_int_equal(region.mappable, 0);
	put_sparse(48, 1, 0, 1ull << 40);
	assert_int_equal(ask_region(&region), 0);
	assert_int_equal(region.mappable, 1 << 20);
	put_sparse(48, 2, 0, 65536);
	assert_int_equal(ask_region(&region), -EPROTO);
	put_sparse(48, UINT32_MAX, 0, 65536);
	assert_int_equal(ask_region(&region), -EPROTO);
}

static void s15_region_lies(void **state)
{
	struct vfio_region region;

	put_base(80, 32);
	put_header(32, VFIO_REGION_INFO_CAP_TYPE, 32); /* itself */
	assert_int_equal(ask_region(&region), -EPROTO);
	put_header(32, VFIO_REGION_INFO_CAP_TYPE, 48); /* there and back */
	put_header(48, VFIO_REGION_INFO_CAP_TYPE, 32);
	assert_int_equal(ask_region(&region), -EPROTO);
	put_header(48, VFIO_REGION_INFO_CAP_TYPE, 8);
	assert_int_equal(ask_region(&region), -EPROTO);
	put_header(48, VFIO_REGION_INFO_CAP_TYPE, 76); /* half a header */
	assert_int_equal(ask_region(&region), -EPROTO);
	put_header(48, VFIO_REGION_INFO_CAP_TYPE, UINT32_MAX);
	assert_int_equal(ask_region(&region), -EPROTO);
	put_base(80, 16); /* inside the struct */
	assert_int_equal(ask_region(&region), -EPROTO);
	put_base(80, UINT32_MAX - 3);
	assert_int_equal(ask_region(&region), -EPROTO);
	put_base(32, 32); /* no room was ever asked for */
	assert_int_equal(ask_region(&region), -EPROTO);
	put_base(80, 68); /* a sparse capability cut short: 12 of 16 bytes */
	put_header(68, VFIO_REGION_INFO_CAP_SPARSE_MMAP, 0);
	assert_int_equal(ask_region(&region), -EPROTO);
	put_base(LIMIT_REGION_INFO + 8, 0);
	assert_int_equal(ask_region(&region), -E2BIG);
	put_base(UINT32_MAX, 0);
	assert_int_equal(ask_region(&region), -E2BIG);
}

static int region_growing(struct fake_driver *driver, struct vfio_region_info *info)
{
	info->argsz += 8;
	return 0;
}

static void s15_region_growing(void **state)
{
	struct fake_driver driver;
	struct vfio_device device = device_of(&driver);
	struct vfio_region region;

	fake_driver_init(&driver);
	driver.region = region_growing;
	assert_int_equal(vfio_device_region(&device, 2, &region), -EPROTO);
	assert_true(driver.regions < 10);
}

static void test_kernel(void **state)
{
	struct vfio_device device = {.ops = &vfio_kernel};
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	device.fd = fds[0];
	assert_int_equal(vfio_device_present(&device), -ENOTTY);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(vfio_device_present(&device), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(s01_present),
		cmocka_unit_test(s01_probe),
		cmocka_unit_test(s02_struct),
		cmocka_unit_test(s07_query_errors),
		cmocka_unit_test(s07_get_errors),
		cmocka_unit_test(s15_region_mbochs),
		cmocka_unit_test(s09_region_sparse),
		cmocka_unit_test(s15_region_lies),
		cmocka_unit_test(s15_region_growing),
		cmocka_unit_test(test_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
