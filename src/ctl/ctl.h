/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ctl.h - vfio-displayctl: what its verbs share.
 *
 * A verb gets its own name as argv[0] and returns an exit status. Whatever goes wrong is one line on stderr (complain.h).
 */
#pragma once

#include <stdbool.h>

enum exit_status { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

struct ctl {
	const char *socket; /* path */
	bool json;
};

struct verb {
	const char *name;
	const char *arguments; /* for --help */
	const char *summary;
	int (*run)(const struct ctl *ctl, int argc, char **argv);
};

int verb_list(const struct ctl *ctl, int argc, char **argv);
int verb_describe(const struct ctl *ctl, int argc, char **argv);
int verb_register(const struct ctl *ctl, int argc, char **argv);
int verb_adopt(const struct ctl *ctl, int argc, char **argv);
int verb_unregister(const struct ctl *ctl, int argc, char **argv);
int verb_update(const struct ctl *ctl, int argc, char **argv);
int verb_ticket(const struct ctl *ctl, int argc, char **argv);
int verb_attach(const struct ctl *ctl, int argc, char **argv);
int verb_viewers(const struct ctl *ctl, int argc, char **argv);
int verb_detach(const struct ctl *ctl, int argc, char **argv);
int verb_capture(const struct ctl *ctl, int argc, char **argv);
int verb_capabilities(const struct ctl *ctl, int argc, char **argv);
int verb_call(const struct ctl *ctl, int argc, char **argv);
