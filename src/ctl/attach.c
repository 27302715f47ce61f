/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <signal.h>

#include "base/fd.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/pump.h"
#include "ctl/session.h"
#include "ctl/verbs.h"

struct attach {
	const char *id, *label;
	const char *mode;
	char **command; /* NULL: stdin and stdout */
};

static int attach_call(const struct ctl *ctl, const struct attach *attach, int *ret_fd)
{
	struct varlink_result result;
	json_int_t index = -1;
	json_t *parameters;
	int status;

	parameters = json_pack(
		"{s:s, s:s, s:s*}", "id", attach->id, "mode", attach->mode, "label", attach->label);
	status = session_call(ctl, attach->id, "Attach", parameters, &result);
	if (status != CTL_OK)
		return status;
	json_unpack(result.parameters, "{s:I}", "fileDescriptorIndex", &index);
	if (index >= 0 && index < (json_int_t)result.fds_used)
		*ret_fd = take_fd(&result.fds[index]);
	else
		complain(attach->id, "vfio-displayd answered without a connection");
	varlink_result_finish(&result);
	return *ret_fd < 0 ? CTL_FAILED : CTL_OK;
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

enum { VIEW_ONLY = 1, MODE, LABEL, EXEC };

const struct option_row attach_options[] = {
	{"mode", MODE, 0, "MODE", "view control exclusive", "the most that it may do; control"},
	{"view-only", VIEW_ONLY, 0, NULL, NULL, "the same as --mode view"},
	{"label", LABEL, 0, "TEXT", NULL, "who is looking"},
	{"exec", EXEC, 0, "COMMAND...", NULL, "its stdin and stdout are the stream; must be last"},
	{0},
};

/* Everything after --exec is the command, options too: it is cut off before getopt sorts them. */
static int attach_parse(struct ctl *ctl, int argc, char **argv, struct attach *attach)
{
	const struct option_row *row;
	int status;

	for (int i = 1; i < argc && !attach->command; i++) {
		if (strcmp(argv[i], "--exec") != 0)
			continue;
		attach->command = argv + i + 1;
		argc = i;
		if (!attach->command[0])
			return complain_usage("attach", "--exec needs a command");
	}
	while ((row = option_next(ctl, attach_options, argc, argv, &status))) {
		if (row->value == VIEW_ONLY)
			attach->mode = "view";
		else if (row->value == MODE)
			attach->mode = optarg;
		else if (row->value == LABEL)
			attach->label = optarg;
		else
			return complain_usage("attach", "--exec and its command are two words");
	}
	if (status != CTL_OK)
		return status;
	if (argc - optind != 1)
		return complain_usage("attach", "takes one display's id");
	attach->id = argv[optind];
	return CTL_OK;
}

int verb_attach(struct ctl *ctl, int argc, char **argv)
{
	struct attach attach = {.mode = "control"};
	_cleanup_fd_ int fd = -EBADF;
	int status;

	status = attach_parse(ctl, argc, argv, &attach);
	if (status == CTL_OK)
		status = attach_call(ctl, &attach, &fd);
	if (status != CTL_OK)
		return status;
	return attach.command ? attach_exec(&attach, fd) : attach_stdio(&attach, fd);
}
