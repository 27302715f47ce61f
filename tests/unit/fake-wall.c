/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake-wall.h"

#include <errno.h>
#include <pthread.h>

#include "base/mem.h"
#include "frame/wall.h"

struct wall {
	struct wall_events copy;
	void *arg;
	const struct frame *frame;
	struct fake_seen seen, saw[FAKE_SEEN_KEPT];
	bool asked, granted, grants, closed, program;
	uint32_t asked_generation, untaken;
	uint32_t width, height;
	unsigned int watchers;
	uint64_t audience;
	struct wall_before before;
};

static struct wall fake;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void fake_wall_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.grants = true;
}

int wall_create(struct loop *loop, const struct wall_options *options,
	const struct wall_events *events, void *arg, struct wall **ret)
{
	fake.copy = *events;
	fake.arg = arg;
	*ret = &fake;
	return 0;
}

void wall_close(struct wall *wall)
{
	wall->closed = true;
	if (wall->program)
		fake_wall_end_program();
}

void wall_abandon(struct wall *wall)
{
}

void wall_destroy(struct wall *wall)
{
}

unsigned int wall_viewers_ready(const struct wall *wall)
{
	return wall->watchers;
}

unsigned int wall_watchers(const struct wall *wall)
{
	return wall->watchers;
}

uint64_t wall_audience(const struct wall *wall)
{
	return wall->audience;
}

size_t wall_viewers(const struct wall *wall, const struct wall_viewer **ret)
{
	return 0;
}

void wall_leds(struct wall *wall, uint32_t bits)
{
}

void wall_pointer_mode(struct wall *wall, bool relative)
{
}

int wall_detach(struct wall *wall, const char *name, const char *reason)
{
	return -ENOENT;
}

void wall_unlisten(struct wall *wall)
{
}

void wall_give(struct wall *wall, const struct wall_events *events, void *arg)
{
	wall->copy = *events;
	wall->arg = arg;
}

void wall_policy(struct wall *wall, const struct link_policy *policy)
{
}

void wall_log_level(struct wall *wall)
{
}

void wall_name(struct wall *wall, const char *name)
{
}

void wall_challenge(struct wall *wall, const uint8_t challenge[LINK_CHALLENGE])
{
}

bool wall_verdict(struct wall *wall, uint64_t check, uint32_t mode, const char *label, int fd)
{
	return false;
}

void wall_show(struct wall *wall, const struct frame *frame)
{
	pthread_mutex_lock(&lock);
	wall->frame = frame;
	wall->asked = wall->granted = false;
	if (frame)
		wall->untaken = frame->header.generation;
	pthread_mutex_unlock(&lock);
}

static bool shows(const struct wall *wall, uint32_t generation)
{
	return wall->program && wall->frame && wall->frame->header.generation == generation;
}

int wall_want_write(struct wall *wall, uint32_t generation)
{
	int r = -EPIPE;

	pthread_mutex_lock(&lock);
	if (shows(wall, generation)) {
		wall->asked = true;
		wall->asked_generation = generation;
		r = 0;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

int wall_publish(struct wall *wall, const struct wall_news *news)
{
	int r = -EPIPE;

	pthread_mutex_lock(&lock);
	if (shows(wall, news->generation)) {
		const struct frame_header *live = frame_live(wall->frame);

		wall->seen = (struct fake_seen){
			.publishes = wall->seen.publishes + 1,
			.generation = news->generation,
			.audience = news->audience,
			.width = live->width,
			.height = live->height,
			.placard = live->placard,
			.pixel = *frame_pixels(wall->frame),
			.last_pixel =
				frame_pixels(wall->frame)[(live->height - 1) * (live->stride / 4) +
							  live->width - 1],
			.damaged = news->damaged,
			.noticed = news->noticed,
			.cursor = live->cursor,
			.cursor_pixel = *frame_cursor_pixels(wall->frame),
		};
		wall->saw[wall->seen.publishes % FAKE_SEEN_KEPT] = wall->seen;
		wall->granted = false;
		r = 0;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

struct wall_before wall_before(struct wall *wall)
{
	return fake.before;
}

void fake_wall_before(uint32_t generation, uint32_t width, uint32_t height)
{
	fake.before = (struct wall_before){generation, width, height};
}

void wall_stuck(struct wall *wall)
{
}

void wall_sizes(struct wall *wall, uint32_t width, uint32_t height)
{
	pthread_mutex_lock(&lock);
	wall->width = width;
	wall->height = height;
	pthread_mutex_unlock(&lock);
}

void fake_wall_watch(unsigned int watchers)
{
	pthread_mutex_lock(&lock);
	fake.program = true;
	fake.audience += watchers && !fake.watchers;
	fake.watchers = watchers;
	pthread_mutex_unlock(&lock);
	fake.copy.watch(fake.arg, watchers);
}

void fake_wall_resize(uint32_t width, uint32_t height)
{
	fake.copy.resize(fake.arg, width, height);
}

void fake_wall_end_program(void)
{
	pthread_mutex_lock(&lock);
	fake.program = fake.asked = fake.granted = false;
	fake.watchers = 0;
	fake.frame = NULL;
	memset(&fake.seen, 0, sizeof(fake.seen));
	pthread_mutex_unlock(&lock);
	fake.copy.ended(fake.arg);
}

void fake_wall_grants(bool grants)
{
	fake.grants = grants;
}

void fake_wall_turn(void)
{
	uint32_t generation = 0, taken;

	pthread_mutex_lock(&lock);
	taken = fake.program ? fake.untaken : 0;
	fake.untaken = 0;
	if (fake.grants && fake.asked) {
		fake.asked = false;
		fake.granted = true;
		generation = fake.asked_generation;
	}
	pthread_mutex_unlock(&lock);
	if (taken)
		fake.copy.taken(fake.arg, taken);
	if (generation)
		fake.copy.may_write(fake.arg, generation);
}

struct fake_seen fake_wall_seen(void)
{
	struct fake_seen seen;

	pthread_mutex_lock(&lock);
	seen = fake.seen;
	pthread_mutex_unlock(&lock);
	return seen;
}

struct fake_seen fake_wall_saw(unsigned int publish)
{
	struct fake_seen seen;

	pthread_mutex_lock(&lock);
	seen = fake.saw[publish % FAKE_SEEN_KEPT];
	pthread_mutex_unlock(&lock);
	return seen;
}

bool fake_wall_may_read(void)
{
	bool may;

	pthread_mutex_lock(&lock);
	may = !fake.asked && !fake.granted;
	pthread_mutex_unlock(&lock);
	return may;
}

bool fake_wall_asked(void)
{
	bool asked;

	pthread_mutex_lock(&lock);
	asked = fake.asked;
	pthread_mutex_unlock(&lock);
	return asked;
}

bool fake_wall_closed(void)
{
	return fake.closed;
}

void fake_wall_sizes(uint32_t *ret_width, uint32_t *ret_height)
{
	pthread_mutex_lock(&lock);
	*ret_width = fake.width;
	*ret_height = fake.height;
	pthread_mutex_unlock(&lock);
}
