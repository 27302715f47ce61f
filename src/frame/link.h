/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.h - messages across the wall between vfio-displayd (broker) and vfio-displayd-rfb.
 *
 * One SOCK_SEQPACKET pair; each message is one struct link_message of fixed size with at most one fd. The first message each
 * way carries LINK_VERSION (HELLO, READY). Both ends check type, strings and ranges (link_check); a lie ends the RFB program,
 * never the broker.
 *
 * Writing the frame:  broker: WANT_WRITE -> rfb: MAY_WRITE, once no encode runs; none starts from then on
 *		       broker: writes changed tiles, bitmap, cursor, then PUBLISH -> rfb: encodes again.
 * A new FRAME needs no grant until its first PUBLISH: nobody reads it before. Grants of an older generation are void. The RFB
 * program answers each FRAME with TAKEN once it holds it; with LIMIT_FRAMES_UNTAKEN on their way the broker makes no more. While no
 * grant is there, the broker only hashes, and damage waits in the source: a slow viewer costs its own frame rate. While encodes
 * run that keep the grant back, the RFB program says BUSY each LIMIT_BUSY_MS. Neither that nor the grant for LIMIT_GRANT_MS, or no
 * grant for LIMIT_ENCODE_MS: it is stuck and is killed; its viewers may come back.
 *
 * Viewers: numbers are unique for the life of the broker's link. Even: given by the broker (VIEWER). Odd: given by the RFB
 * program to those that came through a LISTENER. VIEWER_ADDED when authenticated (both kinds), VIEWER_GONE at the end (also
 * for a VIEWER that never got so far). WATCH says how many viewers want pictures; at 0 the broker stops looking.
 *
 * Audience: viewers that come while nobody watches are another one, and WATCH has its number. PUBLISH names the audience for which the picture was
 * last looked at, or written in words: one that was on its way while the last viewer of an audience left is no picture for the next, which
 * may come much later.
 *
 * Another broker: the program lives as long as somebody holds the other end of its link, and goes on while nobody reads there. A broker
 * that has taken such an end over says RESUME first, then what a new program is told after HELLO (listeners too: those that it had are
 * closed by RESUME, their connections stay). What the program had said before is void, whether it was read or not; it answers RESUMED, and
 * right behind it HERE for each viewer that is in and for each VIEWER that may yet come in. Then it goes on as ever: CHECKs without a
 * VERDICT come again, and so does WATCH. It has no frame from then on: what viewers see stands, and nothing is read before the next FRAME's
 * first PUBLISH. Grants are void.
 * Of what was said before RESUMED, INPUT alone is heard, of viewers that the broker knows to be in: what people type is not said again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/measure.h"
#include "damage/move.h"

#define LINK_VERSION 7u

enum link_type {
	/* broker -> rfb */
	LINK_HELLO = 1,
	LINK_LISTENER, /* + fd: listening stream socket */
	LINK_VIEWER,   /* + fd: connected stream socket, the attach call was its authentication */
	LINK_FRAME,    /* + fd: the frame's memfd */
	LINK_WANT_WRITE,
	LINK_PUBLISH,
	LINK_DETACH,
	LINK_SIZES,    /* what viewers may ask for; before the first: nothing */
	LINK_STOP,     /* close viewers after what is queued (at most 1 s), then exit */
	LINK_TLS,      /* + fd: memfd, sealed whole, with PEM texts; for connections that come from now on */
	LINK_POLICY,   /* HELLO's policy has changed */
	LINK_UNLISTEN, /* close every listener; who is in stays */
	LINK_VERDICT,  /* answer to a CHECK; + fd, where a gate's viewer was let in: its place at the display */
	LINK_NAME,     /* the desktop has another name */
	LINK_LEDS,     /* of the guest's keyboard; before the first: not known */
	LINK_POINTER_MODE, /* does the guest's pointer want places or steps? Before the first: places */
	LINK_RESUME,   /* from a broker that has taken over this link; as HELLO, of the same role and id */
	LINK_LOG_LEVEL, /* what is logged from now on */
	/* rfb -> broker */
	LINK_READY = 64,
	LINK_MAY_WRITE,
	LINK_VIEWER_ADDED,
	LINK_VIEWER_STATE,
	LINK_VIEWER_GONE,
	LINK_WATCH,
	LINK_IDLE,     /* no viewer for the grace time: send me STOP if you agree */
	LINK_BUSY,     /* WANT_WRITE has come; encodes run still */
	LINK_TAKEN,    /* frames up to this generation have come */
	LINK_RESIZE,   /* a viewer that may control asks for another size, within the last SIZES */
	LINK_CHECK,    /* may somebody with these credentials come in? Answered by a VERDICT, always */
	LINK_POWER,    /* a viewer that may control asks for it (xvp) */
	LINK_RESUMED,  /* answers RESUME; what came before it is void */
	LINK_HERE,     /* follows RESUMED, once for each viewer */
	LINK_TIMES,    /* what was measured since the last; not more often than viewers' states */
	LINK_INPUT,    /* what a viewer that may control types and points, in its order */
};

enum link_role { LINK_ROLE_DISPLAY, LINK_ROLE_GATE };
enum link_mode {
	LINK_MODE_VIEW = 1, /* the larger, the more */
	LINK_MODE_CONTROL = 2,
	LINK_MODE_EXCLUSIVE = 3, /* control, and alone */
};
/* "view", as the control interface has it; NULL: it is none. */
static inline const char *link_mode_word(enum link_mode mode)
{
	static const char *const words[LINK_MODE_EXCLUSIVE + 1] = {NULL, "view", "control", "exclusive"};

	return mode <= LINK_MODE_EXCLUSIVE ? words[mode] : NULL;
}
enum link_sharing { LINK_SHARING_IGNORE, LINK_SHARING_ALLOW_EXCLUSIVE, LINK_SHARING_FORCE_SHARED };

/* Security types that a listener offers. */
enum link_offer {
	LINK_OFFER_NONE = 1 << 0,	 /* RFB 7.2.1 */
	LINK_OFFER_VNCAUTH = 1 << 1,	 /* RFB 7.2.2 */
	LINK_OFFER_TLS_NONE = 1 << 2,	 /* VeNCrypt, anonymous TLS */
	LINK_OFFER_TLS_VNC = 1 << 3,
	LINK_OFFER_TLS_PLAIN = 1 << 4,
	LINK_OFFER_X509_NONE = 1 << 5,	 /* VeNCrypt, TLS with a certificate */
	LINK_OFFER_X509_VNC = 1 << 6,
	LINK_OFFER_X509_PLAIN = 1 << 7,
	LINK_OFFER_RSA_AES = 1 << 8,	 /* RSA-AES, 128 bits */
	LINK_OFFER_RSA_AES_256 = 1 << 9, /* RSA-AES, 256 bits */
	LINK_OFFER_ALL = (1 << 10) - 1,
};

enum link_transport {
	LINK_TRANSPORT_RFB = 1 << 0,
	LINK_TRANSPORT_WEBSOCKET = 1 << 1,
	LINK_TRANSPORT_SECURE_WEBSOCKET = 1 << 2,
	LINK_TRANSPORT_ALL = (1 << 3) - 1,
};

enum link_check_kind {
	LINK_CHECK_CHALLENGE = 1, /* digest: SHA-256 of the 16 bytes that answer HELLO's ticket challenge */
	LINK_CHECK_TICKET,	  /* digest: SHA-256 of a text that may be a ticket */
	LINK_CHECK_LOGIN,	  /* user and secret */
	LINK_CHECK_NAME,	  /* a gate's: nothing but the display's name; the gate has other proof, its listener's */
};

enum link_power { LINK_POWER_SHUTDOWN = 2, LINK_POWER_REBOOT = 3, LINK_POWER_RESET = 4 }; /* xvp's codes */

enum link_input_kind {
	LINK_INPUT_KEY = 1,
	LINK_INPUT_POINTER,
	LINK_INPUT_LOST, /* some that were here were thrown away: nothing that the viewer held is known to be held still */
};

#define LINK_INPUTS    20 /* of one message */
#define LINK_DIGEST    32
#define LINK_CHALLENGE 16
#define LINK_ORIGINS   256

/* How one listener treats who comes. */
struct link_listener {
	uint32_t mode;	     /* enum link_mode: the most that its viewers get */
	uint32_t offers;     /* enum link_offer, not 0 */
	uint32_t transports; /* enum link_transport, not 0 */
	uint32_t tickets;    /* 1: a ticket is a password here; 0 */
	uint32_t login;	     /* 1: users with their passwords; 0 */
	char password[9];    /* 1 to 8 bytes; empty: none */
	char origins[LINK_ORIGINS]; /* of WebSockets: words with a space between, "*": all; empty: the host that was asked for */
};

/* One key, or one state of a pointer. */
struct link_input {
	uint64_t at;	/* when the program read it (base/measure.h) */
	uint8_t kind;	/* enum link_input_kind */
	uint8_t on;	/* key: it goes down; pointer: it moves in steps; else 0 */
	uint16_t code;	/* key: XT's keycode below 0x100, 0: only the keysym is known; pointer: buttons, bit 0 is button 1; else 0 */
	union {
		uint32_t keysym;
		uint32_t lost; /* so many */
		struct {
			int32_t x, y;		/* a place on the screen, or steps of at most LIMIT_INPUT_STEP */
			uint16_t width, height; /* of the screen that the place is on; of steps 0 */
		};
	};
};

/* What may change while the program runs. */
struct link_policy {
	uint32_t viewers_maximum;
	uint32_t frames_maximum; /* for each second and viewer */
	uint32_t bytes_maximum;	 /* likewise; 0: as many as the network takes */
	uint32_t sharing;	 /* enum link_sharing */
	uint32_t power;		 /* 1: somebody hears POWER; 0 */
	uint32_t h264;		 /* 1: what moves like a film may be sent as one; 0 */
};

struct link_message {
	uint32_t type;
	union {
		struct {
			uint32_t version;
			uint32_t role; /* enum link_role */
			struct link_policy policy;
			uint32_t grace_ms, stall_ms;
			uint32_t log_level;
			uint32_t turn; /* RESUME's: any number, for RESUMED to say which RESUME it answers */
			uint8_t challenge[LINK_CHALLENGE]; /* that tickets answer: one for the daemon's life */
			char id[LIMIT_ID_CHARS + 1];
			char name[LIMIT_NAME_CHARS + 1]; /* UTF-8 */
		} hello; /* also resume */
		struct link_listener listener;
		struct link_policy policy;
		struct {
			uint32_t viewer;
			uint32_t mode;
			char label[LIMIT_LABEL_CHARS + 1];
			char peer[64]; /* as in seen; empty: "attached" */
		} viewer;
		struct {
			/* Bytes of each PEM text; they follow each other in the file. 0: there is none. */
			uint32_t certificates, key, authorities, rsa_key;
		} tls;
		struct {
			uint32_t viewer; /* the CHECK's */
			uint32_t allowed;
			uint32_t mode; /* if so: the most that it gets */
		} verdict;
		struct {
			char name[LIMIT_NAME_CHARS + 1]; /* UTF-8 */
		} name;
		struct {
			uint32_t bits; /* 1: scroll lock, 2: num lock, 4: caps lock (QEMU LED State) */
		} leds;
		struct {
			uint32_t relative; /* 0 or 1 */
		} pointer_mode;
		struct {
			uint32_t level; /* enum log_level, as hello's */
		} log;
		struct {
			uint32_t viewer; /* odd; one check at a time for each */
			uint32_t kind;	 /* enum link_check_kind */
			uint32_t mode;	 /* the most that the listener gives */
			uint8_t digest[LINK_DIGEST];
			/* A gate's: the id that the path names, or "@" and the TLS server name, which the broker looks up; empty: by the ticket. */
			char display[LIMIT_ID_CHARS + 1];
			char peer[64];
			char user[LIMIT_USER_CHARS + 1];
			char secret[LIMIT_SECRET_CHARS + 1];
		} check;
		struct {
			uint32_t viewer;
			uint32_t action; /* enum link_power */
		} power;
		struct {
			uint32_t generation, width, height;
		} frame;
		struct {
			uint32_t generation;
			uint32_t damaged;  /* 0: only the cursor or nothing */
			uint32_t audience; /* of publish: WATCH's; of an audience that has gone: nobody begins with it */
			uint32_t moves;	   /* of a damaged publish: so many */
			uint64_t noticed; /* of publish: nanoseconds (base/measure.h), when the change was first looked at; 0: not known */
			struct move move[LIMIT_MOVES]; /* from what was published before, in this order; each ends as the frame is there, and no later one begins where an earlier one ends */
		} publish; /* also want_write, may_write, busy and taken, which use generation alone */
		struct {
			uint32_t viewer;
			uint32_t mode;
			char peer[64]; /* "192.0.2.1:5900", "[::1]:5900", "unix", "attached" */
			char reason[64];
		} seen; /* viewer_added, viewer_gone, detach */
		struct {
			uint32_t viewer;
			uint32_t frames_behind;
			uint64_t bytes_sent;
			char encoding[16];
		} state; /* viewer_state: at most one a second and viewer, only when it changed */
		struct {
			uint32_t count;
			uint32_t audience; /* so often has somebody come while nobody watched */
		} watch;
		struct {
			uint32_t width, height; /* the largest; 0: sizes cannot be asked for */
		} sizes;
		struct {
			uint32_t viewer;
			uint32_t width, height;
		} resize;
		struct {
			uint32_t version;
		} ready;
		struct {
			uint32_t version;
			uint32_t turn;	     /* RESUME's */
			uint32_t generation; /* of the newest frame that has come; 0: none */
			uint32_t viewers;    /* so many HERE follow */
			uint32_t width, height; /* of that frame; 0: none */
		} resumed;
		struct {
			uint32_t viewer;
			uint32_t mode;
			uint32_t in; /* 1: authenticated; 0: a VIEWER on its way */
			char peer[64];
		} here;
		struct {
			struct measure_times encode, wire;
			uint32_t areas_encoded, areas_shared; /* rfb/studio.h */
			uint32_t shots_encoded, shots_sent, shots_late; /* rfb/film.h */
		} times;
		struct {
			uint32_t viewer;
			uint32_t used; /* 1 to LINK_INPUTS */
			struct link_input at[LINK_INPUTS];
		} input; /* after the viewer's ADDED, before its GONE; also before RESUMED, where it counts if the broker knows the viewer */
		uint8_t pad[504];
	};
};

_Static_assert(sizeof(struct link_input) == 24 && sizeof(struct link_message) == 512, "wall ABI");

/* Sends without blocking. @fd stays the caller's; -1 or -EBADF: none. -EAGAIN: queue full; -EPIPE: the peer is gone.
 * Thread-safe. */
int link_send(int link, const struct link_message *message, int fd);
/* Receives without blocking. *ret_fd is the receiver's, -EBADF: none. -EAGAIN; -EPIPE: the peer is gone; -EPROTO: it lied
 * (size, type, strings without end, numbers out of range, an fd where none belongs or none where one does). @from_broker: which way. */
int link_receive(int link, bool from_broker, struct link_message *ret, int *ret_fd);
/* The checks alone, for tests and fuzzing. 0 or -EPROTO. */
int link_check(const struct link_message *message, bool from_broker, bool has_fd);
