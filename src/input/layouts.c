/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "input/layouts.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/queue.h>

#include "base/loop.h"
#include "base/mem.h"

enum { STACK_BYTES = 512 << 10 };

struct layout_wish {
	LIST_ENTRY(layout_wish) link;
	struct entry *entry; /* NULL: there is none for it */
	layouts_fn fn;	     /* NULL: it has come */
	void *arg;
};

enum entry_state { WAITS, RUNS, READY };

struct entry {
	char name[LIMIT_LAYOUT_CHARS + 1];
	enum entry_state state;
	int error;
	struct layout *layout; /* owned */
	LIST_HEAD(, layout_wish) wishes;
};

/* What the thread works on; it knows nothing else. */
struct job {
	struct layouts *layouts; /* NULL: they are gone. Main thread */
	struct entry *entry;	 /* main thread */
	struct loop *loop;
	char name[LIMIT_LAYOUT_CHARS + 1];
	struct layout *layout;
	int error;
};

struct layouts {
	struct loop *loop;
	struct job *job; /* NULL: no thread runs */
	pthread_t thread;
	size_t used;
	struct entry *entries[LIMIT_LAYOUTS]; /* owned */
};

static void start_next(struct layouts *layouts);

static void grant(struct layout_wish *wish, const struct layout *layout, int error)
{
	layouts_fn fn = take_ptr(wish->fn);

	if (fn)
		fn(wish->arg, layout, error);
}

/* Wishes may end, and others begin, from inside what is told. */
static struct layout_wish *next_waiting(struct entry *entry)
{
	struct layout_wish *wish;

	LIST_FOREACH (wish, &entry->wishes, link)
		if (wish->fn)
			return wish;
	return NULL;
}

static void settle(struct entry *entry, struct layout *layout, int error)
{
	struct layout_wish *wish;

	entry->state = READY;
	entry->layout = layout;
	entry->error = error;
	/* Where its last wish ends, another name's that begins may get its place. */
	while (entry->state == READY && (wish = next_waiting(entry)))
		grant(wish, entry->layout, entry->error);
}

static void on_compiled(void *arg)
{
	struct job *job = arg;
	struct layouts *layouts = job->layouts;

	if (!layouts) {
		layout_destroy(job->layout);
		free(job);
		return;
	}
	pthread_join(layouts->thread, NULL);
	layouts->job = NULL;
	settle(job->entry, job->layout, job->error);
	free(job);
	start_next(layouts);
}

static void *compile(void *arg)
{
	struct job *job = arg;

	job->error = layout_create(job->name, &job->layout);
	/* Without memory for the message nobody hears of it: those that wait stay with "us". */
	loop_post(job->loop, on_compiled, job);
	return NULL;
}

static int start(struct layouts *layouts, struct entry *entry)
{
	struct job *job = new0(struct job);
	pthread_attr_t attr;
	int r;

	if (!job)
		return -ENOMEM;
	*job = (struct job){.layouts = layouts, .entry = entry, .loop = layouts->loop};
	memcpy(job->name, entry->name, sizeof(job->name));
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	r = -pthread_create(&layouts->thread, &attr, compile, job);
	pthread_attr_destroy(&attr);
	if (r < 0) {
		free(job);
		return r;
	}
	entry->state = RUNS;
	layouts->job = job;
	return 0;
}

static void start_next(struct layouts *layouts)
{
	for (size_t i = 0; i < layouts->used && !layouts->job; i++) {
		struct entry *entry = layouts->entries[i];
		int r = entry->state == WAITS ? start(layouts, entry) : 0;

		if (r < 0)
			settle(entry, NULL, r);
	}
}

/* NULL: there is no room. */
static struct entry *place_for(struct layouts *layouts)
{
	struct entry *entry;

	for (size_t i = 0; i < layouts->used && layouts->used == LIMIT_LAYOUTS; i++) {
		entry = layouts->entries[i];
		if (entry->state != READY || !LIST_EMPTY(&entry->wishes))
			continue;
		layout_destroy(entry->layout);
		*entry = (struct entry){.state = WAITS};
		LIST_INIT(&entry->wishes);
		return entry;
	}
	if (layouts->used == LIMIT_LAYOUTS)
		return NULL;
	entry = new0(struct entry);
	if (entry)
		layouts->entries[layouts->used++] = entry;
	return entry;
}

static struct entry *find_entry(struct layouts *layouts, const char *name)
{
	struct entry *entry;

	for (size_t i = 0; i < layouts->used; i++)
		if (strcmp(layouts->entries[i]->name, name) == 0)
			return layouts->entries[i];
	entry = place_for(layouts);
	if (entry)
		memcpy(entry->name, name, strlen(name) + 1);
	return entry;
}

int layouts_want(struct layouts *layouts, const char *name, layouts_fn fn, void *arg,
	struct layout_wish **ret)
{
	struct layout_wish *wish = new0(struct layout_wish);
	bool valid = layout_name_valid(name);

	if (!wish)
		return -ENOMEM;
	wish->fn = fn;
	wish->arg = arg;
	*ret = wish;
	/* "us" is what is built in: nothing is compiled where nobody wants another. */
	if (!layouts || strcmp(name, "us") == 0) {
		grant(wish, NULL, 0);
		return 0;
	}
	wish->entry = valid ? find_entry(layouts, name) : NULL;
	if (!wish->entry) {
		grant(wish, NULL, valid ? -ENOSPC : -EINVAL);
		return 0;
	}
	LIST_INSERT_HEAD(&wish->entry->wishes, wish, link);
	if (wish->entry->state == READY)
		grant(wish, wish->entry->layout, wish->entry->error);
	else
		start_next(layouts);
	return 0;
}

const char *layouts_why(int error)
{
	return error == 0	   ? NULL
	       : error == -EAGAIN  ? "it is being read"
	       : error == -ENOENT  ? "this host has none of this name"
	       : error == -ENOTSUP ? "this daemon was built without libxkbcommon"
	       : error == -ENOSPC  ? "there are too many others"
				   : "out of memory";
}

void layout_wish_end(struct layout_wish *wish)
{
	if (!wish)
		return;
	if (wish->entry)
		LIST_REMOVE(wish, link);
	free(wish);
}

int layouts_create(struct loop *loop, struct layouts **ret)
{
	struct layouts *layouts = new0(struct layouts);

	if (!layouts)
		return -ENOMEM;
	layouts->loop = loop;
	*ret = layouts;
	return 0;
}

void layouts_destroy(struct layouts *layouts)
{
	if (!layouts)
		return;
	if (layouts->job) {
		pthread_join(layouts->thread, NULL);
		layouts->job->layouts = NULL; /* its message finds nobody, and frees it */
	}
	for (size_t i = 0; i < layouts->used; i++) {
		struct entry *entry = layouts->entries[i];
		struct layout_wish *wish;

		while ((wish = LIST_FIRST(&entry->wishes))) {
			LIST_REMOVE(wish, link);
			wish->entry = NULL;
		}
		layout_destroy(entry->layout);
		free(entry);
	}
	free(layouts);
}
