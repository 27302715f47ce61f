/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/shared.h"
#include "example-service.h"

void example_on_gone(void *arg)
{
	struct example *example = arg;

	example->gone++;
}

/* Ends every held call, this one included. */
static void on_gone_reply(void *arg)
{
	struct example *example = arg;

	example->gone++;
	while (example->held_used > 0)
		varlink_reply(example->held[--example->held_used], NULL);
}

static void method_echo(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct example *example = arg;

	example->ran++;
	varlink_reply(call, json_incref(parameters));
}

static void method_slow(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct example *example = arg;

	usleep(3000);
	assert_true(example->ran < ARRAY_SIZE(example->order));
	example->order[example->ran++] =
		(int)json_integer_value(json_object_get(parameters, "who"));
	varlink_reply(call, NULL);
}

static void method_fail(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct example *example = arg;

	example->ran++;
	varlink_error(call, "org.example.Test.Failed", NULL);
}

static void hold(struct example *example, struct varlink_call *call, void (*gone)(void *arg))
{
	assert_true(example->held_used < ARRAY_SIZE(example->held));
	example->held[example->held_used++] = call;
	example->ran++;
	varlink_call_on_gone(call, gone, example);
}

static void method_later(struct varlink_call *call, json_t *parameters, void *arg)
{
	hold(arg, call, example_on_gone);
}

static void method_chain(struct varlink_call *call, json_t *parameters, void *arg)
{
	hold(arg, call, on_gone_reply);
}

static void method_count(struct varlink_call *call, json_t *parameters, void *arg)
{
	assert_true(varlink_call_more(call));
	for (int i = 1; i < 3; i++)
		assert_int_equal(varlink_reply_continues(call, json_pack("{s:i}", "n", i)), 0);
	varlink_reply(call, json_pack("{s:i}", "n", 3));
}

static void method_continue_without_more(struct varlink_call *call, json_t *parameters, void *arg)
{
	struct example *example = arg;

	example->result = varlink_reply_continues(call, NULL);
	varlink_reply(call, NULL);
}

/* Gives back the descriptor whose index it is told. */
static void method_fd(struct varlink_call *call, json_t *parameters, void *arg)
{
	json_int_t index = json_integer_value(json_object_get(parameters, "index"));
	struct example *example = arg;
	int fd;

	fd = example->result = varlink_call_take_fd(call, index);
	if (fd < 0) {
		varlink_invalid_parameter(call, "index");
		return;
	}
	assert_int_equal(varlink_call_take_fd(call, index), -EBADF);
	varlink_reply(call, json_pack("{s:i}", "index", varlink_call_push_fd(call, fd)));
}

/* More fds than a message takes. */
static void method_fds(struct varlink_call *call, json_t *parameters, void *arg)
{
	for (int i = 0; i < LIMIT_VARLINK_FDS; i++)
		assert_int_equal(varlink_call_push_fd(call, open_memfd()), i);
	assert_int_equal(varlink_call_push_fd(call, open_memfd()), -EMFILE);
	assert_int_equal(varlink_call_push_fd(call, -EBADF), -EBADF);
	if (varlink_call_more(call))
		assert_int_equal(varlink_reply_continues(call, NULL), 0);
	varlink_call_push_fd(call, open_memfd());
	varlink_reply(call, NULL);
}

/* A reply that no client would take. */
static void method_huge(struct varlink_call *call, json_t *parameters, void *arg)
{
	char *text = calloc(1, LIMIT_VARLINK_MESSAGE);

	memset(text, 'x', LIMIT_VARLINK_MESSAGE - 1);
	varlink_reply(call, json_pack("{s:s}", "text", text));
	free(text);
}

static void method_peer(struct varlink_call *call, json_t *parameters, void *arg)
{
	const struct varlink_peer *peer = varlink_call_peer(call);
	gid_t groups[LIMIT_PEER_GROUPS];
	_cleanup_fd_ int pidfd = -EBADF;
	struct stat st;

	assert_int_equal(peer->pid, getpid());
	assert_int_equal(peer->uid, geteuid());
	assert_int_equal(peer->gid, getegid());
	assert_int_equal(peer->groups_used, getgroups(ARRAY_SIZE(groups), groups));
	assert_memory_equal(peer->groups, groups, peer->groups_used * sizeof(*groups));
	/* Where pidfds have numbers of their own, it is ours. */
	if (peer->process) {
		pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
		assert_int_equal(fstat(pidfd, &st), 0);
		assert_int_equal(peer->process, st.st_ino);
	}
	varlink_reply(call, NULL);
}

static void stream_on(void *arg)
{
	struct example *example = arg;
	struct varlink_call *call = example->held[0];

	while (varlink_call_ready(call)) {
		while (varlink_call_ready(call) && example->streamed < example->stream_end - 1) {
			example->stream_result = varlink_push_text(call, example->stream_text);
			example->streamed++;
		}
		if (example->streamed == example->stream_end - 1) {
			example->held_used = 0;
			example->streamed++;
			varlink_reply_text(call, example->stream_text);
			return;
		}
		varlink_flush(call);
	}
}

static void method_stream(struct varlink_call *call, json_t *parameters, void *arg)
{
	hold(arg, call, example_on_gone);
	varlink_call_on_ready(call, stream_on, arg);
	stream_on(arg);
}

static const struct varlink_method methods[] = {
	{.name = "Echo", .fn = method_echo},
	{.name = "Slow", .fn = method_slow},
	{.name = "Fail", .fn = method_fail},
	{.name = "Later", .fn = method_later},
	{.name = "Chain", .fn = method_chain},
	{.name = "Count", .fn = method_count, .flags = VARLINK_NEEDS_MORE},
	{.name = "ContinueWithoutMore", .fn = method_continue_without_more},
	{.name = "Fd", .fn = method_fd},
	{.name = "Fds", .fn = method_fds},
	{.name = "Huge", .fn = method_huge},
	{.name = "Peer", .fn = method_peer},
	{.name = "Stream", .fn = method_stream},
	{.name = "Missing"},
};

static const struct varlink_interface interface = {
	.name = "org.example.Test",
	.description = "interface org.example.Test\nmethod Echo() -> ()\n",
	.methods = methods,
	.methods_used = ARRAY_SIZE(methods),
};

static const struct varlink_identity identity = {"a", "b", "c", "d"};

int example_set_up(void **state)
{
	struct example *example = calloc(1, sizeof(*example));

	example->before = count_fds();
	assert_int_equal(loop_create(&example->loop), 0);
	assert_int_equal(varlink_server_create(example->loop, &identity, &example->server), 0);
	assert_int_equal(varlink_server_add(example->server, &interface, example), 0);
	assert_int_equal(varlink_server_add(example->server, &interface, example), -EEXIST);
	*state = example;
	return 0;
}

int example_tear_down(void **state)
{
	struct example *example = *state;

	varlink_server_destroy(example->server);
	while (example->held_used > 0)
		varlink_reply(example->held[--example->held_used], NULL);
	loop_destroy(example->loop);
	shared_release(example->stream_text);
	assert_int_equal(count_fds(), example->before);
	free(example);
	return 0;
}

void pump(struct example *example)
{
	for (int i = 0; i < 40; i++)
		event_base_loop(loop_base(example->loop), EVLOOP_NONBLOCK);
}

int join(struct example *example)
{
	int pair[2];

	make_pair(pair);
	assert_int_equal(varlink_server_adopt(example->server, pair[0]), 0);
	return pair[1];
}

void ask(struct example *example, int peer, const char *call, const char *reply)
{
	peer_send(peer, call);
	pump(example);
	peer_expect(peer, reply);
}
