/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/mem.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/number.h"
#include "ctl/offer.h"
#include "ctl/session.h"
#include "ctl/table.h"
#include "ctl/verbs.h"

enum {
	OPTION_SOURCE = OFFER_LAST,
	OPTION_DEVICE,
	OPTION_DEVICE_FD,
	OPTION_LEASE_FD,
	OPTION_LEASE_PID
};

const struct option_row register_options[] = {
	{"device", OPTION_DEVICE, 0, "PATH", WORDS_FILES, "open this device"},
	{"device-fd", OPTION_DEVICE_FD, 0, "N", NULL, "or hand this inherited descriptor over"},
	{"source", OPTION_SOURCE, 0, "KIND", "vfio surface", "what the device is; vfio"},
	{"lease-fd", OPTION_LEASE_FD, 0, "N", NULL,
		"a pidfd, pipe or socket that it lasts as long as"},
	{"lease-pid", OPTION_LEASE_PID, 0, "PID", NULL, "or this process"},
	OFFER_OPTIONS,
	{0},
};

static int add_process(struct offer *offer)
{
	int pid;
	int fd;

	if (number_parse(optarg, &pid) < 0 || pid == 0)
		return complain_usage("register", "--lease-pid is no process id: %s", optarg);
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd >= 0)
		return offer_add_fd(offer, "leaseFileDescriptorIndex", fd);
	complain(optarg,
		errno == ESRCH ? "there is no such process, or it has ended"
			       : "cannot follow this process: %s",
		strerror(errno));
	return errno == ESRCH ? CTL_NOT_FOUND : CTL_FAILED;
}

static int take_option(struct offer *offer, int option, const char *name)
{
	switch (option) {
	case OPTION_SOURCE:
		offer->error |=
			json_object_set_new(offer->parameters, "source", json_string(optarg));
		return CTL_OK;
	case OPTION_DEVICE:
		return offer_add_file(offer, "deviceFileDescriptorIndex", optarg);
	case OPTION_DEVICE_FD:
		return offer_add_inherited(offer, "deviceFileDescriptorIndex", name, optarg);
	case OPTION_LEASE_FD:
		return offer_add_inherited(offer, "leaseFileDescriptorIndex", name, optarg);
	case OPTION_LEASE_PID:
		return add_process(offer);
	}
	return offer_option(offer, option, name, optarg);
}

static int parse_options(struct ctl *ctl, struct offer *offer, int argc, char **argv)
{
	const struct option_row *row;
	int status, wrong = CTL_OK;

	while (wrong == CTL_OK && (row = option_next(ctl, register_options, argc, argv, &status)))
		wrong = take_option(offer, row->value, row->name);
	if (wrong != CTL_OK || status != CTL_OK)
		return wrong != CTL_OK ? wrong : status;
	if (optind < argc)
		return complain_usage(
			"register", "'%s' is no option; an id is given with --id", argv[optind]);
	if (!json_object_get(offer->parameters, "deviceFileDescriptorIndex"))
		return complain_usage(
			"register", "a device is missing; give --device PATH or --device-fd N");
	return CTL_OK;
}

static void print_registered(const struct ctl *ctl, const struct varlink_result *result)
{
	const char *id = json_string_value(json_object_get(result->parameters, "id"));

	if (ctl->json)
		json_line(result->parameters);
	else
		printf("%s\n", id ? id : "");
	fflush(stdout);
}

/* 1: a reply; 0: a signal came first; -errno. */
static int wait_reply(struct session *session, int signals, struct varlink_result *ret)
{
	struct pollfd pollfds[] = {
		{.fd = varlink_client_fd(session->client), .events = POLLIN},
		{.fd = signals, .events = POLLIN},
	};
	int r;

	for (;;) {
		/* First: the reply may have come together with the one before. */
		r = varlink_client_receive(session->client, 0, ret);
		if (r != -ETIMEDOUT)
			return r < 0 ? r : 1;
		if (poll(pollfds, ARRAY_SIZE(pollfds), -1) < 0 && errno != EINTR)
			return -errno;
		if (pollfds[1].revents)
			return 0;
	}
}

/* An event of the display. For people, what a viewer asks for; the end shows itself. */
static void print_event(const struct ctl *ctl, const struct varlink_result *result)
{
	const char *action = json_string_value(json_object_get(result->parameters, "action"));
	const char *viewer = json_string_value(json_object_get(result->parameters, "viewer"));

	if (ctl->json)
		json_line(result->parameters);
	else if (action)
		printf("viewer %s asks for %s\n", viewer ? viewer : "?", action);
	fflush(stdout);
}

/* A signal or the daemon's last reply ends it. */
static int hold_lease(const struct ctl *ctl, struct session *session, int signals)
{
	struct varlink_result result;
	bool last;
	int r;

	while ((r = wait_reply(session, signals, &result)) > 0) {
		int status = CTL_OK;

		last = result.error || !result.continues;
		if (result.error)
			status = complain_error(
				session->about, session->method, result.error, result.parameters);
		else
			print_event(ctl, &result);
		varlink_result_finish(&result);
		if (last)
			return status;
	}
	return r == 0 ? CTL_OK : complain_talk(session->about, r);
}

/* The daemon speaks of places in the message, people of options. */
static void complain_descriptor(
	const char *about, const struct offer *offer, const struct varlink_result *result)
{
	static const struct {
		const char *field, *what;
	} places[] = {
		{"deviceFileDescriptorIndex", "device"},
		{"changeFileDescriptorIndex", "change descriptor"},
		{"leaseFileDescriptorIndex", "lease"},
		{"renderNodeFileDescriptorIndex", "render node"},
	};
	json_t *index = json_object_get(result->parameters, "index");
	const char *reason = json_string_value(json_object_get(result->parameters, "reason"));
	const char *what = "descriptor";

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (json_equal(json_object_get(offer->parameters, places[i].field), index))
			what = places[i].what;
	complain(about, "this %s is not fit: it %s", what, reason ? reason : "is something else");
}

static int receive_registered(
	struct session *session, const struct offer *offer, struct varlink_result *ret)
{
	int r;

	r = varlink_client_receive(session->client, -1, ret);
	if (r < 0)
		return complain_talk(session->about, r);
	if (!ret->error)
		return CTL_OK;
	r = CTL_REFUSED;
	if (strcmp(ret->error, "org.vfiodisplay.Display.DescriptorUnsuitable") == 0)
		complain_descriptor(session->about, offer, ret);
	else
		r = complain_error(session->about, session->method, ret->error, ret->parameters);
	varlink_result_finish(ret);
	return r;
}

/* Blocked from here on, so that one that comes early is not lost. */
static int watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

int offer_register(const struct ctl *ctl, struct offer *offer)
{
	bool more = !json_object_get(offer->parameters, "leaseFileDescriptorIndex");
	const char *id = json_string_value(json_object_get(offer->context, "id"));
	_cleanup_free_ char *about = id ? strdup(id) : NULL;
	_cleanup_fd_ int signals = -EBADF;
	struct varlink_result result;
	struct session session;
	int status;

	if (offer->error) {
		complain(NULL, "an argument is no UTF-8, or memory is short");
		return CTL_FAILED;
	}
	signals = watch_signals();
	status = session_open(&session, ctl, about);
	if (status != CTL_OK)
		return status;
	status = session_send(&session, "Register", json_incref(offer->parameters), more,
		offer->fds, offer->fds_used);
	if (status == CTL_OK)
		status = receive_registered(&session, offer, &result);
	if (status == CTL_OK) {
		print_registered(ctl, &result);
		status = result.continues ? hold_lease(ctl, &session, signals) : CTL_OK;
		varlink_result_finish(&result);
	}
	session_close(&session);
	return status;
}

int verb_register(struct ctl *ctl, int argc, char **argv)
{
	struct offer offer;
	int status;

	offer_init(&offer, "register");
	status = parse_options(ctl, &offer, argc, argv);
	if (status == CTL_OK)
		status = offer_register(ctl, &offer);
	offer_finish(&offer);
	return status;
}
