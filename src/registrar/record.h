/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record.h - what others are told of one display, from what the daemon says of it. No I/O. */
#pragma once

#include <jansson.h>

struct settings;

/* The record as compact JSON, the same text for the same display, in a string. NULL: memory is short, or @entry has no context and runtime of a display. */
json_t *record_make(const struct settings *settings, const json_t *entry);
/* The token under which @entry's display is mirrored, with its prefix, owned. NULL: none, or memory is short. */
char *record_token(const struct settings *settings, const json_t *entry);
/* {"host":"HOST:PORT"} as websockify wants it, owned. NULL: no endpoint that others reach. */
char *record_target(const struct settings *settings, const json_t *entry);
