/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <getopt.h>
#include <linux/input-event-codes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/events.h"
#include "ctl/number.h"
#include "ctl/session.h"
#include "ctl/table.h"
#include "ctl/verbs.h"

/* ---- input ---- */

enum { SIZE = 1, NONE, KIND };

const struct option_row input_options[] = {
	{"size", SIZE, 0, "WxH", NULL, "of absolutePointer's and touch's area; 32768x32768"},
	{"none", NONE, 0, NULL, NULL, "take all away"},
	{0},
};

struct sinks {
	json_t *array;
	int fds[LIMIT_INPUTS]; /* owned */
	size_t used;
	int width, height; /* 0: not given */
};

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_fd_ int fd = -EBADF;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return take_fd(&fd);
}

/* "/run/vm/keyboard", or "fd:N", inherited. */
static int open_socket(const char *where)
{
	int number, fd;

	if (strncmp(where, "fd:", 3) != 0)
		return connect_to(where);
	if (number_parse(where + 3, &number) < 0)
		return -EINVAL;
	fd = fcntl(number, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? -errno : fd;
}

static bool is_kind(const char *word, size_t length)
{
	static const char *const kinds[] = {
		"keyboard", "absolutePointer", "relativePointer", "touch"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strlen(kinds[i]) == length && strncmp(kinds[i], word, length) == 0)
			return true;
	return false;
}

/* "KIND=SOCKET" */
static int add_sink(struct sinks *sinks, const char *id, const char *word)
{
	const char *equals = strchr(word, '=');
	json_t *sink;
	int fd;

	if (!equals)
		return complain_usage("input", "takes KIND=SOCKET, not %s", word);
	if (sinks->used == LIMIT_INPUTS)
		return complain_usage("input", "takes at most %d sockets", LIMIT_INPUTS);
	if (!is_kind(word, (size_t)(equals - word)))
		return complain_usage("input",
			"a kind is keyboard, absolutePointer, relativePointer or touch, not %.*s",
			(int)(equals - word), word);
	fd = open_socket(equals + 1);
	if (fd < 0) {
		complain(id, "cannot take the socket %s: %s", word, strerror(-fd));
		return CTL_FAILED;
	}
	sinks->fds[sinks->used] = fd;
	sink = json_pack("{s:s%, s:I}", "kind", word, (size_t)(equals - word),
		"fileDescriptorIndex", (json_int_t)sinks->used++);
	if (sink && sinks->width && equals - word != strlen("keyboard") &&
		strncmp(word, "relative", strlen("relative")) != 0) {
		json_object_set_new(sink, "xMaximum", json_integer(sinks->width - 1));
		json_object_set_new(sink, "yMaximum", json_integer(sinks->height - 1));
	}
	return json_array_append_new(sinks->array, sink) < 0
		       ? complain_usage("input", "%s is no UTF-8", word)
		       : CTL_OK;
}

static int input_parse(struct ctl *ctl, int argc, char **argv, struct sinks *sinks)
{
	const struct option_row *row;
	bool none = false;
	char rest;
	int status;

	while ((row = option_next(ctl, input_options, argc, argv, &status))) {
		if (row->value == NONE)
			none = true;
		else if (sscanf(optarg, "%dx%d%c", &sinks->width, &sinks->height, &rest) != 2 ||
			 sinks->width < 2 || sinks->height < 2)
			return complain_usage("input", "--size takes WxH, not %s", optarg);
	}
	if (status != CTL_OK)
		return status;
	if (argc - optind < 1 || none != (argc - optind == 1))
		return complain_usage(
			"input", "takes one display's id, and KIND=SOCKET for each, or --none");
	for (int i = optind + 1; i < argc && status == CTL_OK; i++)
		status = add_sink(sinks, argv[optind], argv[i]);
	return status;
}

int verb_input(struct ctl *ctl, int argc, char **argv)
{
	struct sinks sinks = {.array = json_array()};
	struct varlink_result result;
	int status;

	status = input_parse(ctl, argc, argv, &sinks);
	if (status == CTL_OK)
		status = session_call_with(ctl, argv[optind], "SetInput",
			json_pack("{s:s, s:O}", "id", argv[optind], "input", sinks.array),
			sinks.fds, sinks.used, &result);
	json_decref(sinks.array);
	for (size_t i = 0; i < sinks.used; i++)
		fd_close(sinks.fds[i]);
	if (status != CTL_OK)
		return status;
	if (ctl->json)
		json_line(result.parameters);
	varlink_result_finish(&result);
	return CTL_OK;
}

/* ---- send ---- */

const struct option_row send_options[] = {
	{"kind", KIND, 0, "KIND", "keyboard absolutePointer relativePointer touch",
		"only to the sink of this kind"},
	{0},
};

static int add_event(json_t *events, int type, int code, int value)
{
	return json_array_append_new(events,
		       json_pack("{s:i, s:i, s:i}", "type", type, "code", code, "value", value)) < 0
		       ? -ENOMEM
		       : 0;
}

static int add_report(json_t *events)
{
	return add_event(events, EV_SYN, SYN_REPORT, 0);
}

static const struct event_name *find_name(const char *word, size_t length)
{
	for (size_t i = 0; i < event_names_used; i++)
		if (strlen(event_names[i].name) == length &&
			strncmp(event_names[i].name, word, length) == 0)
			return &event_names[i];
	return NULL;
}

/* "KEY_A": down, and up again; "KEY_A:1"; "ABS_X:100"; "1:30:1"; "SYN". -EINVAL: none of these. */
static int add_word(json_t *events, const char *word)
{
	size_t length = strcspn(word, ":");
	const struct event_name *name = find_name(word, length);
	int type, code, value, r;
	char rest;

	if (strcmp(word, "SYN") == 0)
		return add_report(events);
	if (sscanf(word, "%d:%d:%d%c", &type, &code, &value, &rest) == 3)
		return add_event(events, type, code, value);
	if (!name)
		return -EINVAL;
	if (sscanf(word + length, ":%d%c", &value, &rest) == 1)
		return add_event(events, name->type, name->code, value);
	if (word[length] || name->type != EV_KEY)
		return -EINVAL;
	r = add_event(events, EV_KEY, name->code, 1);
	if (r == 0)
		r = add_report(events);
	if (r == 0)
		r = add_event(events, EV_KEY, name->code, 0);
	return r < 0 ? r : add_report(events);
}

static int send_parse(struct ctl *ctl, int argc, char **argv, const char **ret_kind, json_t *events)
{
	int status;

	while (option_next(ctl, send_options, argc, argv, &status))
		*ret_kind = optarg;
	if (status != CTL_OK)
		return status;
	if (argc - optind < 2)
		return complain_usage("send",
			"takes one display's id and events: KEY_A, KEY_A:1, ABS_X:100, "
			"TYPE:CODE:VALUE, SYN");
	for (int i = optind + 1; i < argc; i++)
		if (add_word(events, argv[i]) < 0)
			return complain_usage("send",
				"an event is KEY_A, KEY_A:1, ABS_X:100, TYPE:CODE:VALUE or SYN, "
				"not %s",
				argv[i]);
	return CTL_OK;
}

int verb_send(struct ctl *ctl, int argc, char **argv)
{
	json_t *events = json_array();
	struct varlink_result result;
	const char *kind = NULL;
	json_int_t dropped = 0;
	int status;

	status = send_parse(ctl, argc, argv, &kind, events);
	if (status == CTL_OK)
		status = session_call(ctl, argv[optind], "SendInput",
			json_pack("{s:s, s:s*, s:O}", "id", argv[optind], "kind", kind, "events",
				events),
			&result);
	json_decref(events);
	if (status != CTL_OK)
		return status;
	if (ctl->json)
		json_line(result.parameters);
	json_unpack(result.parameters, "{s:I}", "dropped", &dropped);
	varlink_result_finish(&result);
	if (!dropped)
		return CTL_OK;
	complain(argv[optind], "%lld events were thrown away, since its VMM does not read",
		(long long)dropped);
	return CTL_NOT_NOW;
}
