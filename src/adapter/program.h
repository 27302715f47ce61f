/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.h - what both adapters' main() have in common: options, the loop, signals, systemd, the sandbox. */
#pragma once

#include "adapter/settings.h"
#include "state/herald.h"

struct loop;
struct loop_source;

struct program {
	struct loop *loop;
	const struct settings *settings;
	struct loop_source *signals[2], *turn;
	struct herald herald;
};

struct program_row {
	enum settings_program program;
	/* Before the sandbox: what it needs is opened. From then on the loop runs. -errno, which it has explained in the log. */
	int (*begin)(struct program *program);
	/* SIGTERM: it calls loop_stop() when it is done. */
	void (*stop)(void);
	void (*finish)(void);
};

int program_run(const struct program_row *row, int argc, char **argv);
/* For `systemctl status`. */
void program_tell(struct program *program, const char *status);
