/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * One connection has a pending Subscribe. In a pipe each event is a line. On a terminal the events about displays are the table: those before
 * "ready", at the beginning and after "missed", are all that there is (`fresh`). What only a List tells, how many viewers there are now, and
 * what a display that nobody watches shows, is asked for on another connection: a tenth of a second after the first event that
 * makes it so, all in one go, so that any number of events costs little; and now and then, since a List makes the daemon look. When the
 * daemon goes, it is waited for, and all begins anew.
 *
 * Signals come by a descriptor, so that the terminal is always left in order.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

#include "base/fd.h"
#include "base/mem.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/list.h"
#include "ctl/screen.h"
#include "ctl/session.h"
#include "ctl/table.h"
#include "ctl/verbs.h"

#define INTERFACE "org.vfiodisplay.Display."

enum {
	REDRAW_MS = 100,  /* after the first event that is not shown */
	RETRY_MS = 500,	  /* between tries to reach the daemon */
	ANSWER_MS = 5000, /* to what it is asked */
	ASK_EACH = 16,	  /* more displays than these are not asked for one by one */
	ASK_MS = 5000,	  /* so often all are */
};

struct watch {
	struct ctl *ctl;
	const char *id; /* NULL: all */
	json_t *filter; /* NULL: all events */
	bool live;	/* a table on a terminal */
	struct screen screen;
	int signals;				/* owned */
	struct varlink_client *events, *asking; /* NULL: not connected */
	json_t *entries;    /* by id, in the order in which they came; {context, runtime} */
	json_t *fresh;	    /* the same, until it is whole; NULL: it is not being told */
	json_t *stale;	    /* ids that are to be asked for */
	uint64_t ask_at;    /* all are asked for then */
	bool was_there;	    /* the daemon was reached once */
	bool hears;	    /* it has accepted the subscription */
	uint64_t redraw_at; /* 0: the page is as it should be */
	int status;
	bool ended;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void end_with(struct watch *watch, int status)
{
	watch->ended = true;
	watch->status = status;
}

static void change(struct watch *watch)
{
	if (!watch->redraw_at)
		watch->redraw_at = now_ms() + REDRAW_MS;
}

/* ---- The page ---- */

static char *page(const struct watch *watch)
{
	struct table table = {.heads = LIST_HEADS};
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	json_int_t viewers = 0;
	const char *id;
	json_t *entry;

	if (!file)
		return NULL;
	json_object_foreach (watch->entries, id, entry) {
		viewers += json_integer_value(
			json_object_get(json_object_get(entry, "runtime"), "viewers"));
		list_row(&table, entry);
	}
	fprintf(file, "%zu display%s, %" JSON_INTEGER_FORMAT " viewer%s%s\n\n",
		json_object_size(watch->entries), json_object_size(watch->entries) == 1 ? "" : "s",
		viewers, viewers == 1 ? "" : "s",
		watch->events ? "" : ". vfio-displayd does not answer; waiting for it");
	table_print(&table, file);
	table_finish(&table);
	if (fclose(file) == 0)
		return text;
	free(text);
	return NULL;
}

static void draw(struct watch *watch)
{
	_cleanup_free_ char *text = NULL;

	watch->redraw_at = 0;
	if (!watch->live || watch->ended)
		return;
	text = page(watch);
	if (text)
		screen_show(text);
}

/* ---- What the daemon says ---- */

static void hang_up(struct watch *watch)
{
	varlink_client_destroy(take_ptr(watch->events));
	varlink_client_destroy(take_ptr(watch->asking));
	json_decref(take_ptr(watch->fresh));
	watch->hears = false;
	change(watch);
}

/* One that is pending there ends the subscription, whatever it was about. */
static void lose(struct watch *watch)
{
	bool told = watch->hears;

	hang_up(watch);
	if (watch->live || !told)
		return;
	puts("{\"event\":\"disconnected\"}");
	fflush(stdout);
}

static void take_entry(struct watch *watch, json_t *entry)
{
	const char *id =
		json_string_value(json_object_get(json_object_get(entry, "context"), "id"));

	if (id)
		json_object_set(watch->entries, id, entry);
}

/* List of one, or (NULL) of all. What is gone meanwhile is no error. */
static void ask(struct watch *watch, const char *id)
{
	struct varlink_result result;
	bool more = true;
	int r;

	if (!watch->asking && varlink_client_connect(watch->ctl->socket, &watch->asking) < 0)
		return lose(watch);
	r = varlink_client_send(
		watch->asking, INTERFACE "List", json_pack("{s:s*}", "id", id), !id, NULL, 0);
	while (r >= 0 && more) {
		r = varlink_client_receive(watch->asking, ANSWER_MS, &result);
		if (r < 0)
			break;
		more = result.continues && !result.error;
		if (!result.error)
			take_entry(watch, result.parameters);
		else if (id)
			json_object_del(watch->entries, id);
		varlink_result_finish(&result);
	}
	if (r < 0)
		lose(watch);
}

static void ask_stale(struct watch *watch)
{
	json_t *stale = watch->stale, *value;
	const char *id;

	watch->stale = json_object();
	if (now_ms() >= watch->ask_at || json_object_size(stale) > ASK_EACH) {
		watch->ask_at = now_ms() + ASK_MS;
		ask(watch, watch->id);
	} else {
		json_object_foreach (stale, id, value)
			if (watch->events)
				ask(watch, id);
	}
	json_decref(stale);
}

/* What is told from now on is all that there is. */
static void begin_afresh(struct watch *watch)
{
	json_decref(watch->fresh);
	watch->fresh = json_object();
}

static void note_ready(struct watch *watch)
{
	if (!watch->fresh)
		return;
	json_decref(watch->entries);
	watch->entries = take_ptr(watch->fresh);
	watch->ask_at = now_ms();
}

/* An event for the table. It need not know what happened: only to whom. */
static void note(struct watch *watch, json_t *event)
{
	const char *name = json_string_value(json_object_get(event, "event"));
	const char *id = json_string_value(json_object_get(event, "id"));

	change(watch);
	if (name && strcmp(name, "ready") == 0) {
		note_ready(watch);
	} else if (name && strcmp(name, "missed") == 0) {
		begin_afresh(watch);
	} else if (id && name && strcmp(name, "displayUnregistered") == 0) {
		json_object_del(watch->entries, id);
		json_object_del(watch->stale, id);
	} else if (id && json_is_object(json_object_get(event, "runtime"))) {
		json_object_set(watch->fresh ?: watch->entries, id, event);
	} else if (id) {
		json_object_set_new(watch->stale, id, json_true());
	}
}

static void take_event(struct watch *watch, json_t *event)
{
	watch->hears = true;
	if (watch->live)
		return note(watch, event);
	json_line(event);
	fflush(stdout);
	if (ferror(stdout))
		end_with(watch, CTL_FAILED);
}

/* All that has arrived. */
static void hear(struct watch *watch)
{
	struct varlink_result result;
	int r;

	while (watch->events && !watch->ended) {
		r = varlink_client_receive(watch->events, 0, &result);
		if (r == -ETIMEDOUT)
			return;
		if (r < 0)
			return lose(watch);
		if (!result.error) {
			take_event(watch, result.parameters);
			if (!result.continues)
				lose(watch);
		} else if (strcmp(result.error, INTERFACE "ShuttingDown") == 0) {
			lose(watch);
		} else {
			screen_leave(&watch->screen);
			end_with(watch, complain_error(watch->id, "Subscribe", result.error,
						result.parameters));
		}
		varlink_result_finish(&result);
	}
}

/* The first time what goes wrong ends it, later it is waited for. */
static void reach(struct watch *watch)
{
	int r = varlink_client_connect(watch->ctl->socket, &watch->events);

	if (r < 0) {
		watch->events = NULL;
		if (!watch->was_there || (r != -ENOENT && r != -ECONNREFUSED))
			end_with(watch, complain_connect(watch->ctl->socket, r));
		return;
	}
	watch->was_there = true;
	if (watch->live)
		begin_afresh(watch);
	r = varlink_client_send(watch->events, INTERFACE "Subscribe",
		json_pack("{s:s*, s:O*, s:b}", "id", watch->id, "filter", watch->filter, "current",
			1),
		true, NULL, 0);
	if (r < 0)
		lose(watch);
	change(watch);
}

/* ---- Signals ---- */

static int watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGTSTP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static void on_signal(struct watch *watch)
{
	struct signalfd_siginfo info;

	if (read(watch->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGWINCH) {
		draw(watch);
	} else if (info.ssi_signo == SIGTSTP) {
		screen_leave(&watch->screen);
		raise(SIGSTOP);
		if (watch->live)
			screen_enter(&watch->screen);
		draw(watch);
	} else {
		end_with(watch, CTL_OK);
	}
}

/* ---- Turns ---- */

static int patience(const struct watch *watch)
{
	uint64_t now = now_ms();

	if (!watch->events)
		return RETRY_MS;
	if (!watch->live || watch->fresh)
		return -1;
	if (watch->redraw_at)
		return watch->redraw_at > now ? (int)(watch->redraw_at - now) : 0;
	return watch->ask_at > now ? (int)(watch->ask_at - now) : 0;
}

static void turn(struct watch *watch)
{
	struct pollfd pollfds[] = {
		{.fd = watch->signals, .events = POLLIN},
		{.fd = watch->events ? varlink_client_fd(watch->events) : -1, .events = POLLIN},
		/* Where nobody reads any more there is no sense in going on. */
		{.fd = watch->live ? -1 : 1},
	};

	if (watch->live && !watch->events && watch->redraw_at)
		draw(watch);
	if (poll(pollfds, ARRAY_SIZE(pollfds), patience(watch)) < 0)
		return;
	if (pollfds[0].revents)
		on_signal(watch);
	if (pollfds[2].revents & (POLLERR | POLLHUP))
		end_with(watch, CTL_OK);
	if (watch->ended)
		return;
	if (!watch->events)
		reach(watch);
	hear(watch);
	if (!watch->live || watch->ended || watch->fresh)
		return;
	if (now_ms() >= watch->ask_at)
		change(watch);
	if (!watch->redraw_at || now_ms() < watch->redraw_at)
		return;
	if (watch->events)
		ask_stale(watch);
	draw(watch);
}

const struct option_row watch_options[] = {
	{"event", 1, 0, "LIST",
		"displayRegistered displayState displayResized displayUpdated displayUnregistered "
		"viewerAttached viewerAuthenticated viewerDetached ticketUsed inputLost "
		"powerRequested reloading stopping",
		"only these events, with commas between; no table"},
	{0},
};

/* Words with commas between. */
static int add_filter(struct watch *watch, const char *list)
{
	if (!watch->filter)
		watch->filter = json_array();
	for (size_t n; *list; list += n + (list[n] == ',')) {
		n = strcspn(list, ",");
		if (json_array_append_new(watch->filter, json_stringn(list, n)) < 0)
			return complain_usage("watch", "--event %s is no UTF-8", list);
	}
	return CTL_OK;
}

static int watch_parse(struct watch *watch, int argc, char **argv)
{
	int status;

	while (option_next(watch->ctl, watch_options, argc, argv, &status))
		if (add_filter(watch, optarg) != CTL_OK)
			return CTL_USAGE;
	if (status != CTL_OK)
		return status;
	if (argc - optind > 1)
		return complain_usage("watch", "takes one display's id or nothing");
	watch->id = argv[optind];
	return CTL_OK;
}

static void watch_run(struct watch *watch)
{
	watch->live = isatty(1) && !watch->ctl->json && !watch->filter;
	watch->signals = watch_signals();
	reach(watch);
	if (watch->live && !watch->ended)
		screen_enter(&watch->screen);
	while (!watch->ended)
		turn(watch);
	screen_leave(&watch->screen);
	hang_up(watch);
	fd_close(watch->signals);
}

int verb_watch(struct ctl *ctl, int argc, char **argv)
{
	struct watch watch = {.ctl = ctl, .entries = json_object(), .stale = json_object()};

	watch.status = watch_parse(&watch, argc, argv);
	if (watch.status == CTL_OK)
		watch_run(&watch);
	json_decref(watch.entries);
	json_decref(watch.fresh);
	json_decref(watch.stale);
	json_decref(watch.filter);
	return watch.status;
}
