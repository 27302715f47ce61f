/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * A server may send a picture at any moment from its first new pixel on, whether or not it was told. So a viewer's picture counts as the
 * new one only when it is compared with the whole of it: comparing takes the read side of the stage's lock, writing the other
 * side. The time of a picture begins when its last pixel was written, and ends when the update that made it complete had been
 * decoded; the comparison comes after that.
 */
#include "peers/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peers/usage.h"

#define PART 64
#define LATE \
	0.5 /* of the error beside the picture before: more says that a seventh or more of what changed is not there */

pthread_mutex_t stage_events = PTHREAD_MUTEX_INITIALIZER;
struct samples stage_latency;
static pthread_cond_t event = PTHREAD_COND_INITIALIZER;

void samples_add(struct samples *s, double value)
{
	if (s->count == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		double *more = realloc(s->values, room * sizeof(*more));

		if (!more)
			abort();
		s->values = more;
		s->room = room;
	}
	s->values[s->count++] = value;
}

static uint32_t *row_of(const struct stage *s, uint32_t y)
{
	return (uint32_t *)(void *)(s->map + s->offset + y * s->stride);
}

/* ---- The picture ---- */

static int map_file(struct stage *s, const char *path, size_t size)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *map;

	if (fd < 0)
		return -errno;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return -errno;
	s->map = map;
	s->map_size = size;
	return 0;
}

static void write_changed(struct stage *s)
{
	const struct scene *scene = s->scene;

	for (uint32_t y = 0; y < scene->height; y++) {
		const uint32_t *from = &scene->pixels[(size_t)y * scene->width];
		uint32_t *to = row_of(s, y), first = 0, end = scene->width;

		if (memcmp(to, from, (size_t)scene->width * 4) == 0)
			continue;
		while (to[first] == from[first])
			first++;
		while (to[end - 1] == from[end - 1])
			end--;
		memcpy(to + first, from + first, (size_t)(end - first) * 4);
	}
}

static void keep_before(struct stage *s)
{
	size_t bytes = (size_t)s->scene->width * 4;

	if (!s->before)
		s->before = malloc(bytes * s->scene->height);
	for (uint32_t y = 0; s->before && y < s->scene->height; y++)
		memcpy(s->before + (size_t)y * s->scene->width, row_of(s, y), bytes);
}

static void publish(struct stage *s)
{
	pthread_rwlock_wrlock(&s->lock);
	if (s->keeps)
		keep_before(s);
	write_changed(s);
	s->drawn = false;
	s->written++;
	s->written_ms = now_ms();
	pthread_rwlock_unlock(&s->lock);
	if (s->flip >= 0 && write(s->flip, &(uint64_t){1}, 8) != 8)
		perror("telling the server");
}

int stage_open(const char *path, size_t offset, size_t stride, int flip, const struct scene *scene,
	struct stage **ret_stage)
{
	struct stage *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	pthread_rwlock_init(&s->lock, NULL);
	s->offset = offset;
	s->stride = stride;
	s->flip = flip;
	r = scene_copy(scene, &s->scene);
	if (r == 0)
		r = map_file(s, path, offset + stride * scene->height);
	if (r < 0) {
		scene_destroy(s->scene);
		free(s);
		return r;
	}
	publish(s);
	*ret_stage = s;
	return 0;
}

void stage_draw(struct stage *stage)
{
	if (!stage->drawn)
		scene_step(stage->scene);
	stage->drawn = true;
}

void stage_next(struct stage *stage)
{
	stage_draw(stage);
	publish(stage);
}

/* ---- Viewers ---- */

/* Pixels that differ, up to NEARLY + 1. */
static uint64_t count_wrong(const struct stage *s, const struct viewer *v)
{
	uint64_t wrong = 0;

	for (uint32_t y = 0; y < v->height && wrong <= NEARLY; y++) {
		const uint32_t *a = row_of(s, y), *b = &v->pixels[(size_t)y * v->width];

		if (memcmp(a, b, (size_t)v->width * 4) == 0)
			continue;
		for (uint32_t x = 0; x < v->width && wrong <= NEARLY; x++)
			wrong += a[x] != b[x];
	}
	return wrong;
}

static uint64_t hash(const struct viewer *v)
{
	uint64_t sum = 1469598103934665603ULL;

	for (size_t i = 0; i < (size_t)v->width * v->height; i++)
		sum = (sum ^ v->pixels[i]) * 1099511628211ULL;
	return sum;
}

static void look(struct seat *seat, double at_ms)
{
	struct stage *s = seat->stage;
	uint64_t wrong, written;

	pthread_rwlock_rdlock(&s->lock);
	written = s->written;
	if (seat->seen == written) {
		pthread_rwlock_unlock(&s->lock);
		return;
	}
	wrong = count_wrong(s, seat->viewer);
	pthread_mutex_lock(&stage_events);
	seat->update_ms = at_ms;
	seat->left = wrong;
	if (wrong == 0) {
		seat->seen = written;
		if (!s->uncounted)
			samples_add(&stage_latency, at_ms - s->written_ms);
	}
	pthread_cond_broadcast(&event);
	pthread_mutex_unlock(&stage_events);
	pthread_rwlock_unlock(&s->lock);
	if (wrong == 0 && seat->marks)
		fprintf(seat->marks, "%llu %016llx\n", (unsigned long long)seat->viewer->bytes,
			(unsigned long long)hash(seat->viewer));
}

static void *run_seat(void *data)
{
	struct seat *seat = data;
	int r = viewer_request(seat->viewer, 0);

	while (r == 0) {
		r = viewer_update(seat->viewer);
		if (r == 0 && seat->checked)
			look(seat, now_ms());
	}
	pthread_mutex_lock(&stage_events);
	seat->error = r;
	pthread_cond_broadcast(&event);
	pthread_mutex_unlock(&stage_events);
	return NULL;
}

int stage_seat(struct stage *s, const char *address, const struct viewer_wish *wish, bool checked,
	uint32_t rate, FILE *record, FILE *marks)
{
	struct seat *seat;
	int r;

	if (!s->seats)
		s->seats = calloc(64, sizeof(*s->seats));
	if (!s->seats || s->seats_used == 64)
		return -ENOMEM;
	seat = &s->seats[s->seats_used];
	seat->stage = s;
	seat->checked = checked;
	seat->marks = marks;
	seat->left = NEARLY + 1;
	r = viewer_connect(address, wish, record, &seat->viewer);
	if (r < 0)
		return r;
	if (seat->viewer->width != s->scene->width || seat->viewer->height != s->scene->height) {
		fprintf(stderr, "the server shows %ux%u\n", seat->viewer->width,
			seat->viewer->height);
		return -ERANGE;
	}
	seat->viewer->rate = rate;
	r = -pthread_create(&seat->thread, NULL, run_seat, seat);
	if (r == 0)
		s->seats_used++;
	return r;
}

/* What stage_wait() returns, or 1000 while there is something to wait for. */
static int state(struct stage *s, double now)
{
	int worst = 0;

	for (size_t i = 0; i < s->seats_used; i++) {
		struct seat *seat = &s->seats[i];

		if (seat->error)
			return -1;
		if (!seat->checked || seat->seen == s->written)
			continue;
		if (seat->left > NEARLY || seat->update_ms < s->written_ms ||
			now < seat->update_ms + QUIET_MS)
			return 1000;
		worst = (int)seat->left > worst ? (int)seat->left : worst;
	}
	return worst;
}

int stage_wait(struct stage *s, double timeout_ms)
{
	double end = now_ms() + timeout_ms;
	int r;

	pthread_mutex_lock(&stage_events);
	for (;;) {
		struct timespec until;
		double now = now_ms();

		r = state(s, now);
		if (r != 1000 || now > end)
			break;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 20000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&event, &stage_events, &until);
	}
	pthread_mutex_unlock(&stage_events);
	return r == 1000 ? -1 : r;
}

void stage_rest(struct stage *s, double quiet_ms)
{
	double since = now_ms(), end = since + 8 * quiet_ms;

	while (!stage_done(s) && now_ms() < since + quiet_ms && now_ms() < end) {
		usleep(20000);
		pthread_mutex_lock(&stage_events);
		for (size_t i = 0; i < s->seats_used; i++)
			if (s->seats[i].update_ms > since)
				since = s->seats[i].update_ms;
		pthread_mutex_unlock(&stage_events);
	}
}

bool stage_done(struct stage *s)
{
	int r;

	pthread_mutex_lock(&stage_events);
	r = state(s, now_ms());
	pthread_mutex_unlock(&stage_events);
	return r >= 0 && r != 1000;
}

/* ---- Figures ---- */

/* Of few bytes, so that compilers make few instructions of it. */
static uint32_t error_of_part(const uint8_t *a, const uint8_t *b)
{
	uint32_t sum = 0;

	for (int i = 0; i < PART; i++) {
		int16_t d = (int16_t)(a[i] - b[i]);

		sum += (uint32_t)(d * d);
	}
	return sum;
}

static uint64_t error_of_row(const uint8_t *a, const uint8_t *b, size_t bytes)
{
	uint64_t sum = 0;
	size_t i = 0;

	if (memcmp(a, b, bytes) == 0)
		return 0;
	for (; bytes - i >= PART; i += PART)
		if (memcmp(a + i, b + i, PART) != 0)
			sum += error_of_part(a + i, b + i);
	for (; i < bytes; i++)
		sum += (uint64_t)((a[i] - b[i]) * (a[i] - b[i]));
	return sum;
}

/* Mean square error of the first seat's picture, beside rows of @stride bytes. */
static double error_beside(const struct stage *s, const void *pixels, size_t stride)
{
	struct viewer *v = s->seats[0].viewer;
	uint64_t sum = 0;

	pthread_mutex_lock(&v->lock);
	for (uint32_t y = 0; y < v->height; y++)
		sum += error_of_row((const uint8_t *)pixels + y * stride,
			(const uint8_t *)&v->pixels[(size_t)y * v->width], (size_t)v->width * 4);
	pthread_mutex_unlock(&v->lock);
	return (double)sum / (3.0 * v->width * v->height);
}

bool stage_late(struct stage *s, double *ret_error)
{
	double error = error_beside(s, s->map + s->offset, s->stride);

	*ret_error = error;
	return s->before && error > LATE * error_beside(s, s->before, (size_t)s->scene->width * 4);
}

uint64_t stage_bytes(const struct stage *s)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < s->seats_used; i++)
		bytes += s->seats[i].checked ? s->seats[i].viewer->bytes : 0;
	return bytes;
}

void stage_close(struct stage *s)
{
	for (size_t i = 0; i < s->seats_used; i++) {
		shutdown(s->seats[i].viewer->fd, SHUT_RDWR);
		pthread_join(s->seats[i].thread, NULL);
		viewer_destroy(s->seats[i].viewer);
	}
	munmap(s->map, s->map_size);
	scene_destroy(s->scene);
	pthread_rwlock_destroy(&s->lock);
	free(s->seats);
	free(s->before);
	free(s);
}
