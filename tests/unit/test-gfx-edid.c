/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Offering a guest another size through a scripted driver's EDID region, with GVT's rules and with mbochs'. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "fake-driver.h"
#include "plane/edid.h"
#include "plane/source.h"

#define REGISTER(name) offsetof(struct vfio_region_gfx_edid, name)
#define UP	       VFIO_DEVICE_GFX_LINK_STATE_UP
#define DOWN	       VFIO_DEVICE_GFX_LINK_STATE_DOWN

static struct source *probed(struct fake_driver *driver)
{
	struct source *source;
	const char *reason;

	assert_int_equal(source_vfio_create_over(&driver->ops, -EBADF, &source), 0);
	assert_int_equal(source->ops->probe(source, &reason), 0);
	return source;
}

static struct source *with_edid(struct fake_driver *driver, bool gvt)
{
	fake_driver_init(driver);
	fake_driver_edid(driver, gvt, gvt ? 128 : 1024);
	return probed(driver);
}

static void assert_shows(const struct fake_driver *driver, uint32_t width, uint32_t height)
{
	const struct edid_monitor monitor = {
		.width = width,
		.height = height,
		.max_width = driver->edid.regs.max_xres ? driver->edid.regs.max_xres : EDID_MAX,
		.max_height = driver->edid.regs.max_yres ? driver->edid.regs.max_yres : EDID_MAX,
	};
	uint8_t expected[EDID_BYTES];

	assert_int_equal(edid_make(&monitor, expected), 0);
	assert_int_equal(driver->edid.regs.edid_size, EDID_BYTES);
	assert_memory_equal(driver->edid.blob, expected, EDID_BYTES);
}

static void s16_absent(void **state)
{
	struct fake_driver driver;
	struct source *source;
	uint32_t width = 77, height = 77;

	fake_driver_init(&driver);
	driver.region = fake_region_plain;
	source = probed(&driver);
	assert_int_equal(source->ops->size_limits(source, &width, &height), -ENOTTY);
	assert_int_equal(width, 77);
	assert_int_equal(source->ops->offer_size(source, 800, 600), -ENOTTY);
	assert_int_equal(source->ops->link_up(source), 0);
	source_destroy(source);
	/* Not asked before it is known to be a display. */
	assert_int_equal(source_vfio_create_over(&driver.ops, -EBADF, &source), 0);
	assert_int_equal(source->ops->size_limits(source, &width, &height), -ENXIO);
	source_destroy(source);
	assert_int_equal(driver.accesses, 0);
}

static void s16_offer(void **state)
{
	for (int gvt = 0; gvt <= 1; gvt++) {
		struct fake_driver driver;
		struct source *source = with_edid(&driver, gvt);

		assert_int_equal(source->ops->offer_size(source, 1366, 768), 0);
		assert_string_equal(driver.edid.log, "dsb");
		assert_int_equal(driver.edid.regs.link_state, DOWN);
		assert_int_equal(source->ops->link_up(source), 0);
		assert_string_equal(driver.edid.log, "dsbu");
		assert_int_equal(driver.edid.regs.link_state, UP);
		assert_shows(&driver, 1366, 768);
		assert_int_equal(source->ops->link_up(source), 0);
		assert_string_equal(driver.edid.log, "dsbu");
		/* A second one before the link is up. */
		assert_int_equal(source->ops->offer_size(source, 800, 600), 0);
		assert_int_equal(source->ops->offer_size(source, 1024, 768), 0);
		assert_int_equal(source->ops->link_up(source), 0);
		assert_string_equal(driver.edid.log, "dsbudsbdsbu");
		assert_shows(&driver, 1024, 768);
		source_destroy(source);
		assert_int_equal(driver.others, 0);
	}
}

static void s16_limits(void **state)
{
	struct fake_driver driver;
	struct source *source = with_edid(&driver, false);
	uint32_t width, height;

	assert_int_equal(source->ops->size_limits(source, &width, &height), 0);
	assert_int_equal(width, EDID_MAX);
	assert_int_equal(height, EDID_MAX);
	assert_int_equal(source->ops->offer_size(source, 4096, 100), -ERANGE);
	assert_int_equal(source->ops->offer_size(source, 100, EDID_MIN - 1), -ERANGE);
	source_destroy(source);
	source = with_edid(&driver, false);
	driver.edid.regs.max_xres = 1920;
	driver.edid.regs.max_yres = 8192;
	assert_int_equal(source->ops->size_limits(source, &width, &height), 0);
	assert_int_equal(width, 1920);
	assert_int_equal(height, EDID_MAX);
	assert_int_equal(source->ops->offer_size(source, 1921, 600), -ERANGE);
	assert_string_equal(driver.edid.log, "");
	assert_int_equal(source->ops->offer_size(source, 1920, 600), 0);
	assert_shows(&driver, 1920, 600);
	source_destroy(source);
}

/* Whatever is refused and whenever: the guest has its monitor back, the one that it had. */
static void s16_refused(void **state)
{
	const struct {
		uint32_t at;
		const char *log;
	} cases[] = {
		{REGISTER(link_state), "xsbu"},
		{REGISTER(edid_size), "dxsbu"},
		{2048, "dsxsbu"},
		{2048 + 124, "dsbxsbu"},
	};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		struct fake_driver driver;
		struct source *source = with_edid(&driver, i % 2);

		assert_int_equal(source->ops->offer_size(source, 640, 480), 0);
		assert_int_equal(source->ops->link_up(source), 0);
		memset(driver.edid.log, 0, sizeof(driver.edid.log));
		driver.edid.refuse = -EIO;
		driver.edid.refuse_at = cases[i / 2].at;
		assert_int_equal(source->ops->offer_size(source, 800, 600), -EIO);
		assert_int_equal(source->ops->link_up(source), 0);
		assert_string_equal(driver.edid.log, cases[i / 2].log);
		assert_int_equal(driver.edid.regs.link_state, UP);
		assert_shows(&driver, 640, 480);
		source_destroy(source);
	}
}

/* GVT looks at the EDID only now. */
static void s16_refused_up(void **state)
{
	struct fake_driver driver;
	struct source *source = with_edid(&driver, true);

	assert_int_equal(source->ops->offer_size(source, 640, 480), 0);
	assert_int_equal(source->ops->link_up(source), 0);
	assert_int_equal(source->ops->offer_size(source, 800, 600), 0);
	driver.edid.blob[20]++;
	assert_int_equal(source->ops->link_up(source), -EINVAL);
	assert_int_equal(driver.edid.regs.link_state, UP);
	assert_shows(&driver, 640, 480);
	assert_string_equal(driver.edid.log, "dsbudsbxsbu");
	/* Two offers, neither of which came up: what there was before the first. */
	assert_int_equal(source->ops->offer_size(source, 800, 600), 0);
	assert_int_equal(source->ops->offer_size(source, 1024, 768), 0);
	driver.edid.blob[20]++;
	assert_int_equal(source->ops->link_up(source), -EINVAL);
	assert_shows(&driver, 640, 480);
	source_destroy(source);
}

/* A driver that is out of order for a while: the guest has its monitor back in the end. */
static void s16_stays_down_for_a_while(void **state)
{
	for (int gvt = 0; gvt <= 1; gvt++) {
		struct fake_driver driver;
		struct source *source = with_edid(&driver, gvt);

		assert_int_equal(source->ops->offer_size(source, 640, 480), 0);
		assert_int_equal(source->ops->link_up(source), 0);
		/* Each time it is tried twice, with the new EDID and with the old one. */
		assert_int_equal(source->ops->offer_size(source, 800, 600), 0);
		driver.edid.refuse_up = 5;
		assert_int_equal(source->ops->link_up(source), -ETIMEDOUT);
		assert_int_equal(source->ops->link_up(source), -ETIMEDOUT);
		assert_int_equal(driver.edid.regs.link_state, DOWN);
		assert_int_equal(source->ops->link_up(source), -ETIMEDOUT);
		assert_int_equal(driver.edid.regs.link_state, UP);
		assert_int_equal(source->ops->link_up(source), 0);
		assert_shows(&driver, 640, 480);
		/* The same where the offer was refused. */
		driver.edid.refuse = -EIO;
		driver.edid.refuse_at = 2048;
		driver.edid.refuse_up = 1;
		assert_int_equal(source->ops->offer_size(source, 800, 600), -EIO);
		assert_int_equal(driver.edid.regs.link_state, DOWN);
		assert_int_equal(source->ops->link_up(source), 0);
		assert_int_equal(driver.edid.regs.link_state, UP);
		assert_shows(&driver, 640, 480);
		source_destroy(source);
	}
}

/* The end of a display in the middle of it. */
static void s16_destroyed_while_down(void **state)
{
	struct fake_driver driver;
	struct source *source = with_edid(&driver, true);

	assert_int_equal(source->ops->offer_size(source, 640, 480), 0);
	source_destroy(source);
	assert_int_equal(driver.edid.regs.link_state, UP);
	assert_shows(&driver, 640, 480);
}

static void s16_region_lies(void **state)
{
	struct fake_driver driver;
	struct source *source;
	uint32_t width, height;

#define EXPECT_NONE(...) \
	do { \
		source = with_edid(&driver, false); \
		__VA_ARGS__; \
		assert_int_equal(source->ops->size_limits(source, &width, &height), -ENOTTY); \
		assert_int_equal(source->ops->offer_size(source, 640, 480), -ENOTTY); \
		assert_string_equal(driver.edid.log, ""); \
		source_destroy(source); \
	} while (0)
	EXPECT_NONE(driver.edid.regs.edid_max_size = 0);
	EXPECT_NONE(driver.edid.regs.edid_max_size = 127);
	EXPECT_NONE(driver.edid.regs.edid_offset = 0); /* over the registers */
	EXPECT_NONE(driver.edid.regs.edid_offset = 2050);
	EXPECT_NONE(driver.edid.regs.edid_offset = 4096 - 512);
	EXPECT_NONE(driver.edid.regs.edid_offset = UINT32_MAX - 3);
	EXPECT_NONE(driver.num_regions = 10);
	EXPECT_NONE(driver.edid.index = 8); /* where PCI has its own */
	EXPECT_NONE(driver.edid.offset = INT64_MAX - 100);
#undef EXPECT_NONE
	/* Trouble that passes is asked about again. */
	source = with_edid(&driver, false);
	driver.info = -EIO;
	assert_int_equal(source->ops->size_limits(source, &width, &height), -EIO);
	driver.info = 0;
	assert_int_equal(source->ops->size_limits(source, &width, &height), 0);
	source_destroy(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(s16_absent),
		cmocka_unit_test(s16_offer),
		cmocka_unit_test(s16_limits),
		cmocka_unit_test(s16_refused),
		cmocka_unit_test(s16_refused_up),
		cmocka_unit_test(s16_stays_down_for_a_while),
		cmocka_unit_test(s16_destroyed_while_down),
		cmocka_unit_test(s16_region_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
