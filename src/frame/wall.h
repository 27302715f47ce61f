/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wall.h - the broker's side of one display's RFB program: start it, give it listeners and viewers, keep count, end it.
 *
 * While no program runs, the wall watches the display's listeners; the first connection starts a program, which then accepts
 * itself. A program that dies is started again by the next connection, not more often than LIMIT_RESPAWN_MS.
 * A program outlives its broker where somebody keeps its link and its pidfd (wall_keep): the next broker goes on with it (wall_adopt).
 * Main thread only, but for the last seven functions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame/frame.h"
#include "frame/link.h"
#include "frame/roster.h"

struct loop;
struct wall;

struct wall_events {
	void (*watch)(void *arg, unsigned int watchers);	/* how many want pictures; 0: stop looking */
	void (*may_write)(void *arg, uint32_t generation);
	void (*busy)(void *arg, uint32_t generation);		/* may_write will take longer */
	void (*taken)(void *arg, uint32_t generation);		/* it has the frames up to this one */
	/* A viewer asks for it, within wall_sizes(). The newest wish, not more often than LIMIT_RESIZE_MS. NULL: nobody listens. */
	void (*resize)(void *arg, uint32_t width, uint32_t height);
	/* The program asks whether somebody may come in (LINK_CHECK). wall_verdict() with the same @check answers, now or later. NULL: nobody
	 * may. */
	void (*check)(void *arg, uint64_t check, const struct link_message *message);
	/* @viewer, which may control, asks for it; not much more often than LIMIT_POWER_MS. NULL: nobody hears. */
	void (*power)(void *arg, enum link_power action, const struct wall_viewer *viewer);
	/* @viewer, which may control, types and points (LINK_INPUT). NULL: nobody hears. */
	void (*input)(void *arg, const struct wall_viewer *viewer, const struct link_message *message);
	/* wall_detach(): from now on nothing of what it types is heard. NULL: nobody hears. */
	void (*leaves)(void *arg, const struct wall_viewer *viewer);
	/* Viewers come and go (roster.h), also while the program ends. Nothing may be done to the wall inside. NULL: nobody listens. */
	void (*viewer)(void *arg, enum roster_news news, const struct wall_viewer *viewer, const char *reason);
	void (*ended)(void *arg);				/* it is gone; watchers are 0 */
};

struct wall_options {
	const char *program; /* path of vfio-displayd-rfb; outlives the wall */
	char id[LIMIT_ID_CHARS + 1];
	char name[LIMIT_NAME_CHARS + 1];
	enum link_role role;
	struct link_policy policy; /* at first */
	uint32_t grace_ms, stall_ms;
};

/* Who keeps what a program needs to outlive this broker. Neither may call the wall back, but for wall_kept(). */
struct wall_keeper {
	/* A program runs: its @link and @pidfd, borrowed until the next call, are to be kept. -EBADF, -EBADF: what was kept is void. */
	void (*program)(void *arg, int link, int pidfd);
	/* wall_kept() would tell something else now. To be noted before this returns: the program, or a viewer, hears of it next. */
	void (*changed)(void *arg);
};

/* What must be noted of a wall, beside those two and its listeners. */
struct wall_kept {
	uint32_t version;     /* of the link that its program speaks */
	uint32_t last_number; /* the last that a viewer of wall_attach() got */
	struct roster_kept roster;
};

int wall_create(struct loop *loop, const struct wall_options *options, const struct wall_events *events, void *arg,
	struct wall **ret);
/* Whose events they are from now on: a wall can outlive its display. */
void wall_give(struct wall *wall, const struct wall_events *events, void *arg);
/* Ends the program and closes the listeners; the last seven functions may still be called. */
void wall_close(struct wall *wall);
void wall_destroy(struct wall *wall); /* takes NULL */

/* @fd, a listening socket, is consumed in every case. @ours: the daemon made it. @unlink_path (may be NULL) is removed at the end. -ENOSPC,
 * -ENOMEM. */
int wall_listen(struct wall *wall, int fd, const struct link_listener *policy, const char *endpoint,
	bool ours, const char *unlink_path);
/* Closes all listeners, here and in the program; who is in stays. */
void wall_unlisten(struct wall *wall);
size_t wall_endpoints(const struct wall *wall, const char **ret, size_t max);
/* @fd, a connected stream socket, is consumed in every case. @peer: where it comes from; NULL: "attached". *ret_name (24 bytes) names the
 * viewer. -EAGAIN: no program could be started; -ENOSPC: viewers_maximum; -EBUSY: a viewer is there that must be alone. */
int wall_attach(struct wall *wall, int fd, enum link_mode mode, const char *label, const char *peer, char ret_name[24]);
/* -ENOENT. */
int wall_detach(struct wall *wall, const char *name, const char *reason);
size_t wall_viewers(const struct wall *wall, const struct wall_viewer **ret); /* array, valid until the loop goes on */
/* What they were sent, by encoding; as above. */
size_t wall_bytes(const struct wall *wall, const struct roster_bytes **ret);
unsigned int wall_viewers_ready(const struct wall *wall); /* those that are in */
unsigned int wall_watchers(const struct wall *wall);	   /* the last that events.watch said */
/* Which audience they are, or the last one was: unique over all programs. 0: there has been none. */
uint64_t wall_audience(const struct wall *wall);

/* NULL: nobody keeps anything, which is how it begins. Both functions are called at once where a program runs. */
void wall_keep(struct wall *wall, const struct wall_keeper *keeper, void *arg);
void wall_kept(const struct wall *wall, struct wall_kept *ret);
/* Goes on with the program behind @link, which an earlier broker has started: both descriptors are consumed in every case. The wall has been
 * told all that it tells programs, its listeners too. -EBADF: not what they should be;
 * -EPROTONOSUPPORT: it speaks another version; -EINVAL: @kept cannot be true; -EPIPE and others: it is gone. Then there is no program: one that
 * runs still has been told to stop, its viewers may reconnect; what was kept of it is void. */
int wall_adopt(struct wall *wall, int link, int pidfd, const struct wall_kept *kept);
/* This broker's end, for the next one to go on: program, viewers, listening sockets and what is kept stay as they are, only our descriptors are
 * closed. No program is started any more. */
void wall_abandon(struct wall *wall);
struct listener;
size_t wall_listeners(const struct wall *wall, const struct listener **ret); /* array, valid until the loop goes on (frame/listeners.h) */
/* Programs of all walls are numbered: a viewer's name begins with its program's number. The last one, and the one to go on behind. */
uint32_t wall_last_program(void);
void wall_programs_begin(uint32_t last);

/* Before the first program: what tickets answer. */
void wall_challenge(struct wall *wall, const uint8_t challenge[LINK_CHALLENGE]);
/* Now, and to programs started later. */
void wall_policy(struct wall *wall, const struct link_policy *policy);
void wall_log_level(struct wall *wall); /* log_level() is another */
void wall_name(struct wall *wall, const char *name); /* the desktop's, UTF-8 */
void wall_leds(struct wall *wall, uint32_t bits);    /* as in frame/link.h */
void wall_pointer_mode(struct wall *wall, bool relative);
/* @tls: the lengths of the texts in @fd, a sealed memfd, borrowed until the next call or the wall's end. -EBADF: none any more. */
void wall_secrets(struct wall *wall, int fd, const struct link_message *tls);

/* Answers @check. @mode 0: may not come in; else the most that it gets, and its @label (may be NULL). @fd, borrowed: a gate's viewer's place;
 * -EBADF: none. Harmless where nobody waits for it any more, that program or that viewer being gone: false. */
bool wall_verdict(struct wall *wall, uint64_t check, uint32_t mode, const char *label, int fd);

/* The rest is for the capture thread.
 *
 * A new frame: sent now and to a program started later, until replaced or NULL. Borrowed. When a program ends the wall forgets it. */
void wall_show(struct wall *wall, const struct frame *frame);
/* -EPIPE: no program has the frame of this generation. */
int wall_want_write(struct wall *wall, uint32_t generation);
/* What a LINK_PUBLISH says. */
struct wall_news {
	uint32_t generation;
	bool damaged;
	uint64_t audience; /* wall_audience() when the look for it began, or its words were written */
	uint64_t noticed;
	const struct move *moves;
	size_t move_count; /* <= LIMIT_MOVES */
};
int wall_publish(struct wall *wall, const struct wall_news *news);
/* The newest frame that the program has from an earlier broker: those that are shown must have a later generation, and words its size, for not
 * every viewer can follow another. 0: none. */
struct wall_before {
	uint32_t generation, width, height;
};
struct wall_before wall_before(struct wall *wall);
/* The program does not answer (frame/link.h): end it. */
void wall_stuck(struct wall *wall);
/* The largest size that viewers may ask for, now and for programs started later. 0, 0: none, which is how it begins. Any thread;
 * cheap when nothing has changed. */
void wall_sizes(struct wall *wall, uint32_t width, uint32_t height);
