/* SPDX-License-Identifier: GPL-2.0-or-later */
/* complain.h - one line on stderr: about what, what is wrong, what to do. */
#pragma once

#include <jansson.h>

/* "vfio-displayctl: ABOUT: ...". @about: a display's id, a file; NULL: nothing. Control characters are masked. */
void complain(const char *about, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* An error reply to @method (without the interface) as a sentence. These three return the exit status that goes with it. */
int complain_error(
	const char *about, const char *method, const char *error, const json_t *parameters);
/* -errno of connecting to @socket, and of talking to it. */
int complain_connect(const char *socket, int error);
int complain_talk(const char *about, int error);
/* Wrong arguments of a verb. Returns CTL_USAGE. */
int complain_usage(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));
