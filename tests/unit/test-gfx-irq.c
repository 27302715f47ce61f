/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The display interrupt over scripted drivers, up to the source's `drawn`. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "fake-driver.h"
#include "plane/source.h"
#include "vfio/gfx_irq.h"

#define CURSOR	(1ull << 48) /* GVT's numbers */
#define PRIMARY (1ull << 56)

/* What the driver says of each interrupt: its struct of 20 bytes and what follows. */
static uint8_t answers[LIMIT_INTERRUPTS][256];

static void put(unsigned int index, uint32_t at, const void *data, size_t size)
{
	memcpy(answers[index] + at, data, size);
}

static void put_base(unsigned int index, uint32_t flags, uint32_t count, uint32_t cap_offset)
{
	const uint32_t base[5] = {256, flags, index, count, cap_offset};

	memset(answers[index], 0, sizeof(answers[index]));
	put(index, 0, base, sizeof(base));
}

static void put_cap(unsigned int index, uint32_t at, uint16_t id, uint32_t next)
{
	struct vfio_info_cap_header header = {.id = id, .version = 1, .next = next};

	put(index, at, &header, sizeof(header));
}

static void put_type(unsigned int index, uint32_t at, uint16_t id, uint32_t next)
{
	const uint32_t type[2] = {1, 1};

	put_cap(index, at, id, next);
	put(index, at + 8, type, sizeof(type));
}

static void put_display(
	unsigned int index, uint32_t at, uint16_t id, uint64_t cursor, uint64_t primary)
{
	put_cap(index, at, id, 0);
	put(index, at + 8, &cursor, 8);
	put(index, at + 16, &primary, 8);
}

/* @version 5 or 6; the numbers of 64 bits are misaligned, as behind a struct of 20 bytes they are. */
static void put_good(unsigned int index, unsigned int version)
{
	put_base(index, VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE | 1 << 4, 1, 20);
	put_type(index, 20, version == 6 ? 1 : 3, 36);
	put_display(index, 36, version == 6 ? 2 : 4, CURSOR, PRIMARY);
}

static int answer(struct fake_driver *driver, struct vfio_irq_info *info)
{
	const uint8_t *bytes = (const uint8_t *)info;

	assert_int_equal(info->argsz, 256);
	for (uint32_t i = 4; i < info->argsz; i++)
		if (i < 8 || i >= 12)
			assert_int_equal(bytes[i], 0);
	if (info->index >= driver->num_irqs)
		return -EINVAL;
	memcpy(info, answers[info->index], 256);
	return 0;
}

static void driver_init(struct fake_driver *driver, uint32_t num_irqs)
{
	memset(answers, 0, sizeof(answers));
	fake_driver_init(driver);
	driver->num_irqs = num_irqs;
	driver->irq = answer;
}

static int find(struct fake_driver *driver, struct gfx_irq *ret)
{
	struct vfio_device device = {.fd = -EBADF, .ops = &driver->ops};
	int r = gfx_irq_find(&device, ret);

	assert_int_equal(driver->forbidden, 0);
	return r;
}

static void s17_versions(void **state)
{
	struct fake_driver driver;
	struct gfx_irq irq;

	for (unsigned int version = 5; version <= 6; version++) {
		driver_init(&driver, 8);
		put_base(5, VFIO_IRQ_INFO_EVENTFD, 1, 0); /* something else */
		put_good(6, version);
		assert_int_equal(find(&driver, &irq), 0);
		assert_int_equal(irq.index, 6);
		assert_true(irq.cursor == CURSOR && irq.primary == PRIMARY);
	}
	/* Each version's numbers go together. */
	driver_init(&driver, 6);
	put_good(5, 6);
	put_cap(5, 36, 4, 0);
	assert_int_equal(find(&driver, &irq), 0);
	assert_true(irq.cursor == 0 && irq.primary == 0);
	/* Without the second capability. */
	put_type(5, 20, 1, 0);
	assert_int_equal(find(&driver, &irq), 0);
	assert_true(irq.cursor == 0 && irq.primary == 0);
}

static void s17_none(void **state)
{
	struct fake_driver driver;
	struct gfx_irq irq = {.index = 77};

	driver_init(&driver, 5);
	assert_int_equal(find(&driver, &irq), -ENOTTY);
	assert_int_equal(driver.irqs, 0);
	driver_init(&driver, LIMIT_INTERRUPTS + 1);
	assert_int_equal(find(&driver, &irq), -ENOTTY);
	assert_int_equal(driver.irqs, 0);
	driver_init(&driver, UINT32_MAX);
	assert_int_equal(find(&driver, &irq), -ENOTTY);
	driver_init(&driver, 6);
	driver.irq = NULL;
	assert_int_equal(find(&driver, &irq), -ENOTTY);
	driver.info = -EIO;
	assert_int_equal(find(&driver, &irq), -EIO);
	assert_int_equal(irq.index, 77);
}

/* One good interrupt, spoilt in one place. */
static void s17_capabilities_lie(void **state)
{
	const uint32_t other[2] = {1, 2};
	struct fake_driver driver;
	struct gfx_irq irq;

	driver_init(&driver, 6);
#define EXPECT_NONE(...) \
	do { \
		put_good(5, 6); \
		__VA_ARGS__; \
		assert_int_equal(find(&driver, &irq), -ENOTTY); \
	} while (0)
#define FLAGS(flags, count, offset) \
	put(5, 4, (uint32_t[]){flags}, 4), put(5, 12, (uint32_t[]){count}, 4), \
		put(5, 16, (uint32_t[]){offset}, 4)
	EXPECT_NONE(FLAGS(VFIO_IRQ_INFO_EVENTFD, 1, 20));
	EXPECT_NONE(FLAGS(1 << 4, 1, 20));
	EXPECT_NONE(FLAGS(VFIO_IRQ_INFO_EVENTFD | 1 << 4, 0, 20));
	EXPECT_NONE(FLAGS(VFIO_IRQ_INFO_EVENTFD | 1 << 4, 1, 0));
	EXPECT_NONE(FLAGS(VFIO_IRQ_INFO_EVENTFD | 1 << 4, 1, 16)); /* inside the struct */
	EXPECT_NONE(FLAGS(VFIO_IRQ_INFO_EVENTFD | 1 << 4, 1, 256));
	EXPECT_NONE(FLAGS(VFIO_IRQ_INFO_EVENTFD | 1 << 4, 1, 249)); /* half a header */
	EXPECT_NONE(FLAGS(VFIO_IRQ_INFO_EVENTFD | 1 << 4, 1, UINT32_MAX));
	EXPECT_NONE(put(5, 28, other, sizeof(other)));
	EXPECT_NONE(put_type(5, 20, 2, 0));
	EXPECT_NONE(put_cap(5, 20, 1, 20));
	EXPECT_NONE(put_cap(5, 36, 2, 20));
	EXPECT_NONE(put_cap(5, 36, 2, 255));
	EXPECT_NONE(put_cap(5, 36, 2, UINT32_MAX));
	EXPECT_NONE(put_type(5, 20, 1, 240), put_cap(5, 240, 2, 0)); /* 16 of 24 bytes */
#undef EXPECT_NONE
	put_good(5, 6);
	assert_int_equal(find(&driver, &irq), 0);
}

static void s17_counter(void **state)
{
	const struct gfx_irq irq = {.index = 5, .cursor = CURSOR, .primary = PRIMARY};
	const struct gfx_irq silent = {.index = 5};
	const struct gfx_irq bits = {.index = 5, .cursor = 2, .primary = 1};
	const struct {
		uint64_t count;
		bool cursor_only;
	} cases[] = {
		{0, false}, /* somebody else's word */
		{CURSOR, true},
		{255 * CURSOR, true},
		{256 * CURSOR, false}, /* carried: looks like the primary plane's */
		{PRIMARY, false},
		{PRIMARY + CURSOR, false},
		{255 * PRIMARY, false},
		{UINT64_MAX, false},	 /* saturated */
		{UINT64_MAX - 1, false}, /* what read() makes of it */
		{CURSOR + 1, false},	 /* not explained */
		{1, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(gfx_irq_cursor_only(&irq, cases[i].count), cases[i].cursor_only);
		assert_false(gfx_irq_cursor_only(&silent, cases[i].count));
	}
	/* Two events for the primary plane look like one for the cursor here: nothing is believed. */
	for (uint64_t count = 0; count < 8; count++)
		assert_false(gfx_irq_cursor_only(&bits, count));
}

static struct source *armed(struct fake_driver *driver, int event)
{
	struct source *source;
	const char *reason;

	driver_init(driver, 7);
	put_good(6, 6);
	fake_driver_show(driver, VFIO_PLANE_PRIMARY, 640, 480, 7);
	fake_driver_show(driver, VFIO_PLANE_CURSOR, 64, 64, 8);
	assert_int_equal(source_vfio_create_over(&driver->ops, -EBADF, &source), 0);
	assert_int_equal(source->ops->arm(source, event), -ENXIO); /* not probed */
	assert_int_equal(source->ops->probe(source, &reason), 0);
	assert_int_equal(source->ops->arm(source, event), 0);
	return source;
}

static uint32_t drawn(struct source *source)
{
	struct plane plane;

	assert_int_equal(source->ops->query(source, PLANE_CURSOR, &plane), 0);
	assert_int_equal(plane.drawn, 0);
	assert_int_equal(source->ops->query(source, PLANE_PRIMARY, &plane), 0);
	return plane.drawn;
}

static void s17_arm(void **state)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	unsigned int fds;
	struct fake_driver driver;
	struct source *source = armed(&driver, event);
	uint64_t count = CURSOR;

	fds = fake_count_fds();
	assert_int_equal(driver.sets, 1);
	assert_int_equal(driver.set_index, 6);
	assert_int_equal(driver.set_start, 0);
	assert_int_equal(driver.set_count, 1);
	assert_int_equal(driver.set_flags, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER);
	assert_int_equal(write(driver.event, &count, 8), 8);
	count = 0;
	assert_int_equal(read(event, &count, 8), 8);
	assert_true(count == CURSOR);
	/* Armed again: the driver lets go of the first before it gets the second. */
	assert_int_equal(source->ops->arm(source, event), 0);
	assert_int_equal(driver.sets, 3);
	assert_int_equal(fake_count_fds(), fds);
	source->ops->disarm(source);
	source->ops->disarm(source);
	assert_int_equal(driver.sets, 4);
	assert_int_equal(driver.set_flags, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER);
	assert_int_equal(driver.set_count, 0);
	assert_int_equal(driver.event, -1);
	assert_int_equal(source->ops->arm(source, event), 0);
	source_destroy(source);
	assert_int_equal(driver.sets, 6);
	assert_int_equal(driver.event, -1);
	assert_int_equal(driver.forbidden, 0);
	assert_int_equal(driver.others, 0);
	close(event);
	assert_int_equal(fake_count_fds(), fds - 2);
}

static void s17_arm_fails(void **state)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct fake_driver driver;
	struct source *source = armed(&driver, event);

	source->ops->disarm(source);
	driver.set_error = -EINVAL;
	for (int i = 0; i < 20; i++)
		assert_int_equal(source->ops->arm(source, event), -EINVAL);
	source->ops->heard(source, PRIMARY);
	assert_int_equal(drawn(source), 0);
	driver.num_irqs = 5;
	assert_int_equal(source->ops->arm(source, event), -ENOTTY);
	assert_int_equal(driver.forbidden, 0);
	source_destroy(source);
	close(event);
}

static void s17_drawn(void **state)
{
	const struct {
		uint64_t count;
		bool moves;
	} cases[] = {{CURSOR, false}, {3 * CURSOR, false}, {PRIMARY, true},
		{PRIMARY | CURSOR, true}, {0, true}, {CURSOR, false}, {UINT64_MAX, true},
		{256 * CURSOR, true}, {7, true}};
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct fake_driver driver;
	struct source *source = armed(&driver, event);
	uint32_t last;

	assert_int_equal(drawn(source), 0); /* nobody tells yet */
	source->ops->heard(source, CURSOR);
	last = drawn(source);
	assert_int_not_equal(last, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t now;

		source->ops->heard(source, cases[i].count);
		now = drawn(source);
		assert_int_not_equal(now, 0);
		assert_int_equal(now != last, cases[i].moves);
		last = now;
	}
	source->ops->disarm(source);
	assert_int_equal(drawn(source), 0);
	source->ops->heard(source, PRIMARY);
	assert_int_equal(drawn(source), 0);
	source_destroy(source);
	close(event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(s17_versions),
		cmocka_unit_test(s17_none),
		cmocka_unit_test(s17_capabilities_lie),
		cmocka_unit_test(s17_counter),
		cmocka_unit_test(s17_arm),
		cmocka_unit_test(s17_arm_fails),
		cmocka_unit_test(s17_drawn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
