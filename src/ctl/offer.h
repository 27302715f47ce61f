/* SPDX-License-Identifier: GPL-2.0-or-later */
/* offer.h - what a command line collects for Register: its parameters and the descriptors that they point to.
 *
 * Options that `register` and `adopt` share are here, the rest is the verb's. Functions that return an exit status have
 * complained about what is wrong.
 */
#pragma once

#include <getopt.h>
#include <jansson.h>
#include <stddef.h>

#include "base/limits.h"

struct ctl;

struct offer {
	const char *verb;
	json_t *parameters, *context; /* owned, borrowed from it */
	int fds[LIMIT_VARLINK_FDS];   /* owned */
	size_t fds_used;
	int error; /* of building the JSON */
};

enum {
	OFFER_ID = 256,
	OFFER_NAME,
	OFFER_MACHINE,
	OFFER_HEAD,
	OFFER_LABEL,
	OFFER_FRAMES,
	OFFER_BYTES,
	OFFER_VIEWERS,
	OFFER_SHARING,
	OFFER_VIEW_ONLY,
	OFFER_CHANGE_FD,
	OFFER_RENDER_NODE,
	OFFER_INTERRUPT,
	OFFER_EDID,
	OFFER_LISTEN,
	OFFER_LISTEN_VIEW,
	OFFER_LISTEN_EXCLUSIVE,
	OFFER_SECURITY, /* of the last listener, as the next two */
	OFFER_TRANSPORTS,
	OFFER_ORIGIN,
	OFFER_LAST /* a verb's own options begin here */
};

/* clang-format off */
/* Of a context; what Update may change, too. */
#define OFFER_CHANGES \
	{"name", required_argument, NULL, OFFER_NAME}, \
	{"label", required_argument, NULL, OFFER_LABEL}, \
	{"frames-per-second-maximum", required_argument, NULL, OFFER_FRAMES}, \
	{"bytes-per-second-maximum", required_argument, NULL, OFFER_BYTES}, \
	{"viewers-maximum", required_argument, NULL, OFFER_VIEWERS}, \
	{"sharing", required_argument, NULL, OFFER_SHARING}
#define OFFER_OPTIONS \
	OFFER_CHANGES, \
	{"id", required_argument, NULL, OFFER_ID}, \
	{"machine", required_argument, NULL, OFFER_MACHINE}, \
	{"head", required_argument, NULL, OFFER_HEAD}, \
	{"view-only", no_argument, NULL, OFFER_VIEW_ONLY}, \
	{"change-fd", required_argument, NULL, OFFER_CHANGE_FD}, \
	{"render-node", required_argument, NULL, OFFER_RENDER_NODE}, \
	{"allow-interrupt", no_argument, NULL, OFFER_INTERRUPT}, \
	{"owns-edid", no_argument, NULL, OFFER_EDID}, \
	{"listen", required_argument, NULL, OFFER_LISTEN}, \
	{"listen-view", required_argument, NULL, OFFER_LISTEN_VIEW}, \
	{"listen-exclusive", required_argument, NULL, OFFER_LISTEN_EXCLUSIVE}, \
	{"security", required_argument, NULL, OFFER_SECURITY}, \
	{"transports", required_argument, NULL, OFFER_TRANSPORTS}, \
	{"origin", required_argument, NULL, OFFER_ORIGIN}
/* clang-format on */

/* Pair with offer_finish(), whatever comes in between. */
void offer_init(struct offer *offer, const char *verb);
void offer_finish(struct offer *offer);
/* @option: a value of the enumeration, @name: its name on the command line, @argument: NULL where it has none. */
int offer_option(struct offer *offer, int option, const char *name, const char *argument);
/* @fd is consumed. @field: "deviceFileDescriptorIndex". */
int offer_add_fd(struct offer *offer, const char *field, int fd);
/* Opens @path for reading and writing. */
int offer_add_file(struct offer *offer, const char *field, const char *path);
/* The descriptor @argument of this program. */
int offer_add_inherited(
	struct offer *offer, const char *field, const char *name, const char *argument);
/* Register. Without a lease descriptor the connection is the lease: then it returns when the display has ended, or when
 * a signal says that it shall. */
int offer_register(const struct ctl *ctl, struct offer *offer);
