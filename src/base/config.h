/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.h - vfio-displayd.conf as a struct.
 *
 * Format: [section] lines, "key = value" lines, '#' and ';' comments on their own line. One table in config_keys.c has each
 * key with its type, range and default; conf/vfio-displayd.conf is checked against it by a test. An unknown section or
 * key, a key set twice, a value out of range or a line that is none of these is one clear message with file and line
 * number, and the daemon does not start. A path is absolute; an empty one means the default. A list is words with white space
 * between; an empty one means the default.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

/* When a dma-buf is read by vfio-displayd-import: where the CPU cannot map it; wherever there is a render node; never. */
enum import_policy { IMPORT_AUTO, IMPORT_ALWAYS, IMPORT_NEVER };

/* May a viewer be alone? Numbers of frame/link.h. */
enum config_shared { CONFIG_SHARED_IGNORE, CONFIG_SHARED_ALLOW_EXCLUSIVE, CONFIG_SHARED_FORCE };

struct config {
	/* [control] */
	char *control_socket;          /* socket = PATH; NULL: $RUNSTATEDIR/vfio-displayd/org.vfiodisplay.Display */
	char *monitor_socket;          /* monitor = PATH: where one can observe only; NULL: nowhere, but for the socket that systemd hands over */
	char *policy;		       /* policy = PATH: who may do what, see rights.h; NULL: $SYSCONFDIR/vfio-displayd/policy, where it is there */
	/* [viewers] */
	bool unix_sockets;             /* unix-sockets = yes|no: a socket for each display, default yes */
	char *unix_directory;          /* unix-directory = PATH; NULL: "rfb" beside the control socket */
	char *password_file;           /* password-file = PATH: VNC password (8 characters) of TCP listeners; NULL: none */
	char *passwords;	       /* passwords = PATH: users who may log in, with crypt(3) hashes; NULL: none */
	char *pam_service;	       /* pam-service = NAME: PAM decides about other users; NULL: nobody does */
	char *certificate, *key;       /* certificate, key = PATH: PEM, a chain and its key; NULL: none */
	char *client_ca;	       /* client-ca = PATH: PEM, who signs viewers' certificates; NULL: viewers need none */
	char *rsa_key;		       /* rsa-key = PATH: PEM, of RSA-AES; NULL: one is made */
	uint32_t security;	       /* security = LIST of offers, a set: outside loopback and Unix; 0: see policy.h */
	uint32_t security_local;       /* security-local = LIST likewise: on loopback and Unix sockets */
	bool insecure;		       /* insecure = yes|no: what is not encrypted or asks for nothing may be offered anywhere; no */
	uint32_t transports;	       /* transports = LIST of rfb, websocket, secureWebsocket, a set; 0: see policy.h */
	char *origins;		       /* origins = LIST: web pages whose WebSockets are let in, one space between; NULL: see link.h */
	uint32_t shared;	       /* shared = ignore|allow-exclusive|force-shared (enum config_shared), default ignore */
	uint32_t linger_seconds;       /* linger-seconds = 0..3600: viewers are kept so long after the guest went; 60 */
	uint32_t bytes_maximum;	       /* bytes-per-second-maximum = 0..4294967295: to each viewer; 0: no bound */
	uint32_t viewers_maximum;      /* viewers-maximum = 1..128, default LIMIT_VIEWERS */
	uint32_t frames_maximum;       /* frames-per-second-maximum = 1..240, default 60 */
	bool h264;		       /* h264 = yes|no: films for viewers that know it, default yes; read again by a reload */
	uint32_t grace_seconds;        /* grace-seconds = 0..3600: an RFB program without viewers stays so long; 10 */
	uint32_t stall_seconds;        /* stall-seconds = 1..3600: a viewer that takes nothing is dropped; 30 */
	/* [gate] */
	char *gate_listen;	       /* listen = LIST of addresses, one space between; NULL: none */
	uint32_t gate_mode;	       /* mode = view|control|exclusive: the most that its viewers get; numbers of frame/link.h */
	uint32_t gate_security;	       /* security = LIST as above; 0: as other listeners */
	/* [input] */
	char *keyboard_layout;	       /* keyboard-layout = NAME: of guests; NULL: "us" */
	uint32_t input_exclusive_seconds; /* exclusive-seconds = 0..3600; 0: viewers share keyboard and pointer */
	/* [capture] */
	uint32_t timer_fast_ms;        /* timer-fast-ms = 4..1000: while a viewer types or the picture moves; 16 */
	uint32_t timer_slow_ms;        /* timer-slow-ms = 10..10000: after a quiet minute; 80 */
	uint32_t timer_still_ms;       /* timer-still-ms = 10..10000: after ten minutes without a change or a viewer's touch; 500 */
	uint32_t safety_ms;            /* safety-ms = 100..60000: look anyway when an eventfd is silent, at first; 1000 */
	uint32_t scan_share;	       /* scan-share = 1..6400: percent of a core for the looks of all displays; 50 */
	char *render_node;	       /* render-node = PATH: for displays that are registered without one; NULL: none */
	enum import_policy import;     /* import = auto|always|never, default auto */
	/* [metrics] */
	char *metrics_listen;	       /* listen = ADDRESS; NULL: none but what systemd hands over */
	bool metrics_insecure;	       /* insecure = yes|no: others than this host may read them; no */
	/* [log] */
	enum log_level log_level;      /* level = err|warning|notice|info|debug, default info */
	/* Not keys: main.c sets them. */
	char *rfb_program;	       /* path of vfio-displayd-rfb */
	char *testcard_program;
	char *login_program;	       /* path of vfio-displayd-login */
	char *metrics_program;	       /* path of vfio-displayd-metrics */
	char *import_program;	       /* path of vfio-displayd-import; NULL: not built */
};

/* Fills in the defaults. Pair with config_finish(). */
void config_init(struct config *config);
void config_finish(struct config *config);
/* Reads @path over what is there. Returns 0; -errno (the file cannot be read; -EFBIG: LIMIT_CONFIG_BYTES), -EINVAL (its
 * content), -ENOMEM. On an error @ret_error, to be freed, is one line: "PATH:LINE: what is wrong"; NULL where there was
 * no memory for it. */
int config_read(struct config *config, const char *path, char **ret_error);
/* The same for a daemon that works: it waits for nobody. -ENOTSUP: it is a FIFO, for whose writer the first would wait. */
int config_read_again(struct config *config, const char *path, char **ret_error);
/* Takes of @newer what may change while the daemon runs: h264. */
void config_renew(struct config *config, const struct config *newer);
/* The word for offer @n (frame/link.h has the bits, 1 << n) or transport @n, as it is written everywhere. NULL: past the end. */
const char *config_offer(size_t n);
const char *config_transport(size_t n);
/* The table, for those who check a file or a page against it: key @n, its default as it would be written. false: there
 * is no such key. */
bool config_key(size_t n, const char **ret_section, const char **ret_name, char *ret_preset, size_t size);
