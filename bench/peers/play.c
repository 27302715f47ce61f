/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-play: shows a scene at a server's displays, looks at them as its viewers do, and says what that took.
 *
 *   bench-play [OPTION...] DISPLAY...      DISPLAY: FILE,OFFSET,STRIDE,FLIP,SOCKET
 *
 * FILE is where the server's pixels are, FLIP a descriptor that gets 8 bytes when a picture is complete, or -1; SOCKET a Unix socket
 * that speaks RFB. Started by peers/run. The last line that it prints is one JSON object.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peers/brush.h"
#include "peers/film.h"
#include "peers/stage.h"
#include "peers/usage.h"

enum {
	PIDS = 16,
	ACTIVE_MS = 200,
	KEY_BEFORE_MS = 20,
	TIMEOUT_MS = 6000,
	REFRESH_MS =
		1200, /* no update for so long: none that makes a lossy picture exact is to come */
};

struct play {
	const char *mode, *scene, *record, *marks;
	uint32_t width, height;
	struct viewer_wish wish;
	int frames, viewers, slow, pause_ms, fps, settle_ms, seconds, pokes, active;
	int rests, active_rests, refresh_ms, windows;
	bool keys, hold;
	pid_t pids[PIDS];
	size_t pids_used;
	struct stage **stages;
	size_t stages_used;
	FILE *record_file, *marks_file;
	uint64_t random;

	size_t poked; /* so often: the next one is another display */
	atomic_bool pokes_over;
	int missed, wrong;
	struct samples errors; /* mean square errors of pictures */
	double took_ms, cpu_ms;
	uint64_t wakeups, bytes;
};

static void sleep_ms(double ms)
{
	if (ms > 0)
		usleep((useconds_t)(ms * 1000));
}

static struct stage *first(const struct play *p)
{
	return p->stages[0];
}

static void begin(struct play *p, struct usage *usage)
{
	stage_latency.count = 0;
	p->bytes = 0;
	for (size_t i = 0; i < p->stages_used; i++)
		p->bytes += stage_bytes(p->stages[i]);
	*usage = usage_of(p->pids, p->pids_used);
}

static void end(struct play *p, const struct usage *usage)
{
	struct usage after = usage_of(p->pids, p->pids_used);
	uint64_t bytes = 0;

	for (size_t i = 0; i < p->stages_used; i++)
		bytes += stage_bytes(p->stages[i]);
	p->bytes = bytes - p->bytes;
	p->cpu_ms = after.cpu_ms - usage->cpu_ms;
	p->wakeups = after.wakeups - usage->wakeups;
	p->took_ms = after.at_ms - usage->at_ms;
}

static void note(struct play *p, int wrong)
{
	if (wrong < 0)
		p->missed++;
	else if (wrong > p->wrong)
		p->wrong = wrong;
}

/* Pauses of different lengths, so that no poller's rhythm fits. */
static double pause_of(struct play *p)
{
	return p->pause_ms * (0.75 + brush_below(&p->random, 1000) / 2000.0);
}

/* A letter on a display in use. */
static void type_on(struct stage *stage)
{
	viewer_type(stage->seats[0].viewer, 'a');
	stage_next(stage);
}

static void next(struct play *p, struct stage *stage)
{
	if (p->keys) {
		viewer_type(stage->seats[0].viewer, 'a');
		sleep_ms(KEY_BEFORE_MS);
	}
	stage_next(stage);
}

/* Each frame waits until the one before it has arrived everywhere. As many pauses are measured as frames; what is left to do after the
 * last one stands against what was left after the first, which is not measured. */
static void play_lock(struct play *p)
{
	struct usage usage;

	next(p, first(p)); /* one for what a server does only at its first change */
	note(p, stage_wait(first(p), TIMEOUT_MS));
	begin(p, &usage);
	for (int i = 0; i < p->frames; i++) {
		sleep_ms(pause_of(p));
		next(p, first(p));
		note(p, stage_wait(first(p), TIMEOUT_MS));
	}
	end(p, &usage);
}

/* Frames come at their own pace, and each stands as long as any other, however long it takes to draw the next one meanwhile. Just before that is
 * shown it is measured how near the viewer's picture is to the last, if it is that one. */
static void play_flow(struct play *p)
{
	struct usage usage;
	double error;

	first(p)->keeps = true;
	begin(p, &usage);
	for (int i = 0; i < p->frames; i++) {
		next(p, first(p));
		stage_draw(first(p));
		sleep_ms(first(p)->written_ms + 1000.0 / p->fps - now_ms());
		if (stage_late(first(p), &error))
			p->missed++;
		else
			samples_add(&p->errors, error);
	}
	end(p, &usage);
}

/* Displays at rest; the first `active` of them are typed on meanwhile. */
static void rest(struct play *p, int active)
{
	double stop = now_ms() + p->seconds * 1000.0, at = now_ms();
	struct usage usage;

	p->missed = 0;
	begin(p, &usage);
	for (size_t i = 0; now_ms() < stop; i++) {
		at += active ? (double)ACTIVE_MS / active : 50;
		sleep_ms(at - now_ms());
		if (!active)
			continue;
		struct stage *stage = p->stages[i % (size_t)active];

		note(p, stage_done(stage) ? 0 : -1);
		type_on(stage);
	}
	end(p, &usage);
}

static void print_samples(const char *name, const struct samples *samples)
{
	printf("\"%s\": [", name);
	for (size_t i = 0; i < samples->count; i++)
		printf("%s%.3f", i ? ", " : "", samples->values[i]);
	printf("]");
}

static void print(struct play *p)
{
	uint64_t moves = 0, pictures = 0, shots = 0, updates = 0, rectangles = 0;

	for (size_t i = 0; i < first(p)->seats_used; i++) {
		struct viewer *v = first(p)->seats[i].viewer;

		moves += v->moves;
		pictures += v->pictures;
		shots += v->shots;
		updates += v->updates;
		rectangles += v->rectangles;
	}
	printf("{\"cpu_ms\": %.4f, \"took_ms\": %.1f, \"bytes\": %llu, \"wakeups\": %llu, "
	       "\"missed\": %d, \"wrong\": %d, "
	       "\"moves\": %llu, \"jpegs\": %llu, \"shots\": %llu, \"updates\": %llu, "
	       "\"rectangles\": %llu, ",
		p->cpu_ms, p->took_ms, (unsigned long long)p->bytes, (unsigned long long)p->wakeups,
		p->missed, p->wrong, (unsigned long long)moves, (unsigned long long)pictures,
		(unsigned long long)shots, (unsigned long long)updates,
		(unsigned long long)rectangles);
	print_samples("latency_ms", &stage_latency);
	printf(", ");
	print_samples("errors", &p->errors);
	printf("}\n");
	fflush(stdout);
}

/* One after the other without a break, a JSON line for each; the last one is printed by who called. */
static void play_flows(struct play *p)
{
	for (int i = 0; i < p->windows; i++) {
		if (i)
			print(p);
		p->missed = 0;
		p->errors.count = 0;
		play_flow(p);
	}
}

static void *run_active(void *data)
{
	struct play *p = data;

	for (size_t i = 0; !p->pokes_over; i++) {
		sleep_ms((double)ACTIVE_MS / p->active);
		type_on(p->stages[i % (size_t)p->active]);
	}
	return NULL;
}

/* One change at a time, at the display that has been at rest for the longest time; those in use go on meanwhile, and do not count. */
static void poke(struct play *p, size_t active)
{
	size_t quiet = p->stages_used - active;
	pthread_t thread;
	struct usage usage;

	p->missed = 0;
	p->pokes_over = false;
	for (size_t i = 0; i < active; i++)
		p->stages[i]->uncounted = true;
	if (active && pthread_create(&thread, NULL, run_active, p) != 0)
		abort();
	begin(p, &usage);
	for (int i = 0; i < p->pokes; i++) {
		struct stage *stage = p->stages[active + p->poked++ % quiet];

		sleep_ms(pause_of(p));
		next(p, stage);
		note(p, stage_wait(stage, TIMEOUT_MS));
	}
	end(p, &usage);
	p->pokes_over = true;
	if (active)
		pthread_join(thread, NULL);
	for (size_t i = 0; i < active; i++)
		p->stages[i]->uncounted = false;
}

/* Rests, each a JSON line of its own, and after each the pokes, another one; the last one is printed by who called. */
static void play_idle(struct play *p)
{
	int rests = p->rests + p->active_rests;

	for (int i = 0; i < rests; i++) {
		int active = i < p->rests ? 0 : p->active;

		rest(p, active);
		if (!p->pokes && i + 1 == rests)
			break;
		print(p);
		if (!p->pokes)
			continue;
		poke(p, (size_t)active);
		if (i + 1 < rests)
			print(p);
	}
}

/* ---- Options ---- */

static _Noreturn void die(const char *what, int r)
{
	fprintf(stderr, "bench-play: %s: %s\n", what, strerror(-r));
	exit(EXIT_FAILURE);
}

static void add_pids(struct play *p, char *words)
{
	for (char *word = strtok(words, ","); word && p->pids_used < PIDS; word = strtok(NULL, ","))
		p->pids[p->pids_used++] = (pid_t)strtol(word, NULL, 10);
}

enum {
	MODE,
	SCENE,
	SIZE,
	FRAMES,
	VIEWERS,
	SLOW,
	QUALITY,
	PAUSE,
	FPS,
	SETTLE,
	SECONDS,
	POKES,
	ACTIVE,
	RESTS,
	ACTIVE_RESTS,
	REFRESH,
	WINDOWS,
	KEYS,
	H264,
	HOLD,
	THE_PIDS,
	RECORD,
	MARKS,
	SEED
};

static const struct option options[] = {
	{"mode", required_argument, NULL, MODE}, /* lock, flow, idle */
	{"scene", required_argument, NULL, SCENE},
	{"size", required_argument, NULL, SIZE}, /* WIDTHxHEIGHT */
	{"frames", required_argument, NULL, FRAMES},
	{"viewers", required_argument, NULL, VIEWERS}, /* of each display */
	{"slow", required_argument, NULL, SLOW}, /* one more that reads so many bytes a second */
	{"quality", required_argument, NULL, QUALITY}, /* JPEG 0 to 9; -1: lossless */
	{"pause", required_argument, NULL, PAUSE},     /* ms between frames, 3/4 to 5/4 of that */
	{"fps", required_argument, NULL, FPS},
	{"settle", required_argument, NULL,
		SETTLE}, /* ms after the first picture, before anything counts */
	{"seconds", required_argument, NULL, SECONDS}, /* of rest */
	{"pokes", required_argument, NULL, POKES},
	{"windows", required_argument, NULL,
		WINDOWS}, /* how often `frames` are measured, in flow */
	{"refresh", required_argument, NULL,
		REFRESH}, /* ms without an update, then a lossy first picture remains so */
	{"rests", required_argument, NULL, RESTS},
	{"active-rests", required_argument, NULL,
		ACTIVE_RESTS}, /* and so many more with `active` displays typed on */
	{"active", required_argument, NULL, ACTIVE},
	{"keys", no_argument, NULL,
		KEYS}, /* a key from the first viewer, 20 ms before each frame */
	{"h264", no_argument, NULL, H264}, /* its viewers know it */
	{"hold", no_argument, NULL, HOLD}, /* when all is settled: says so, and waits for a line */
	{"pids", required_argument, NULL, THE_PIDS},
	{"record", required_argument, NULL,
		RECORD}, /* what the first viewer gets, for bench-replay */
	{"marks", required_argument, NULL, MARKS},
	{"seed", required_argument, NULL, SEED},
	{NULL, 0, NULL, 0},
};

static void set(struct play *p, int option, char *value)
{
	const struct {
		int option, *number;
	} numbers[] = {{FRAMES, &p->frames}, {VIEWERS, &p->viewers}, {SLOW, &p->slow},
		{QUALITY, &p->wish.quality}, {PAUSE, &p->pause_ms}, {FPS, &p->fps},
		{SETTLE, &p->settle_ms}, {SECONDS, &p->seconds}, {POKES, &p->pokes},
		{ACTIVE, &p->active}, {RESTS, &p->rests}, {ACTIVE_RESTS, &p->active_rests},
		{REFRESH, &p->refresh_ms}, {WINDOWS, &p->windows}};
	const struct {
		int option;
		const char **text;
	} texts[] = {
		{MODE, &p->mode}, {SCENE, &p->scene}, {RECORD, &p->record}, {MARKS, &p->marks}};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].option == option)
			*numbers[i].number = (int)strtol(value, NULL, 10);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].option == option)
			*texts[i].text = value;
	if (option == SIZE && sscanf(value, "%ux%u", &p->width, &p->height) != 2)
		die(value, -EINVAL);
	if (option == THE_PIDS)
		add_pids(p, value);
	if (option == SEED)
		p->random = strtoull(value, NULL, 10);
	p->keys |= option == KEYS;
	p->hold |= option == HOLD;
	p->wish.h264 |= option == H264;
}

static void open_display(
	struct play *p, const struct scene *scene, char *text, struct stage **ret_stage)
{
	char *words[5] = {0};
	int r;

	for (int i = 0; i < 5; i++) {
		words[i] = strsep(&text, ",");
		if (!words[i])
			die("FILE,OFFSET,STRIDE,FLIP,SOCKET", -EINVAL);
	}
	r = stage_open(words[0], strtoul(words[1], NULL, 10), strtoul(words[2], NULL, 10),
		(int)strtol(words[3], NULL, 10), scene, ret_stage);
	if (r < 0)
		die(words[0], r);
	for (int i = 0; r == 0 && i < p->viewers; i++)
		r = stage_seat(*ret_stage, words[4], &p->wish, true, 0, i ? NULL : p->record_file,
			i ? NULL : p->marks_file);
	if (r == 0 && p->slow)
		r = stage_seat(
			*ret_stage, words[4], &p->wish, false, (uint32_t)p->slow, NULL, NULL);
	if (r < 0)
		die(words[4], r);
}

static void open_all(struct play *p, char **displays, size_t count)
{
	struct scene *scene = NULL;
	int r = scene_create(p->scene, p->width, p->height, &scene);

	if (r < 0)
		die(p->scene, r);
	p->record_file = p->record ? fopen(p->record, "we") : NULL;
	p->marks_file = p->marks ? fopen(p->marks, "we") : NULL;
	p->stages = calloc(count, sizeof(struct stage *));
	if (!p->stages || (p->record && !p->record_file) || (p->marks && !p->marks_file))
		die("recording", -errno);
	for (; p->stages_used < count; p->stages_used++)
		open_display(p, scene, displays[p->stages_used], &p->stages[p->stages_used]);
	scene_destroy(scene);
	for (size_t i = 0; i < count && p->wish.quality < 0; i++) {
		int wrong = stage_wait(p->stages[i], 60000);

		if (wrong < 0)
			die("the first picture does not come", -ETIMEDOUT);
		p->wrong = wrong > p->wrong ? wrong : p->wrong;
	}
	if (p->wish.quality >= 0)
		stage_rest(first(p), p->refresh_ms);
	sleep_ms(p->settle_ms);
}

int main(int argc, char **argv)
{
	struct play p = {.mode = "lock",
		.scene = "type",
		.width = 1920,
		.height = 1080,
		.frames = 12,
		.viewers = 1,
		.wish = {.quality = -1},
		.pause_ms = 170,
		.fps = 10,
		.settle_ms = 100,
		.seconds = 10,
		.rests = 1,
		.refresh_ms = 1200,
		.windows = 1,
		.random = 1};
	int option;

	signal(SIGPIPE, SIG_IGN);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return EXIT_FAILURE;
		set(&p, option, optarg);
	}
	if (optind == argc)
		die("no display", -EINVAL);
	if (p.wish.h264 && !film_there())
		die("built without libavcodec", -ENOTSUP);
	open_all(&p, argv + optind, (size_t)(argc - optind));
	if (p.hold) {
		printf("{\"settled\": true}\n");
		fflush(stdout);
		if (getchar() == EOF)
			return EXIT_FAILURE;
	}
	if (strcmp(p.mode, "lock") == 0)
		play_lock(&p);
	else if (strcmp(p.mode, "flow") == 0)
		play_flows(&p);
	else
		play_idle(&p);
	print(&p);
	for (size_t i = 0; i < p.stages_used; i++)
		stage_close(p.stages[i]);
	if (p.record_file)
		fclose(p.record_file);
	if (p.marks_file)
		fclose(p.marks_file);
	free(p.stages);
	free(stage_latency.values);
	free(p.errors.values);
	return EXIT_SUCCESS;
}
