/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server.h - a Varlink service on the loop: connections, calls, replies. Knows nothing of displays.
 *
 * One call at a time and connection; while one is pending nothing more is read from that peer. A call must be ended exactly once, by
 * varlink_reply() or varlink_error(), at once or later; then the pointer is dead. A peer that goes away while its call is pending
 * stays a valid call (replies go nowhere) and is told by the gone callback. A peer that only shut down its sending side is still there.
 * A "oneway" call is ended like any other; nothing is sent. Caps: base/limits.h.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct loop;
struct shared;
struct varlink_call;
struct varlink_server;

/* As the kernel noted it when the peer connected (socket(7): SO_PEERCRED, SO_PEERGROUPS, SO_PEERPIDFD). */
struct varlink_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;	      /* 0: not of this pid namespace */
	uint64_t process;     /* the inode number of its pidfd: no other process has it while the host runs (pidfs, Linux 6.9); 0: not known */
	const gid_t *groups;  /* supplementary ones, borrowed for as long as the call; may hold gid, too */
	size_t groups_used;
	bool monitor;	      /* it came by varlink_server_listen_monitor() */
};

enum varlink_flags { VARLINK_NEEDS_MORE = 1 }; /* called without "more": ExpectedMore */

struct varlink_method {
	const char *name; /* without the interface */
	unsigned int flags;
	/* @parameters: borrowed, an object, never NULL. A method without a function answers MethodNotImplemented. */
	void (*fn)(struct varlink_call *call, json_t *parameters, void *arg);
};

struct varlink_interface {
	const char *name;
	const char *description; /* IDL text */
	const struct varlink_method *methods;
	size_t methods_used;
	/* Asked before methods[method] runs; false: it has refused, and the call is ended. NULL: everybody may call all. */
	bool (*admit)(struct varlink_call *call, size_t method, json_t *parameters, void *arg);
};

struct varlink_identity {
	const char *vendor, *product, *version, *url;
};

/* All pointers in @identity and interfaces stay the caller's and must outlive the server. */
int varlink_server_create(
	struct loop *loop, const struct varlink_identity *identity, struct varlink_server **ret);
/* Not from within a method. Pending calls become silent. Takes NULL. */
void varlink_server_destroy(struct varlink_server *server);
/* -EEXIST: that interface is there. */
int varlink_server_add(
	struct varlink_server *server, const struct varlink_interface *interface, void *arg);
/* @fd: a listening Unix stream socket, consumed in every case. -EPROTOTYPE: another kind. */
/* How many there are. */
unsigned int varlink_server_connections(const struct varlink_server *server);
/* Hears of every call that is answered: its @method without the interface ("" where there is none of that name) and the @error's full
 * name ("": none). */
void varlink_server_on_answer(
	struct varlink_server *server, void (*fn)(void *arg, const char *method, const char *error), void *arg);
int varlink_server_listen(struct varlink_server *server, int fd);
/* Likewise, for peers that may look and change nothing: it only marks them. */
int varlink_server_listen_monitor(struct varlink_server *server, int fd);
/* @fd: a connected Unix stream socket, consumed in every case. -EPROTOTYPE; -EUSERS: a cap is reached. */
int varlink_server_adopt(struct varlink_server *server, int fd);

/* Goes on with a call with "more" of an earlier server, of whose connection @fd, consumed in every case, is a copy. As varlink_server_adopt(). */
int varlink_server_resume(struct varlink_server *server, int fd, struct varlink_call **ret);

/* Of its connection; borrowed. -EBADF: the peer is gone. */
int varlink_call_socket(const struct varlink_call *call);
/* Ends it without a word, and closes this copy of its connection: somebody else goes on with it. Not from within its method. */
void varlink_call_abandon(struct varlink_call *call);
bool varlink_call_more(const struct varlink_call *call); /* the caller set "more" */
const struct varlink_peer *varlink_call_peer(const struct varlink_call *call);
/* Takes descriptor @index of this message: the receiver's now. Only until the method's function returns; what was not taken
 * by then is closed. -EBADF: no such index or taken already. */
int varlink_call_take_fd(struct varlink_call *call, json_int_t index);
/* Adds a descriptor (consumed in every case) to the next reply; returns its index; -EMFILE, -EBADF. */
int varlink_call_push_fd(struct varlink_call *call, int fd);
/* Runs once when the peer hangs up or is dropped while the call is pending, also after varlink_reply_continues(). Always from the
 * loop, never from within a function here; it may end this call and others. NULL takes it back. */
void varlink_call_on_gone(struct varlink_call *call, void (*fn)(void *arg), void *arg);

/* @parameters: stolen, NULL is {}. */
void varlink_reply(struct varlink_call *call, json_t *parameters);
/* More follow. Only where varlink_call_more(), else -EINVAL. -EPIPE: the peer is gone; -ENOBUFS: it is too slow and was dropped;
 * -EMSGSIZE, -ENOMEM: the reply cannot be sent and the peer was dropped. The call must still be ended. */
int varlink_reply_continues(struct varlink_call *call, json_t *parameters);
/* ---- Replies that are made as the peer reads ----
 *
 * Of a method with very many replies, or with no end of them, only so much is made as is about to be read: while varlink_call_ready(), push;
 * then varlink_flush(); when it is not ready any more, go on in the ready callback. */

/* Less than LIMIT_VARLINK_LOW bytes wait for the peer. False: more do, or it is gone. */
bool varlink_call_ready(const struct varlink_call *call);
/* Runs each time that the peer has read so much that varlink_call_ready() is true again, from the loop; it may end this call and others. NULL
 * takes it back. */
void varlink_call_on_ready(struct varlink_call *call, void (*fn)(void *arg), void *arg);
/* @json: compact text of an object, the parameters of a reply, for any number of calls. -EMSGSIZE, -ENOMEM. */
int varlink_text_create(const char *json, struct shared **ret);
/* Queues @text, of which a reference is taken; more follow. Errors as varlink_reply_continues(). */
int varlink_push_text(struct varlink_call *call, struct shared *text);
/* Sends what goes of what was pushed. */
void varlink_flush(struct varlink_call *call);
/* The last reply. */
void varlink_reply_text(struct varlink_call *call, struct shared *text);

/* @error: full name. */
void varlink_error(struct varlink_call *call, const char *error, json_t *parameters);
/* org.varlink.service.InvalidParameter. */
void varlink_invalid_parameter(struct varlink_call *call, const char *parameter);
