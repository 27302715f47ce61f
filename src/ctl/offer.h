/* SPDX-License-Identifier: GPL-2.0-or-later */
/* offer.h - what a command line collects for Register: its parameters and the descriptors that they point to.
 *
 * Options that `register` and `adopt` share are here, the rest is the verb's. Functions that return an exit status have
 * complained about what is wrong.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "base/limits.h"
#include "ctl/option.h"

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
	OFFER_LAYOUT,
	OFFER_EXCLUSIVE,
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
/* Rows of option.h. Of a context; what Update may change, too. */
#define OFFER_CHANGES \
	{"name", OFFER_NAME, 0, "TEXT", NULL, "what viewers show in their title bar"}, \
	{"label", OFFER_LABEL, 0, "KEY=VALUE", NULL, "a text of your own; may be repeated"}, \
	{"frames-per-second-maximum", OFFER_FRAMES, 0, "N", NULL, "updates for each viewer"}, \
	{"bytes-per-second-maximum", OFFER_BYTES, 0, "N", NULL, "bytes for each viewer"}, \
	{"viewers-maximum", OFFER_VIEWERS, 0, "N", NULL, "viewers at the same time"}, \
	{"sharing", OFFER_SHARING, 0, "RULE", "ignore allowExclusive forceShared", "what a viewer's shared flag means"}, \
	{"keyboard-layout", OFFER_LAYOUT, 0, "LAYOUT", NULL, "of the guest's keyboard: us, de(nodeadkeys)"}, \
	{"input-exclusive-seconds", OFFER_EXCLUSIVE, 0, "N", NULL, "one viewer types, until it rests for so long"}
#define OFFER_OPTIONS \
	OFFER_CHANGES, \
	{"id", OFFER_ID, 0, "ID", NULL, "the display's name"}, \
	{"machine", OFFER_MACHINE, 0, "MACHINE", NULL, "the machine that it belongs to"}, \
	{"head", OFFER_HEAD, 0, "N", NULL, "which of the machine's heads it is"}, \
	{"view-only", OFFER_VIEW_ONLY, 0, NULL, NULL, "nobody gets more than a view"}, \
	{"change-fd", OFFER_CHANGE_FD, 0, "N", NULL, "an eventfd that tells of changes"}, \
	{"render-node", OFFER_RENDER_NODE, 0, "PATH", WORDS_FILES, "imports dma-bufs that the processor cannot map"}, \
	{"allow-interrupt", OFFER_INTERRUPT, 0, NULL, NULL, "the daemon may arm the display interrupt"}, \
	{"owns-edid", OFFER_EDID, 0, NULL, NULL, "the daemon may write the EDID"}, \
	{"listen", OFFER_LISTEN, 0, "ADDRESS", NULL, "where viewers may connect"}, \
	{"listen-view", OFFER_LISTEN_VIEW, 0, "ADDRESS", NULL, "likewise, to look only"}, \
	{"listen-exclusive", OFFER_LISTEN_EXCLUSIVE, 0, "ADDRESS", NULL, "likewise, to be alone"}, \
	{"security", OFFER_SECURITY, 0, "LIST", "none vncauth tlsNone tlsVnc tlsPlain x509None x509Vnc x509Plain rsaAes rsaAes256", "what the last listener offers"}, \
	{"transports", OFFER_TRANSPORTS, 0, "LIST", "rfb websocket secureWebsocket", "what may be spoken there"}, \
	{"origin", OFFER_ORIGIN, 0, "ORIGIN", NULL, "a web page that is let in there"}
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
