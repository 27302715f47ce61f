/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-daemon: what a running vfio-displayd costs at rest, and how long one changed tile takes to a viewer.
 *
 *   bench-daemon PATH/TO/vfio-displayd [SECONDS [ROUNDS]]
 *
 * Starts the daemon with a surface of its own, without systemd, and measures, one after the other: no viewer; one viewer and
 * nothing changes; then ROUNDS times one changed tile, from the eventfd to the last byte of the update, raw encoding. In between
 * rounds a chain of the same number of thread and socket hops that only passes a byte on is timed: the floor under any design of this
 * shape. CPU time is the scheduler's (schedstat), wake-ups are voluntary context switches of every thread.
 */
#include <dirent.h>
#include <drm_fourcc.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "base/mem.h"
#include "varlink/client.h"
#include "vfio-displayd/surface.h"

enum { WIDTH = 1920, HEIGHT = 1080, PIXELS_AT = 4096, HOPS = 5, TILE = 64 };

#define METHOD(name) "org.vfiodisplay.Display." name

extern char **environ;

static _Noreturn void die(const char *what, int r)
{
	fprintf(stderr, "bench-daemon: %s: %s\n", what, strerror(r < 0 ? -r : r));
	exit(EXIT_FAILURE);
}

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

/* ---- What a process has used ---- */

struct usage {
	double cpu_us;
	unsigned long switches;
};

static void add_thread(const char *pid, const char *tid, struct usage *usage)
{
	unsigned long long ns = 0;
	unsigned long switches;
	char path[600], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/task/%s/schedstat", pid, tid);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fscanf(file, "%llu", &ns) == 1)
		usage->cpu_us += ns / 1e3;
	fclose(file);
	snprintf(path, sizeof(path), "/proc/%s/task/%s/status", pid, tid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "voluntary_ctxt_switches: %lu", &switches) == 1)
			usage->switches += switches;
	if (file)
		fclose(file);
}

static void add_process(pid_t pid, struct usage *usage)
{
	char path[64], name[16];
	struct dirent *entry;
	DIR *dir;

	snprintf(name, sizeof(name), "%d", pid);
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			add_thread(name, entry->d_name, usage);
	if (dir)
		closedir(dir);
}

/* The daemon and its children. */
static struct usage usage_of(pid_t daemon)
{
	struct usage usage = {0};
	char path[64];
	FILE *file;
	int child;

	add_process(daemon, &usage);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", daemon, daemon);
	file = fopen(path, "re");
	while (file && fscanf(file, "%d", &child) == 1)
		add_process(child, &usage);
	if (file)
		fclose(file);
	return usage;
}

static void rest(pid_t daemon, const char *what, int seconds)
{
	struct usage before, after;

	sleep(2); /* what has just begun settles */
	before = usage_of(daemon);
	sleep(seconds);
	after = usage_of(daemon);
	printf("%-34s %8.4f %% of a core, %lu wake-ups in %d s\n", what,
		(after.cpu_us - before.cpu_us) / seconds / 1e4, after.switches - before.switches,
		seconds);
}

/* ---- The display ---- */

struct stand {
	pid_t daemon;
	char dir[32], control[64];
	struct varlink_client *client;
	uint8_t *map;
	int surface, change, lease[2], viewer;
};

static void start_daemon(struct stand *s, const char *program)
{
	char *arguments[] = {(char *)program, (char *)"--control", s->control, NULL};
	int r;

	strcpy(s->dir, "/tmp/bench.XXXXXX");
	if (!mkdtemp(s->dir))
		die("mkdtemp", errno);
	snprintf(s->control, sizeof(s->control), "%s/control", s->dir);
	r = posix_spawn(&s->daemon, program, NULL, NULL, arguments, environ);
	if (r)
		die(program, r);
	for (int i = 0; i < 100; i++) {
		if (varlink_client_connect(s->control, &s->client) == 0)
			return;
		usleep(50000);
	}
	die("the daemon does not answer", ETIMEDOUT);
}

static void make_surface(struct stand *s)
{
	size_t size = PIXELS_AT + WIDTH * HEIGHT * 4;
	struct vfio_displayd_surface *head;

	s->surface = memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (s->surface < 0 || ftruncate(s->surface, size) < 0 ||
		fcntl(s->surface, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		die("memfd", errno);
	s->map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, s->surface, 0);
	if (s->map == MAP_FAILED)
		die("mmap", errno);
	head = (struct vfio_displayd_surface *)s->map;
	*head = (struct vfio_displayd_surface){
		.magic = VFIO_DISPLAYD_SURFACE_MAGIC,
		.version = VFIO_DISPLAYD_SURFACE_VERSION,
		.sequence = 2,
		.planes[0] =
			{
				.start = PIXELS_AT,
				.format = DRM_FORMAT_XRGB8888,
				.width = WIDTH,
				.height = HEIGHT,
				.stride = WIDTH * 4,
				.size = WIDTH * HEIGHT * 4,
			},
	};
	s->change = eventfd(0, EFD_CLOEXEC);
	if (s->change < 0 || pipe2(s->lease, O_CLOEXEC) < 0)
		die("eventfd", errno);
}

static void call(struct stand *s, const char *method, json_t *parameters, const int *fds,
	size_t fds_used, struct varlink_result *ret)
{
	int r = varlink_client_call(s->client, method, parameters, fds, fds_used, ret);

	if (r < 0 || ret->error) {
		fprintf(stderr, "%s: %s\n", method, r < 0 ? strerror(-r) : ret->error);
		exit(EXIT_FAILURE);
	}
}

static void register_display(struct stand *s)
{
	int fds[] = {s->surface, s->change, s->lease[0]};
	struct varlink_result result;

	call(s, METHOD("Register"),
		json_pack("{s:{s:s}, s:s, s:i, s:i, s:i}", "context", "id", "bench", "source",
			"surface", "deviceFileDescriptorIndex", 0, "changeFileDescriptorIndex", 1,
			"leaseFileDescriptorIndex", 2),
		fds, ARRAY_SIZE(fds), &result);
	varlink_result_finish(&result);
}

/* ---- The viewer ---- */

static void take(int fd, void *to, size_t size)
{
	for (uint8_t *at = to; size;) {
		ssize_t n = read(fd, at, size);

		if (n <= 0)
			die("the viewer's connection ended", n < 0 ? errno : EPIPE);
		at += n;
		size -= n;
	}
}

static void give(int fd, const void *from, size_t size)
{
	if (write(fd, from, size) != (ssize_t)size)
		die("write to the viewer's connection", errno);
}

static uint32_t be(const uint8_t *at, int bytes)
{
	uint32_t value = 0;

	for (int i = 0; i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

static void request(int fd, bool incremental)
{
	uint8_t m[10] = {
		3, incremental, 0, 0, 0, 0, WIDTH >> 8, WIDTH & 255, HEIGHT >> 8, HEIGHT & 255};

	give(fd, m, sizeof(m));
}

/* Returns the bytes of pixels in one FramebufferUpdate (RFB 7.6.1), raw. */
static size_t update(int fd)
{
	static uint8_t pixels[WIDTH * HEIGHT * 4];
	uint8_t head[16];
	size_t sum = 0;

	take(fd, head, 4);
	for (uint32_t n = be(head + 2, 2); n; n--) {
		take(fd, head, 12);
		if (be(head + 8, 4) != 0)
			continue; /* no pixels follow */
		sum += be(head + 4, 2) * be(head + 6, 2) * 4;
		take(fd, pixels, be(head + 4, 2) * be(head + 6, 2) * 4);
	}
	return sum;
}

static void attach(struct stand *s)
{
	static const uint8_t encodings[] = {2, 0, 0, 2, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x21};
	struct varlink_result result;
	uint8_t bytes[256];

	call(s, METHOD("Attach"), json_pack("{s:s, s:s}", "id", "bench", "mode", "view"), NULL, 0,
		&result);
	if (result.fds_used != 1)
		die("Attach gave no socket", EPROTO);
	s->viewer = take_fd(&result.fds[0]);
	varlink_result_finish(&result);
	take(s->viewer, bytes, 12);
	give(s->viewer, "RFB 003.008\n", 12);
	take(s->viewer, bytes, 2);
	give(s->viewer, "\1", 1);
	take(s->viewer, bytes, 4);
	give(s->viewer, "\1", 1);
	take(s->viewer, bytes, 24);
	take(s->viewer, bytes, MIN(be(bytes + 20, 4), 255u));
	give(s->viewer, encodings, sizeof(encodings));
	request(s->viewer, false);
	while (update(s->viewer) == 0)
		request(s->viewer, false);
}

/* ---- The floor ---- */

static int hops[HOPS + 1][2];

static void *pass_on(void *arg)
{
	size_t i = (size_t)arg;
	struct pollfd ready = {.fd = hops[i][1], .events = POLLIN};
	char byte[8];

	for (;;) {
		if (poll(&ready, 1, -1) < 1 || read(hops[i][1], byte, 1) < 1 ||
			write(hops[i + 1][0], byte, 1) < 1)
			return NULL;
	}
}

static void start_floor(void)
{
	pthread_t thread;

	for (size_t i = 0; i <= HOPS; i++)
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, hops[i]) < 0)
			die("socketpair", errno);
	for (size_t i = 0; i < HOPS; i++)
		if (pthread_create(&thread, NULL, pass_on, (void *)i))
			die("thread", EAGAIN);
}

static double time_floor(void)
{
	double begin = now_us();
	char byte = 0;

	give(hops[0][0], &byte, 1);
	take(hops[HOPS][1], &byte, 1);
	return now_us() - begin;
}

static void change_tile(struct stand *s, uint32_t round)
{
	uint32_t column = round * 7 % (WIDTH / TILE), row = round * 3 % (HEIGHT / TILE);
	uint32_t *pixels = (uint32_t *)(s->map + PIXELS_AT);

	for (uint32_t y = 0; y < TILE; y++)
		for (uint32_t x = 0; x < TILE; x++)
			pixels[(row * TILE + y) * WIDTH + column * TILE + x] = round * 2654435761u;
}

static double time_tile(struct stand *s, uint32_t round)
{
	uint64_t one = 1;
	double begin;

	request(s->viewer, true);
	usleep(20000); /* the request is there, and the last look is longer ago than the frame rate's limit */
	change_tile(s, round);
	begin = now_us();
	give(s->change, &one, sizeof(one));
	while (update(s->viewer) == 0)
		request(s->viewer, true);
	return now_us() - begin;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void latency(struct stand *s, size_t rounds)
{
	double *tile = calloc(rounds, sizeof(*tile)), *floor = calloc(rounds, sizeof(*floor));

	if (!tile || !floor || !rounds)
		die("rounds", ENOMEM);
	for (size_t i = 0; i < rounds; i++) {
		tile[i] = time_tile(s, i + 1);
		floor[i] = time_floor();
	}
	qsort(tile, rounds, sizeof(*tile), by_value);
	qsort(floor, rounds, sizeof(*floor), by_value);
	printf("eventfd to last byte, one tile     p50 %.0f us, p99 %.0f us (%zu rounds)\n",
		tile[rounds / 2], tile[rounds * 99 / 100], rounds);
	printf("%d hops that only pass a byte on    p50 %.0f us, p99 %.0f us; ratio of p50 %.1f\n",
		HOPS, floor[rounds / 2], floor[rounds * 99 / 100],
		tile[rounds / 2] / floor[rounds / 2]);
	free(tile);
	free(floor);
}

int main(int argc, char **argv)
{
	int seconds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 10;
	int rounds = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 500;
	struct stand stand = {0};

	if (argc < 2) {
		fprintf(stderr, "usage: bench-daemon PATH/TO/vfio-displayd [SECONDS [ROUNDS]]\n");
		return 2;
	}
	start_daemon(&stand, argv[1]);
	make_surface(&stand);
	register_display(&stand);
	rest(stand.daemon, "one display, no viewer", seconds);
	attach(&stand);
	request(stand.viewer, true);
	rest(stand.daemon, "one viewer, eventfd silent", seconds);
	start_floor();
	latency(&stand, rounds);
	kill(stand.daemon, SIGTERM);
	waitpid(stand.daemon, NULL, 0);
	unlink(stand.control);
	rmdir(stand.dir);
	return 0;
}
