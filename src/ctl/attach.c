/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <signal.h>

#include "base/fd.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/pump.h"
#include "ctl/session.h"

struct attach {
	const char *id, *label;
	bool view_only;
	char **command; /* NULL: stdin and stdout */
};

static int attach_call(const struct ctl *ctl, const struct attach *attach, int *ret_fd)
{
	struct varlink_result result;
	json_int_t index = -1;
	json_t *parameters;

	parameters = json_pack("{s:s, s:s, s:s*}", "id", attach->id, "mode",
		attach->view_only ? "view" : "control", "label", attach->label);
	if (session_call(ctl, attach->id, "Attach", parameters, &result) < 0)
		return -1;
	json_unpack(result.parameters, "{s:I}", "fileDescriptorIndex", &index);
	if (index >= 0 && index < (json_int_t)result.fds_used)
		*ret_fd = take_fd(&result.fds[index]);
	else
		complain(attach->id, "vfio-displayd answered without a connection");
	varlink_result_finish(&result);
	return *ret_fd < 0 ? -1 : 0;
}

/* The command's stdin and stdout are the connection itself. Returns only on failure. */
static int attach_exec(const struct attach *attach, int fd)
{
	/* dup2() to its own number would leave CLOEXEC set; a received descriptor is never 0 or 1 unless those were closed. */
	if (fd <= 1)
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0 || dup2(fd, 0) < 0 || dup2(fd, 1) < 0) {
		complain(attach->id, "cannot hand the connection on: %s", strerror(errno));
		return CTL_FAILED;
	}
	signal(SIGPIPE, SIG_DFL);
	execvp(attach->command[0], attach->command);
	complain(attach->id, "cannot run '%s': %s", attach->command[0], strerror(errno));
	return CTL_FAILED;
}

static int attach_stdio(const struct attach *attach, int fd)
{
	int r;

	if (isatty(1)) {
		complain(attach->id,
			"a viewer's stream does not go to a terminal; use --exec, or a program "
			"that speaks VNC on pipes");
		return CTL_USAGE;
	}
	r = pump(fd, 0, 1);
	if (r >= 0 || r == -EPIPE)
		return CTL_OK;
	complain(attach->id, "the connection broke: %s", strerror(-r));
	return CTL_FAILED;
}

/* Everything after --exec is the command, options too: it is cut off before getopt sorts them. */
static int attach_parse(int argc, char **argv, struct attach *attach)
{
	static const struct option options[] = {
		{"view-only", no_argument, NULL, 'v'},
		{"label", required_argument, NULL, 'l'},
		{0},
	};
	int option;

	for (int i = 1; i < argc && !attach->command; i++) {
		if (strcmp(argv[i], "--exec") != 0)
			continue;
		attach->command = argv + i + 1;
		argc = i;
		if (!attach->command[0])
			return complain_usage("attach", "--exec needs a command");
	}
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'v')
			attach->view_only = true;
		else if (option == 'l')
			attach->label = optarg;
		else
			return CTL_USAGE;
	}
	if (argc - optind != 1)
		return complain_usage("attach", "takes one display's id");
	attach->id = argv[optind];
	return CTL_OK;
}

int verb_attach(const struct ctl *ctl, int argc, char **argv)
{
	struct attach attach = {0};
	_cleanup_fd_ int fd = -EBADF;
	int status;

	status = attach_parse(argc, argv, &attach);
	if (status != CTL_OK)
		return status;
	if (attach_call(ctl, &attach, &fd) < 0)
		return CTL_FAILED;
	return attach.command ? attach_exec(&attach, fd) : attach_stdio(&attach, fd);
}
