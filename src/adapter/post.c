/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * Tries are calls that wait for their answer, LIMIT_ADAPTER_CALL at the most: without sockets at the display there is nothing else to do
 * meanwhile but to let go of keys, and that was begun before. A lost socket is seen from inside its stream, so that what follows from it (all
 * others are closed, the next try is some time later) is done by the timer.
 */
#include "adapter/post.h"

#include <jansson.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "adapter/backoff.h"
#include "adapter/stream.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "varlink/client.h"

#define INTERFACE "org.vfiodisplay.Display."

struct post {
	struct loop *loop;
	struct post_settings settings;
	const struct post_events *events;
	void *arg;
	struct loop_source *timer;
	struct backoff backoff;
	struct stream
		streams[LIMIT_INPUTS]; /* fd -EBADF: not there. One for each kind, by its number */
	unsigned int kinds;
	uint32_t leds;
	bool connected, lost, holds;
	bool was_set;	  /* once, since the program began */
	const char *told; /* why not, as the log says already */
};

static void on_group(void *arg, const struct group *group)
{
	struct post *post = arg;

	if (!post->lost)
		post->events->group(post->arg, group);
}

static void on_lost(void *arg)
{
	struct post *post = arg;

	post->lost = true;
	loop_timer_once(post->timer, 0);
}

static const struct stream_events stream_events = {.group = on_group, .lost = on_lost};

static void close_streams(struct post *post)
{
	bool connected = post->connected;

	for (size_t i = 0; i < LIMIT_INPUTS; i++)
		stream_finish(&post->streams[i]);
	post->connected = post->lost = false;
	if (connected)
		post->events->changed(post->arg, false);
}

/* ---- A try ---- */

/* Without a connect() or send() that waits for ever. */
static int open_client(const struct post *post, struct varlink_client **ret)
{
	const struct timeval most = {.tv_sec = LIMIT_ADAPTER_CALL / 1000};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_fd_ int fd = -EBADF;

	if (strlen(post->settings.socket) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, post->settings.socket, strlen(post->settings.socket));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most)) < 0 ||
		connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return varlink_client_adopt(take_fd(&fd), ret);
}

/* Which words stand for the daemon's "no". */
static const char *explain(const char *error)
{
	static const struct {
		const char *error, *why;
	} words[] = {
		{INTERFACE "NoSuchDisplay", "there is no such display yet"},
		{INTERFACE "NotLive", "the display is ending"},
		{"org.varlink.service.PermissionDenied",
			"vfio-displayd does not let this user manage the display"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(error, words[i].error) == 0)
			return words[i].why;
	return "vfio-displayd refuses";
}

/* 0; -EPERM with *@ret_why: it said no; other -errno: it is away. @parameters is stolen; *@ret is set where all went well. */
static int ask(struct varlink_client *client, const char *method, json_t *parameters,
	const int *fds, size_t fds_used, struct varlink_result *ret, const char **ret_why)
{
	struct varlink_result result;
	int r = varlink_client_send(client, method, parameters, false, fds, fds_used);

	if (r >= 0)
		r = varlink_client_receive(client, LIMIT_ADAPTER_CALL, &result);
	if (r < 0)
		return r;
	if (result.error) {
		*ret_why = explain(result.error);
		varlink_result_finish(&result);
		return -EPERM;
	}
	*ret = result;
	return 0;
}

/* Whether the display has input of somebody else. */
static int ask_others(const struct post *post, struct varlink_client *client, const char **ret_why)
{
	struct varlink_result result;
	json_t *runtime, *input, *each;
	size_t i;
	int r = ask(client, INTERFACE "List", json_pack("{s:s}", "id", post->settings.id), NULL, 0,
		&result, ret_why);

	if (r < 0)
		return r;
	runtime = json_object_get(result.parameters, "runtime");
	input = json_object_get(runtime, "input");
	json_array_foreach (input, i, each)
		if (json_is_true(json_object_get(each, "connected")))
			r = -EPERM;
	varlink_result_finish(&result);
	if (r < 0)
		*ret_why = "the display has other input by now, which is left alone";
	return r;
}

/* Both ends of a pair for each kind; the daemon's are in @theirs, in the order of the parameter "input" that is returned. */
static json_t *make_pairs(const struct post *post, int *ours, int *theirs, size_t *ret_used)
{
	json_t *input = json_array();
	size_t used = 0;

	for (size_t kind = 0; kind < LIMIT_INPUTS; kind++) {
		int pair[2];

		if (!(post->kinds >> kind & 1))
			continue;
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
			break;
		ours[kind] = pair[0];
		theirs[used] = pair[1];
		json_array_append_new(input, json_pack("{s:s, s:i}", "kind", input_kind_name(kind),
						     "fileDescriptorIndex", (int)used));
		used++;
	}
	*ret_used = used;
	return input;
}

static int take_pairs(struct post *post, int *ours)
{
	int r = 0;

	for (size_t kind = 0; kind < LIMIT_INPUTS; kind++) {
		if (ours[kind] < 0)
			continue;
		if (r == 0)
			r = stream_init(&post->streams[kind], post->loop, (enum input_kind)kind,
				take_fd(&ours[kind]), &stream_events, post);
		stream_hold(&post->streams[kind], post->holds);
	}
	return r;
}

static int set_input(struct post *post, struct varlink_client *client, const char **ret_why)
{
	int ours[LIMIT_INPUTS], theirs[LIMIT_INPUTS];
	struct varlink_result result;
	json_t *input;
	size_t used;
	int r = 0;

	for (size_t i = 0; i < LIMIT_INPUTS; i++)
		ours[i] = -EBADF;
	input = make_pairs(post, ours, theirs, &used);
	if (json_array_size(input) != (size_t)__builtin_popcount(post->kinds)) {
		json_decref(input);
		r = -EMFILE;
	}
	if (r == 0)
		r = ask(client, INTERFACE "SetInput",
			json_pack("{s:s, s:o}", "id", post->settings.id, "input", input), theirs,
			used, &result, ret_why);
	if (r == 0) {
		varlink_result_finish(&result);
		r = take_pairs(post, ours);
	}
	for (size_t i = 0; i < used; i++)
		fd_close(theirs[i]);
	for (size_t i = 0; i < LIMIT_INPUTS; i++)
		fd_close(ours[i]);
	return r;
}

static int try_once(struct post *post, const char **ret_why)
{
	struct varlink_client *client;
	int r = open_client(post, &client);

	if (r < 0)
		return r;
	if (post->was_set)
		r = ask_others(post, client, ret_why);
	if (r == 0)
		r = set_input(post, client, ret_why);
	varlink_client_destroy(client);
	return r;
}

static void on_timer(void *arg)
{
	struct post *post = arg;
	const char *why = NULL;
	int r;

	if (post->lost) {
		close_streams(post);
		loop_timer_once(post->timer, backoff_next(&post->backoff));
		return;
	}
	if (post->connected || !post->kinds)
		return;
	r = try_once(post, &why);
	if (r < 0) {
		close_streams(post);
		why = why			     ? why
		      : r == -ENOMEM || r == -EMFILE ? "no memory or descriptors are left"
						     : "vfio-displayd does not answer";
		if (why != post->told)
			log_notice(post->settings.id,
				"%s; it is asked again until it has the input", why);
		post->told = why;
		loop_timer_once(post->timer, backoff_next(&post->backoff));
		return;
	}
	log_info(post->settings.id, "the display has its input");
	backoff_reset(&post->backoff);
	post->told = NULL;
	post->connected = post->was_set = true;
	post_leds(post, post->leds);
	post->events->changed(post->arg, true);
}

/* ---- For the adapter ---- */

int post_create(struct loop *loop, const struct post_settings *settings,
	const struct post_events *events, void *arg, struct post **ret)
{
	struct post *post = new0(struct post);
	int r;

	if (!post)
		return -ENOMEM;
	post->loop = loop;
	post->settings = *settings;
	post->events = events;
	post->arg = arg;
	for (size_t i = 0; i < LIMIT_INPUTS; i++)
		post->streams[i].fd = -EBADF;
	r = loop_timer_add(loop, on_timer, post, &post->timer);
	if (r < 0) {
		free(post);
		return r;
	}
	*ret = post;
	return 0;
}

void post_destroy(struct post *post)
{
	if (!post)
		return;
	for (size_t i = 0; i < LIMIT_INPUTS; i++)
		stream_finish(&post->streams[i]);
	loop_source_free(post->timer);
	free(post);
}

void post_offer(struct post *post, unsigned int kinds)
{
	if (kinds != post->kinds || !kinds)
		close_streams(post);
	post->kinds = kinds;
	loop_timer_once(post->timer, 0);
}

bool post_connected(const struct post *post)
{
	return post->connected && !post->lost;
}

void post_hold(struct post *post, bool on)
{
	post->holds = on;
	for (size_t i = 0; i < LIMIT_INPUTS; i++)
		stream_hold(
			&post->streams[i], post->holds); /* which one of them may have changed */
}

void post_leds(struct post *post, uint32_t leds)
{
	post->leds = leds;
	stream_leds(&post->streams[INPUT_KEYBOARD], leds);
}
