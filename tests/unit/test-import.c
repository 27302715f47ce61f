/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's side of the import program, against one that behaves and against those that do everything wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <drm_fourcc.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "capture/capture.h"
#include "capture/import.h"
#include "fake-driver.h"

enum { WIDTH = 70, HEIGHT = 50, STRIDE = 320, BYTES = STRIDE * HEIGHT };

static char stand_in[512];

/* What no mmap() of this process may map: the dma-buf. 0: all may be. */
static ino_t unmappable;

void *__real_mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset);

void *__wrap_mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	struct stat st;

	if (unmappable && fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == unmappable) {
		errno = ENODEV;
		return MAP_FAILED;
	}
	return __real_mmap(address, length, prot, flags, fd, offset);
}

static unsigned int starts; /* of programs */

int __real_spawn_program(
	const char *program, char *const arguments[], int socket, pid_t *ret_pid, int *ret_pidfd);
int __wrap_spawn_program(
	const char *program, char *const arguments[], int socket, pid_t *ret_pid, int *ret_pidfd);

int __wrap_spawn_program(
	const char *program, char *const arguments[], int socket, pid_t *ret_pid, int *ret_pidfd)
{
	starts++;
	return __real_spawn_program(program, arguments, socket, ret_pid, ret_pidfd);
}

static void forbid_mapping(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	unmappable = st.st_ino;
}

struct fixture {
	struct importer_options options;
	struct importer *importer;
	struct plane plane;
	int dmabuf;
	unsigned int fds;
};

static struct fixture *fixture_create(const char *way)
{
	struct fixture *f = new0(struct fixture);

	assert_non_null(f);
	f->fds = fake_count_fds();
	f->dmabuf = fake_memory(ALIGN_UP(BYTES, 4096));
	f->options = (struct importer_options){
		.program = stand_in,
		.id = way,
		.node = open("/dev/null", O_RDWR | O_CLOEXEC),
	};
	f->plane = (struct plane){
		.kind = PLANE_DMABUF,
		.fourcc = DRM_FORMAT_XRGB8888,
		.width = WIDTH,
		.height = HEIGHT,
		.stride = STRIDE,
		.size = BYTES,
	};
	assert_int_equal(importer_create(&f->options, &f->importer), 0);
	return f;
}

/* Nothing may be left of any of them. */
static void fixture_destroy(struct fixture *f)
{
	importer_destroy(f->importer);
	close(f->dmabuf);
	assert_int_equal(fake_count_fds(), f->fds);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	free(f);
}

static int copy(struct fixture *f, struct imported *ret)
{
	return importer_copy(f->importer, 0, f->dmabuf, &f->plane, WIDTH * 4, ret);
}

static void check_pixels(const struct fixture *f, const struct imported *imported)
{
	assert_int_equal(imported->stride, ALIGN_UP(f->plane.width * 4, 64u));
	for (uint32_t y = 0; y < f->plane.height; y++)
		for (uint32_t x = 0; x < f->plane.width * 4; x++)
			assert_int_equal(imported->pixels[y * imported->stride + x],
				(f->plane.offset + y * f->plane.stride + x) / 4 % 251);
}

static void wait_ms(int ms)
{
	poll(NULL, 0, ms);
}

static void expect_words(const struct fixture *f, const char *words)
{
	if (!strstr(importer_reason(f->importer), words))
		fail_msg("\"%s\" is not in \"%s\"", words, importer_reason(f->importer));
}

static void test_good(void **state)
{
	struct fixture *f = fixture_create("good");
	struct imported imported;

	assert_null(importer_absent(f->importer));
	assert_int_equal(copy(f, &imported), 0);
	check_pixels(f, &imported);
	/* A smaller plane further down in the same buffer, then the first one again: another import, another surface. */
	f->plane.height -= 4;
	f->plane.width -= 3;
	f->plane.offset = 2 * STRIDE;
	assert_int_equal(
		importer_copy(f->importer, 0, f->dmabuf, &f->plane, f->plane.width * 4, &imported),
		0);
	check_pixels(f, &imported);
	importer_drop(f->importer, 0);
	assert_int_equal(
		importer_copy(f->importer, 7, f->dmabuf, &f->plane, f->plane.width * 4, &imported),
		0);
	check_pixels(f, &imported);
	fixture_destroy(f);
}

static void test_resize_is_refused(void **state)
{
	struct fixture *f = fixture_create("resize");
	struct imported imported;

	assert_int_equal(copy(f, &imported), 0);
	check_pixels(f, &imported);
	fixture_destroy(f);
}

/* What each of them does, and what is said of it. */
static const struct {
	const char *way, *words;
	bool second; /* its first copy is fine */
} wrongs[] = {
	{"die-start", "ended by itself", false},
	{"die-copy", "ended by itself", false},
	{"die-second", "ended by itself", true},
	{"hang-copy", "not copied a picture in time", false},
	{"late", "not copied a picture in time", false},
	{"lie-turn", "no meaning", false},
	{"lie-step", "no meaning", false},
	{"lie-error", "no meaning", false},
	{"lie-type", "no meaning", false},
	{"send-fd", "no meaning", false},
	{"short", "no meaning", false},
	{"ready-again", "no meaning", false},
	{"twice", "no meaning", true},
	{"version", "no meaning", false},
	{"done-first", "no meaning", false},
	{"flood", "no meaning", false},
};

static void test_wrongs(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
		struct fixture *f = fixture_create(wrongs[i].way);
		uint64_t began = loop_now_ms();
		struct imported imported;
		int r;

		if (wrongs[i].second)
			assert_int_equal(copy(f, &imported), 0);
		r = copy(f, &imported);
		if (r != -EIO)
			fail_msg("%s: %d", wrongs[i].way, r);
		expect_words(f, wrongs[i].words);
		assert_true(loop_now_ms() - began < LIMIT_IMPORT_COPY_MS + 3000);
		/* The reason stays while the next program has to wait. */
		if (loop_now_ms() - began < LIMIT_RESPAWN_MS / 2) {
			assert_int_equal(copy(f, &imported), -EIO);
			expect_words(f, wrongs[i].words);
		}
		fixture_destroy(f);
	}
}

static void test_comes_back(void **state)
{
	struct fixture *f = fixture_create("die-second");
	struct imported imported;
	uint64_t began;

	assert_int_equal(copy(f, &imported), 0);
	assert_int_equal(copy(f, &imported), -EIO);
	began = loop_now_ms();
	while (copy(f, &imported) < 0) {
		assert_true(loop_now_ms() - began < 10 * LIMIT_RESPAWN_MS);
		wait_ms(20);
	}
	check_pixels(f, &imported);
	fixture_destroy(f);
}

/* One that had nothing to do for a while and went: nobody notices, if it was not a moment ago. */
static void test_idle(void **state)
{
	struct fixture *f = fixture_create("idle");
	struct imported imported;

	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(copy(f, &imported), 0);
		check_pixels(f, &imported);
		if (i < 2)
			wait_ms(LIMIT_RESPAWN_MS + 50);
	}
	wait_ms(50);
	assert_int_equal(copy(f, &imported), -EIO);
	expect_words(f, "ended by itself");
	fixture_destroy(f);
}

/* Each start leaves lines in the journal. */
static void test_starts_become_rare(void **state)
{
	struct fixture *f = fixture_create("die-start");
	uint64_t began = loop_now_ms(), last = 0, rest = 0;
	struct imported imported;

	starts = 0;
	while (starts < 4) {
		unsigned int before = starts;
		uint64_t at = loop_now_ms() - began;

		assert_true(at < 60000);
		assert_int_equal(copy(f, &imported), -EIO);
		/* On a busy machine it takes a while even to die. */
		if (!strstr(importer_reason(f->importer), "is starting"))
			expect_words(f, "ended by itself");
		if (starts != before && before) {
			assert_true(at - last + 10 >= rest);
			rest = at - last;
		}
		if (starts != before)
			last = at;
		wait_ms(10);
	}
	assert_true(last >= (1 + 2 + 4) * LIMIT_RESPAWN_MS);
	fixture_destroy(f);
}

static void test_slow_start(void **state)
{
	struct fixture *f = fixture_create("slow-start");
	uint64_t began = loop_now_ms();
	struct imported imported;

	starts = 0;
	assert_int_equal(copy(f, &imported), -EIO);
	expect_words(f, "is starting");
	/* The same program, not another one: that would start over. */
	while (copy(f, &imported) < 0) {
		expect_words(f, "is starting");
		assert_true(loop_now_ms() - began < LIMIT_START_MS);
	}
	assert_int_equal(starts, 1);
	check_pixels(f, &imported);
	fixture_destroy(f);
}

static bool stop_now(void *arg)
{
	return *(bool *)arg;
}

static void test_stopping(void **state)
{
	static const char *const ways[] = {"hang-start", "hang-copy"};
	bool stop = true;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct fixture *f = fixture_create(ways[i]);
		uint64_t began = loop_now_ms();
		struct imported imported;

		f->options.stopping = stop_now;
		f->options.arg = &stop;
		importer_destroy(f->importer);
		f->options.node = open("/dev/null", O_RDWR | O_CLOEXEC);
		assert_int_equal(importer_create(&f->options, &f->importer), 0);
		assert_int_equal(copy(f, &imported), -EIO);
		fixture_destroy(f);
		assert_true(loop_now_ms() - began < 4 * LIMIT_IMPORT_COPY_MS);
	}
}

/* Asked again at once, this stand-in would die, which would be -EIO. */
static void test_refused(void **state)
{
	struct fixture *f = fixture_create("refuse");
	struct imported imported;

	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(copy(f, &imported), -ENODEV);
		expect_words(f, "does not take this dma-buf (Invalid argument): is it");
	}
	fixture_destroy(f);
	f = fixture_create("cannot-map");
	assert_int_equal(copy(f, &imported), -ENODEV);
	expect_words(f, "cannot read this dma-buf: is it");
	/* Not for ever. */
	wait_ms(LIMIT_IMPORT_RETRY_MS + 50);
	assert_int_equal(copy(f, &imported), -EIO);
	expect_words(f, "ended by itself");
	fixture_destroy(f);
}

static void test_absent(void **state)
{
	struct fixture *f = fixture_create("good");
	struct imported imported;
	struct {
		const char *program, *path;
		enum import_policy policy;
		const char *words;
	} cases[] = {
		{stand_in, NULL, IMPORT_AUTO, "no render node is given"},
		{stand_in, NULL, IMPORT_ALWAYS, "no render node is given"},
		{NULL, "/dev/null", IMPORT_AUTO, "built without"},
		{stand_in, "/dev/null", IMPORT_NEVER, "switched off"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		importer_destroy(f->importer);
		f->options.node = -EBADF;
		f->options.program = cases[i].program;
		f->options.node_path = cases[i].path;
		f->options.policy = cases[i].policy;
		assert_int_equal(importer_create(&f->options, &f->importer), 0);
		assert_non_null(strstr(importer_absent(f->importer), cases[i].words));
		assert_false(importer_is_first_choice(f->importer));
		/* It has to fit into what List shows. */
		assert_true(strlen(importer_absent(f->importer)) < 160);
	}
	importer_destroy(f->importer);
	f->options.policy = IMPORT_AUTO;
	f->options.node_path = "/nowhere/renderD128";
	assert_int_equal(importer_create(&f->options, &f->importer), 0);
	assert_int_equal(copy(f, &imported), -EIO);
	expect_words(f, "/nowhere/renderD128 cannot be opened: No such file");
	importer_destroy(f->importer);
	f->options.node_path = "/dev/null";
	assert_int_equal(importer_create(&f->options, &f->importer), 0);
	assert_int_equal(copy(f, &imported), -EIO);
	expect_words(f, "/dev/null is not a DRM node");
	fixture_destroy(f);
}

static void test_not_installed(void **state)
{
	struct fixture *f = fixture_create("good");
	struct imported imported;

	importer_destroy(f->importer);
	f->options.node = open("/dev/null", O_RDWR | O_CLOEXEC);
	f->options.program = "/nowhere/vfio-displayd-import";
	assert_int_equal(importer_create(&f->options, &f->importer), 0);
	assert_int_equal(copy(f, &imported), -EIO);
	expect_words(f, "/nowhere/vfio-displayd-import cannot be started: No such file");
	fixture_destroy(f);
}

/* ---- With a capture in front ---- */

struct looking {
	struct fake_driver driver;
	struct source *source;
	struct capture *capture;
};

static void looking_start(
	struct looking *l, struct fixture *f, enum import_policy policy, bool with_node)
{
	const char *reason;

	fake_driver_init(&l->driver);
	l->driver.memory = f->dmabuf;
	l->driver.get = fake_get_memory;
	assert_int_equal(source_vfio_create_over(&l->driver.ops, dup(f->dmabuf), &l->source), 0);
	assert_int_equal(l->source->ops->probe(l->source, &reason), 0);
	assert_int_equal(capture_create(l->source, &l->capture), 0);
	importer_destroy(f->importer);
	f->options.policy = policy;
	f->options.node = with_node ? open("/dev/null", O_RDWR | O_CLOEXEC) : -EBADF;
	assert_int_equal(importer_create(&f->options, &f->importer), 0);
	capture_set_importer(l->capture, take_ptr(f->importer));
}

static void looking_end(struct looking *l)
{
	capture_destroy(l->capture);
	source_destroy(l->source);
	unmappable = 0;
}

static int look(struct looking *l, uint32_t id, struct view *ret)
{
	struct plane plane;

	fake_driver_show(&l->driver, VFIO_PLANE_PRIMARY, WIDTH, HEIGHT, id);
	assert_int_equal(l->source->ops->query(l->source, PLANE_PRIMARY, &plane), 0);
	return capture_begin(l->capture, &plane, ret);
}

static void check_view(struct looking *l, const struct view *view, uint32_t stride)
{
	assert_int_equal(view->width, WIDTH);
	assert_int_equal(view->rows_readable, HEIGHT);
	assert_int_equal(view->stride, stride);
	for (uint32_t y = 0; y < HEIGHT; y++)
		for (uint32_t x = 0; x < WIDTH * 4; x++)
			assert_int_equal(
				view->pixels[y * view->stride + x], (y * WIDTH * 4 + x) / 4 % 251);
	capture_end(l->capture);
}

/* More ids than the cache holds, again and again: each is got once for each time that it is seen anew, and no more buffers are
 * open than the cache's; the stand-in would die of a copy without its buffer. */
static void test_capture_imports(void **state)
{
	struct fixture *f = fixture_create("good");
	struct looking l;
	struct view view;

	looking_start(&l, f, IMPORT_AUTO, true);
	forbid_mapping(f->dmabuf);
	for (uint32_t i = 0; i < 5 * LIMIT_DMABUFS; i++) {
		uint32_t id = 1 + i % (LIMIT_DMABUFS + 2);

		assert_int_equal(look(&l, id, &view), 0);
		check_view(&l, &view, ALIGN_UP(WIDTH * 4, 64));
		assert_int_equal(look(&l, id, &view), 0);
		check_view(&l, &view, ALIGN_UP(WIDTH * 4, 64));
		assert_true(capture_buffers_open(l.capture) <= LIMIT_DMABUFS);
	}
	assert_int_equal(l.driver.gets, 5 * LIMIT_DMABUFS);
	looking_end(&l);
	fixture_destroy(f);
}

static int look_tiled(struct looking *l, uint64_t modifier, struct view *ret)
{
	struct plane plane;

	fake_driver_show(&l->driver, VFIO_PLANE_PRIMARY, WIDTH, HEIGHT, 1);
	l->driver.planes[VFIO_PLANE_PRIMARY].drm_format_mod = modifier;
	assert_int_equal(l->source->ops->query(l->source, PLANE_PRIMARY, &plane), 0);
	return capture_begin(l->capture, &plane, ret);
}

/* The CPU could map it, but does not know where its pixels are. */
static void test_capture_of_a_gpus_layout(void **state)
{
	struct fixture *f = fixture_create("good");
	struct looking l;
	struct view view;

	looking_start(&l, f, IMPORT_AUTO, true);
	assert_int_equal(look_tiled(&l, I915_FORMAT_MOD_4_TILED, &view), 0);
	assert_null(view.tiling);
	check_view(&l, &view, ALIGN_UP(WIDTH * 4, 64));
	looking_end(&l);
	fixture_destroy(f);
	f = fixture_create("refuse");
	looking_start(&l, f, IMPORT_ALWAYS, true);
	assert_int_equal(look_tiled(&l, I915_FORMAT_MOD_4_TILED, &view), -ENOTSUP);
	assert_non_null(strstr(capture_reason(l.capture), "does not take"));
	looking_end(&l);
	fixture_destroy(f);
	f = fixture_create("good");
	looking_start(&l, f, IMPORT_AUTO, false);
	assert_int_equal(look_tiled(&l, I915_FORMAT_MOD_4_TILED, &view), -ENOTSUP);
	assert_non_null(strstr(capture_reason(l.capture), "no render node is given"));
	looking_end(&l);
	fixture_destroy(f);
}

static void test_capture_prefers_the_mapping(void **state)
{
	struct fixture *f = fixture_create("die-start");
	struct looking l;
	struct view view;

	looking_start(&l, f, IMPORT_AUTO, true);
	assert_int_equal(look(&l, 1, &view), 0);
	check_view(&l, &view, WIDTH * 4);
	looking_end(&l);
	fixture_destroy(f);
}

static void test_capture_always_imports(void **state)
{
	struct fixture *f = fixture_create("good");
	struct looking l;
	struct view view;

	looking_start(&l, f, IMPORT_ALWAYS, true);
	assert_int_equal(look(&l, 1, &view), 0);
	check_view(&l, &view, ALIGN_UP(WIDTH * 4, 64));
	looking_end(&l);
	fixture_destroy(f);
	/* What the GPU refuses is mapped where that goes. */
	f = fixture_create("refuse");
	looking_start(&l, f, IMPORT_ALWAYS, true);
	assert_int_equal(look(&l, 1, &view), 0);
	check_view(&l, &view, WIDTH * 4);
	looking_end(&l);
	fixture_destroy(f);
}

static void test_capture_without_node(void **state)
{
	struct fixture *f = fixture_create("good");
	struct looking l;
	struct view view;

	looking_start(&l, f, IMPORT_AUTO, false);
	forbid_mapping(f->dmabuf);
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(look(&l, 1, &view), -ENODEV);
		assert_non_null(strstr(capture_reason(l.capture), "no render node is given"));
	}
	assert_int_equal(l.driver.gets, 1);
	looking_end(&l);
	fixture_destroy(f);
}

/* A refusal keeps the buffer, so that the guest's driver is not asked for it each time. */
static void test_capture_refused(void **state)
{
	struct fixture *f = fixture_create("refuse");
	struct looking l;
	struct view view;

	looking_start(&l, f, IMPORT_AUTO, true);
	forbid_mapping(f->dmabuf);
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(look(&l, 1, &view), -ENODEV);
		assert_non_null(strstr(capture_reason(l.capture), "does not take"));
	}
	assert_int_equal(l.driver.gets, 1);
	looking_end(&l);
	fixture_destroy(f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_resize_is_refused),
		cmocka_unit_test(test_wrongs),
		cmocka_unit_test(test_comes_back),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_starts_become_rare),
		cmocka_unit_test(test_slow_start),
		cmocka_unit_test(test_stopping),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_not_installed),
		cmocka_unit_test(test_capture_imports),
		cmocka_unit_test(test_capture_of_a_gpus_layout),
		cmocka_unit_test(test_capture_prefers_the_mapping),
		cmocka_unit_test(test_capture_always_imports),
		cmocka_unit_test(test_capture_without_node),
		cmocka_unit_test(test_capture_refused),
	};
	const char *slash = strrchr(argv[0], '/');

	/* Built beside this one. */
	snprintf(stand_in, sizeof(stand_in), "%.*simport-stand-in",
		slash ? (int)(slash - argv[0]) + 1 : 0, argv[0]);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
