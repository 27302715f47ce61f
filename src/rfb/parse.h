/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parse.h - what a viewer sends after ClientInit (RFB 7.5), made safe: bytes in, whole permitted messages out.
 *
 * Sans I/O, no allocation. Every message is rebuilt, so that nothing but the fields checked here gets through:
 *   SetPixelFormat (0)            checked: 8, 16 or 32 bits, maxima 2^n - 1 inside them; a colour map with 8 bits only
 *   SetEncodings (2)              only what LibVNCServer does safely, each once, in the viewer's order; extras to the hooks
 *   FramebufferUpdateRequest (3)  cut to the screen; incremental ones skipped while updates are continuous
 *   KeyEvent (4), PointerEvent (5) to the hooks, never forwarded; PointerEvent is a byte longer with ExtendedMouseButtons
 *   ClientCutText (6)             skipped, not stored; the extended clipboard's negative lengths too
 *   EnableContinuousUpdates (150) cut to the screen, for the worker (rfb/aside.h)
 *   ClientFence (248)             flags that are not known taken off, for the worker (rfb/aside.h)
 *   xvp (250)                     to the hooks
 *   SetDesktopSize (251)          to the hooks, from viewers that announced ExtendedDesktopSize; else skipped
 *   QEMU (255), key event (0)     to the hooks
 *   SetScale (8), PalmVNCSetScaleFactor (15), SetServerInput (9), SetSW (10): skipped; UltraVNC's viewers send them unasked
 * 150, 248, 250, 255 and the longer PointerEvent are known once the viewer has announced their pseudo-encoding, and stay known, since
 * SetEncodings without it may overtake nothing that is under way. Anything else was not offered to the viewer and is an error:
 * file transfer (7), text chat (11), QEMU's audio (255, 1), unknown ones.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARSE_OUT       512 /* no message that comes out is longer */
/* Comes out alone, where the message behind a fence with SyncNext is not for the worker, which waits for one to come. */
#define PARSE_NOTHING	255
#define PARSE_ENCODINGS 112 /* that are let through of one list; the rest is left out */

struct parse_pointer {
	uint16_t buttons; /* bit 0: button 1 */
	bool relative;	  /* x and y are steps, else a place on the screen */
	int32_t x, y;
};

struct parse_hooks {
	/* @keycode: XT's, with its highest bit for an 0xe0 before it (rfbproto.rst); 0: only the keysym is known. */
	void (*key)(void *arg, bool down, uint32_t keysym, uint32_t keycode);
	void (*pointer)(void *arg, const struct parse_pointer *pointer);
	void (*power)(void *arg, uint8_t version, uint8_t code); /* xvp, neither of them checked */
	void (*extras)(void *arg, unsigned int extras); /* each SetEncodings: enum encoding_extra */
	void (*layout)(void *arg); /* ExtendedDesktopSize is wanted, since a request was not incremental */
	/* @whole: its layout is one screen, as large as all. */
	void (*size)(void *arg, uint16_t width, uint16_t height, bool whole);
	void *arg;
};

struct parser {
	const struct parse_hooks *hooks; /* borrowed, may be NULL, as may each hook */
	uint32_t width, height;		 /* of the screen; kept by parser_resize() */
	unsigned int extras;	/* of its last SetEncodings */
	unsigned int known;	/* of any of them */
	bool sync;		/* the next message is the one behind a fence with SyncNext */
	bool continuous;	/* continuous updates are on: incremental requests come to nothing */
	bool relative;		/* the viewer is told that the pointer is to move in steps; kept by parser_relative() */
	uint64_t messages;	/* whole ones so far */
	const char *reason;	/* static text, after an error */

	uint8_t head[80]; /* the message as far as it has come, but for what is skipped and listed */
	uint8_t have;
	uint32_t skip;	  /* bytes to throw away */
	uint32_t entries; /* of SetEncodings that are still to come */
	uint32_t looked;  /* at so many of them */
	uint32_t encodings[PARSE_ENCODINGS];
	uint32_t encoding_count;
	unsigned int extras_coming;
};

void parser_init(struct parser *parser, uint32_t width, uint32_t height,
	const struct parse_hooks *hooks);
void parser_resize(struct parser *parser, uint32_t width, uint32_t height);
/* For viewers that know QEMU's Pointer Motion Change: from now on their places are steps, or places again. */
void parser_relative(struct parser *parser, bool relative);
/* Part of a message has come, and not its end. */
bool parser_inside(const struct parser *parser);
/* Eats from @data until it is empty or one message came out. Returns the bytes eaten, or -EPROTO (parser->reason says why; the
 * viewer must be closed). *ret_out: bytes written to @out, 0 or one message. */
int parse(struct parser *parser, const uint8_t *data, size_t size, uint8_t out[PARSE_OUT],
	size_t *ret_out);
