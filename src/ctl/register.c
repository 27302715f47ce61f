/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/session.h"
#include "ctl/table.h"

/* What the command line collects: the parameters of Register and the descriptors they point to. */
struct offer {
	json_t *parameters, *context; /* owned, borrowed from it */
	int fds[LIMIT_VARLINK_FDS];   /* owned */
	size_t fds_used;
	bool has_device, has_lease;
	int error; /* of building the JSON */
};

enum {
	OPTION_ID = 256,
	OPTION_NAME,
	OPTION_MACHINE,
	OPTION_HEAD,
	OPTION_LABEL,
	OPTION_FRAMES,
	OPTION_VIEWERS,
	OPTION_VIEW_ONLY,
	OPTION_SOURCE,
	OPTION_DEVICE,
	OPTION_DEVICE_FD,
	OPTION_CHANGE_FD,
	OPTION_LEASE_FD,
	OPTION_LEASE_PID,
	OPTION_LISTEN,
	OPTION_LISTEN_VIEW
};

static const struct option options[] = {
	{"id", required_argument, NULL, OPTION_ID},
	{"name", required_argument, NULL, OPTION_NAME},
	{"machine", required_argument, NULL, OPTION_MACHINE},
	{"head", required_argument, NULL, OPTION_HEAD},
	{"label", required_argument, NULL, OPTION_LABEL},
	{"frames-per-second-maximum", required_argument, NULL, OPTION_FRAMES},
	{"viewers-maximum", required_argument, NULL, OPTION_VIEWERS},
	{"view-only", no_argument, NULL, OPTION_VIEW_ONLY},
	{"source", required_argument, NULL, OPTION_SOURCE},
	{"device", required_argument, NULL, OPTION_DEVICE},
	{"device-fd", required_argument, NULL, OPTION_DEVICE_FD},
	{"change-fd", required_argument, NULL, OPTION_CHANGE_FD},
	{"lease-fd", required_argument, NULL, OPTION_LEASE_FD},
	{"lease-pid", required_argument, NULL, OPTION_LEASE_PID},
	{"listen", required_argument, NULL, OPTION_LISTEN},
	{"listen-view", required_argument, NULL, OPTION_LISTEN_VIEW},
	{0},
};

static const char *option_name(int option)
{
	for (size_t i = 0; i < ARRAY_SIZE(options) - 1; i++)
		if (options[i].val == option)
			return options[i].name;
	return "?";
}

static int number_of(const char *text, long *ret)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < 0 || value > INT_MAX)
		return -EINVAL;
	*ret = value;
	return 0;
}

static int set_number(struct offer *offer, int option, const char *field)
{
	long value;

	if (number_of(optarg, &value) < 0)
		return complain_usage(
			"register", "--%s is no number: %s", option_name(option), optarg);
	offer->error |= json_object_set_new(offer->context, field, json_integer(value));
	return CTL_OK;
}

static int set_label(struct offer *offer)
{
	const char *equals = strchr(optarg, '=');
	json_t *labels = json_object_get(offer->context, "labels");
	_cleanup_free_ char *key = NULL;

	if (!equals || equals == optarg)
		return complain_usage("register", "--label takes KEY=VALUE, not %s", optarg);
	key = strndup(optarg, (size_t)(equals - optarg));
	if (!labels) {
		labels = json_object();
		offer->error |= json_object_set_new(offer->context, "labels", labels);
	}
	offer->error |= key ? json_object_set_new(labels, key, json_string(equals + 1)) : -1;
	return CTL_OK;
}

/* @fd is consumed. */
static int add_fd(struct offer *offer, const char *field, int fd)
{
	if (json_object_get(offer->parameters, field) ||
		offer->fds_used == ARRAY_SIZE(offer->fds)) {
		fd_close(fd);
		return complain_usage("register", "%s is given twice", field);
	}
	offer->error |= json_object_set_new(
		offer->parameters, field, json_integer((json_int_t)offer->fds_used));
	offer->fds[offer->fds_used++] = fd;
	return CTL_OK;
}

static int add_inherited(struct offer *offer, int option, const char *field)
{
	long number;
	int fd;

	if (number_of(optarg, &number) < 0)
		return complain_usage(
			"register", "--%s is no number: %s", option_name(option), optarg);
	fd = fcntl((int)number, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return complain_usage(
			"register", "--%s %s: %s", option_name(option), optarg, strerror(errno));
	return add_fd(offer, field, fd);
}

static int add_device(struct offer *offer)
{
	int fd = open(optarg, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return add_fd(offer, "deviceFileDescriptorIndex", fd);
	complain(optarg, "cannot open the device: %s", strerror(errno));
	return CTL_FAILED;
}

static int add_process(struct offer *offer)
{
	long pid;
	int fd;

	if (number_of(optarg, &pid) < 0 || pid == 0)
		return complain_usage("register", "--lease-pid is no process id: %s", optarg);
	fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (fd >= 0)
		return add_fd(offer, "leaseFileDescriptorIndex", fd);
	complain(optarg, "cannot follow this process: %s", strerror(errno));
	return CTL_FAILED;
}

static int add_listener(struct offer *offer, const char *mode)
{
	json_t *listen = json_object_get(offer->parameters, "listen");

	if (!listen) {
		listen = json_array();
		offer->error |= json_object_set_new(offer->parameters, "listen", listen);
	}
	offer->error |= json_array_append_new(
		listen, json_pack("{s:s, s:s}", "mode", mode, "address", optarg));
	return CTL_OK;
}

static int take_option(struct offer *offer, int option)
{
	static const struct {
		int option;
		const char *field;
	} texts[] = {
		{OPTION_ID, "id"},
		{OPTION_NAME, "name"},
		{OPTION_MACHINE, "machine"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (texts[i].option != option)
			continue;
		offer->error |=
			json_object_set_new(offer->context, texts[i].field, json_string(optarg));
		return CTL_OK;
	}
	switch (option) {
	case OPTION_HEAD:
		return set_number(offer, option, "head");
	case OPTION_FRAMES:
		return set_number(offer, option, "framesPerSecondMaximum");
	case OPTION_VIEWERS:
		return set_number(offer, option, "viewersMaximum");
	case OPTION_LABEL:
		return set_label(offer);
	case OPTION_VIEW_ONLY:
		offer->error |= json_object_set_new(offer->context, "viewOnly", json_true());
		return CTL_OK;
	case OPTION_SOURCE:
		offer->error |=
			json_object_set_new(offer->parameters, "source", json_string(optarg));
		return CTL_OK;
	case OPTION_DEVICE:
		return add_device(offer);
	case OPTION_DEVICE_FD:
		return add_inherited(offer, option, "deviceFileDescriptorIndex");
	case OPTION_CHANGE_FD:
		return add_inherited(offer, option, "changeFileDescriptorIndex");
	case OPTION_LEASE_FD:
		return add_inherited(offer, option, "leaseFileDescriptorIndex");
	case OPTION_LEASE_PID:
		return add_process(offer);
	case OPTION_LISTEN:
		return add_listener(offer, "control");
	case OPTION_LISTEN_VIEW:
		return add_listener(offer, "view");
	}
	return CTL_USAGE;
}

static int parse_options(struct offer *offer, int argc, char **argv)
{
	int status = CTL_OK;
	int option;

	while (status == CTL_OK && (option = getopt_long(argc, argv, "", options, NULL)) >= 0)
		status = take_option(offer, option);
	if (status != CTL_OK)
		return status;
	if (optind < argc)
		return complain_usage(
			"register", "'%s' is no option; an id is given with --id", argv[optind]);
	if (!json_object_get(offer->parameters, "deviceFileDescriptorIndex"))
		return complain_usage(
			"register", "a device is missing; give --device PATH or --device-fd N");
	if (!offer->error)
		return CTL_OK;
	complain(NULL, "an argument is no UTF-8, or memory is short");
	return CTL_FAILED;
}

static void print_registered(const struct ctl *ctl, const struct varlink_result *result)
{
	const char *id = json_string_value(json_object_get(result->parameters, "id"));

	if (ctl->json)
		json_print(result->parameters);
	else
		printf("%s\n", id ? id : "");
	fflush(stdout);
}

/* A signal or the daemon's last reply ends it. */
static int hold_lease(const struct ctl *ctl, struct session *session, int signals)
{
	struct pollfd pollfds[] = {
		{.fd = varlink_client_fd(session->client), .events = POLLIN},
		{.fd = signals, .events = POLLIN},
	};
	struct varlink_result result;
	int r;

	for (;;) {
		/* First: the reply may have come together with the one before. */
		r = varlink_client_receive(session->client, 0, &result);
		if (r != -ETIMEDOUT)
			break;
		if (poll(pollfds, ARRAY_SIZE(pollfds), -1) < 0 && errno != EINTR)
			return CTL_FAILED;
		if (pollfds[1].revents)
			return CTL_OK;
	}
	if (r < 0) {
		complain_talk(session->about, r);
		return CTL_FAILED;
	}
	if (result.error)
		complain_error(session->about, session->method, result.error, result.parameters);
	else if (ctl->json)
		json_print(result.parameters);
	r = result.error ? CTL_FAILED : CTL_OK;
	varlink_result_finish(&result);
	return r;
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
	if (r < 0) {
		complain_talk(session->about, r);
		return -1;
	}
	if (!ret->error)
		return 0;
	if (strcmp(ret->error, "org.vfiodisplay.Display.DescriptorUnsuitable") == 0)
		complain_descriptor(session->about, offer, ret);
	else
		complain_error(session->about, session->method, ret->error, ret->parameters);
	varlink_result_finish(ret);
	return -1;
}

static int make_offer(const struct ctl *ctl, struct offer *offer, int signals)
{
	bool more = !json_object_get(offer->parameters, "leaseFileDescriptorIndex");
	const char *id = json_string_value(json_object_get(offer->context, "id"));
	_cleanup_free_ char *about = id ? strdup(id) : NULL;
	struct varlink_result result;
	struct session session;
	int status = CTL_FAILED;

	if (session_open(&session, ctl, about) < 0)
		return CTL_FAILED;
	if (session_send(&session, "Register", json_incref(offer->parameters), more, offer->fds,
		    offer->fds_used) >= 0 &&
		receive_registered(&session, offer, &result) >= 0) {
		print_registered(ctl, &result);
		status = result.continues ? hold_lease(ctl, &session, signals) : CTL_OK;
		varlink_result_finish(&result);
	}
	session_close(&session);
	return status;
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

int verb_register(const struct ctl *ctl, int argc, char **argv)
{
	struct offer offer = {.parameters = json_object(), .context = json_object()};
	_cleanup_fd_ int signals = -EBADF;
	int status;

	offer.error = json_object_set_new(offer.parameters, "context", offer.context);
	status = parse_options(&offer, argc, argv);
	if (status == CTL_OK) {
		signals = watch_signals();
		status = make_offer(ctl, &offer, signals);
	}
	for (size_t i = 0; i < offer.fds_used; i++)
		fd_close(offer.fds[i]);
	json_decref(offer.parameters);
	return status;
}
