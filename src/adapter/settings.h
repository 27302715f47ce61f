/* SPDX-License-Identifier: GPL-2.0-or-later */
/* settings.h - the options of both adapters. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

struct settings {
	const char *id;	    /* the display's */
	const char *socket; /* where vfio-displayd answers */
	unsigned int kinds; /* bit n is enum input_kind n; 0: not said */
	enum log_level log_level;
	/* vfio-display-input-qmp */
	const char *qmp, *device;
	uint32_t head;
	/* vfio-display-input-uinput */
	bool ungrabbed; /* events go to the host, too, while nobody has grabbed the device */
};

enum settings_program { SETTINGS_QMP = 1, SETTINGS_UINPUT = 2 };
enum settings_wish { SETTINGS_RUN, SETTINGS_HELP, SETTINGS_VERSION };

/* Texts are @argv's. -EINVAL: what is wrong has been said on stderr. */
int settings_read(struct settings *settings, enum settings_program program, int argc, char **argv,
	enum settings_wish *ret_wish);
/* The options, for people, on stdout. */
void settings_help(enum settings_program program);
const char *settings_program_name(enum settings_program program);
