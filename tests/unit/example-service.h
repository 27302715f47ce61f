/* SPDX-License-Identifier: GPL-2.0-or-later */
/* example-service.h - a Varlink server on a loop with an interface for tests, org.example.Test.
 *
 * Echo answers its parameters; Slow takes 3 ms and notes its "who" in order[]; Fail an error; Later and Chain stay pending in held[] (Chain's gone callback ends them all);
 * Count answers three times; Fd gives back the descriptor of its "index"; Fds sends as many as go; Huge answers more than
 * a message may have; Stream answers with stream_text as the peer reads, stream_end times; Missing has no function. Include after cmocka.h.
 */
#pragma once

#include <stddef.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "raw-peer.h"
#include "varlink/server.h"

#define CALL(method)	    "{\"method\":\"org.example.Test." method "\"}"
#define CALL_MORE(method)   "{\"method\":\"org.example.Test." method "\",\"more\":true}"
#define CALL_ONEWAY(method) "{\"method\":\"org.example.Test." method "\",\"oneway\":true}"
#define SERVICE_ERROR(e, k, v) \
	"{\"error\":\"org.varlink.service." e "\",\"parameters\":{\"" k "\":\"" v "\"}}"
#define EMPTY_REPLY "{\"parameters\":{}}"

struct example {
	struct loop *loop;
	struct varlink_server *server;
	struct varlink_call *held[8];
	size_t held_used;
	unsigned int ran;
	int order[16];
	unsigned int gone;
	int result;    /* of the last varlink_reply_continues() or varlink_call_take_fd() */
	size_t before; /* open descriptors */
	struct shared *stream_text;
	size_t streamed, stream_end;
	int stream_result; /* of the last varlink_push_text() */
};

int example_set_up(void **state);
int example_tear_down(void **state);
void example_on_gone(void *arg);
/* All is on this thread and on socket pairs: some rounds of the loop do what there is to do. */
void pump(struct example *example);
/* A new connection; returns the peer's end. */
int join(struct example *example);
/* One call and the beginning of what comes of it; NULL: nothing. */
void ask(struct example *example, int peer, const char *call, const char *reply);

#define TEST(name) cmocka_unit_test_setup_teardown(name, example_set_up, example_tear_down)
