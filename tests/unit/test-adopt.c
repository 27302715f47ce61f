/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One broker ends, another goes on with its RFB program: both walls are real, the program is this test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "frame/child.h"
#include "frame/listeners.h"
#include "frame/wall.h"

#define LONG_MS 20000

static struct loop *loop;
static struct loop_source *timer;
static struct wall *wall;
static struct wall_kept kept;
static int program; /* the program's end of the link */
static int kept_link, kept_pidfd;
static pid_t pid; /* of what is watched as the program */

/* What the wall has said. */
static unsigned int watchers, watches, grants, ends, asked, changes, losses;
static unsigned int typed;
static uint32_t typist, leaving;
static uint64_t check;
static bool noted_first; /* `changed` came before the program could read anything */

/* ---- the wall's ---- */

static void on_watch(void *arg, unsigned int count)
{
	watchers = count;
	watches++;
}

static void on_grant(void *arg, uint32_t generation)
{
	grants++;
}

static void on_number(void *arg, uint32_t generation)
{
}

static void on_check(void *arg, uint64_t number, const struct link_message *message)
{
	asked++;
	check = number;
}

static void on_input(
	void *arg, const struct wall_viewer *viewer, const struct link_message *message)
{
	typist = viewer->number;
	typed += message->input.used;
}

static void on_leaves(void *arg, const struct wall_viewer *viewer)
{
	leaving = viewer->number;
}

static void on_ended(void *arg)
{
	ends++;
}

static const struct wall_events events = {
	.watch = on_watch,
	.may_write = on_grant,
	.busy = on_number,
	.taken = on_number,
	.check = on_check,
	.input = on_input,
	.leaves = on_leaves,
	.ended = on_ended,
};

static bool readable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) > 0;
}

static void keep_program(void *arg, int link, int pidfd)
{
	fd_close(kept_link);
	fd_close(kept_pidfd);
	kept_link = kept_pidfd = -EBADF;
	if (link < 0) {
		losses++;
		return;
	}
	kept_link = dup(link);
	kept_pidfd = dup(pidfd);
}

static void keep_rest(void *arg)
{
	changes++;
	noted_first = !readable(program);
	wall_kept(wall, &kept);
}

static const struct wall_keeper keeper = {.program = keep_program, .changed = keep_rest};

/* ---- the loop ---- */

static bool (*wanted)(void);
static bool came;
static uint64_t deadline;

static void on_timer(void *arg)
{
	came = wanted && wanted();
	if (came || loop_now_ms() >= deadline)
		loop_stop(loop);
}

static void until(bool (*condition)(void))
{
	wanted = condition;
	deadline = loop_now_ms() + LONG_MS;
	loop_run(loop);
	assert_true(came);
}

static bool all_read(void)
{
	static unsigned int turns;

	/* What the wall has not read yet waits in its socket, which is kept here, too. */
	turns = kept_link >= 0 && readable(kept_link) ? 0 : turns + 1;
	return turns % 4 == 3;
}

static bool has_ended(void)
{
	return ends;
}

/* ---- the program ---- */

/* Somebody else's child: as a program of a daemon that has ended. */
static pid_t orphan(void)
{
	int ends_of[2];
	pid_t child, grandchild;

	assert_int_equal(pipe(ends_of), 0);
	child = fork();
	if (!child) {
		grandchild = fork();
		if (!grandchild) {
			close_range(0, ~0u, 0);
			for (;;)
				pause();
		}
		_exit(write(ends_of[1], &grandchild, sizeof(grandchild)) < 0);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(read(ends_of[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	close(ends_of[0]);
	close(ends_of[1]);
	return grandchild;
}

static void say(struct link_message message)
{
	assert_int_equal(link_send(program, &message, -EBADF), 0);
}

static void say_seen(enum link_type type, uint32_t viewer, enum link_mode mode)
{
	struct link_message message = {.type = type};

	message.seen.viewer = viewer;
	message.seen.mode = mode;
	snprintf(message.seen.peer, sizeof(message.seen.peer), "192.0.2.%u:1", viewer);
	say(message);
}

static void say_here(uint32_t viewer, enum link_mode mode, bool in)
{
	struct link_message message = {.type = LINK_HERE};

	message.here.viewer = viewer;
	message.here.mode = mode;
	message.here.in = in;
	say(message);
}

static void say_watch(uint32_t count)
{
	struct link_message message = {.type = LINK_WATCH};

	message.watch.count = count;
	say(message);
}

static void say_input(uint32_t viewer)
{
	struct link_message message = {.type = LINK_INPUT};

	message.input.viewer = viewer;
	message.input.used = 2;
	message.input.at[0].kind = message.input.at[1].kind = LINK_INPUT_KEY;
	message.input.at[0].on = 1;
	say(message);
}

static void say_check(uint32_t viewer)
{
	struct link_message message = {.type = LINK_CHECK};

	message.check.viewer = viewer;
	message.check.kind = LINK_CHECK_TICKET;
	message.check.mode = LINK_MODE_CONTROL;
	say(message);
}

static void say_resumed(uint32_t turn, uint32_t viewers)
{
	struct link_message message = {.type = LINK_RESUMED};

	message.resumed.version = LINK_VERSION;
	message.resumed.turn = turn;
	message.resumed.generation = 7;
	message.resumed.width = 640;
	message.resumed.height = 480;
	message.resumed.viewers = viewers;
	say(message);
}

/* The next message to the program; its descriptor is closed. */
static struct link_message hear(enum link_type type)
{
	struct link_message message;
	int fd;

	assert_int_equal(link_receive(program, true, &message, &fd), 0);
	fd_close(fd);
	assert_int_equal(message.type, type);
	return message;
}

/* RESUME and what belongs to it; its turn. */
static uint32_t hear_resume(void)
{
	uint32_t turn = hear(LINK_RESUME).hello.turn;

	assert_int_equal(hear(LINK_POINTER_MODE).pointer_mode.relative, 0);
	assert_true(hear(LINK_LISTENER).listener.offers);
	hear(LINK_SIZES);
	assert_false(readable(program));
	return turn;
}

/* ---- brokers ---- */

static int listening(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static const char *path(void)
{
	static char name[64];

	snprintf(name, sizeof(name), "/tmp/test-adopt-%d", (int)getpid());
	return name;
}

/* A new broker, which has no program yet. Its listener gives control to all, and more to nobody. */
static void broker_begins(void)
{
	const struct wall_options options = {
		.program = "/nonexistent",
		.id = "a",
		.name = "a",
		.policy = {.viewers_maximum = 4, .frames_maximum = 60},
		.grace_ms = 1000,
		.stall_ms = 1000,
	};
	const struct link_listener listener = {
		.mode = LINK_MODE_CONTROL,
		.offers = LINK_OFFER_NONE,
		.transports = LINK_TRANSPORT_RFB,
	};

	watchers = watches = grants = ends = asked = changes = losses = typed = 0;
	assert_int_equal(wall_create(loop, &options, &events, NULL, &wall), 0);
	assert_int_equal(wall_listen(wall, listening(path()), &listener, "here", true, path()), 0);
	wall_keep(wall, &keeper, NULL);
}

/* It takes over what was kept; nothing has been answered. */
static uint32_t broker_takes_over(void)
{
	struct wall_kept *copy = malloc(sizeof(*copy));
	int link = dup(kept_link), pidfd = dup(kept_pidfd);

	*copy = kept;
	assert_int_equal(wall_adopt(wall, link, pidfd, copy), 0);
	free(copy);
	return hear_resume();
}

/* Killed: nobody has been told. */
static void broker_is_killed(void)
{
	wall_abandon(wall);
	wall_destroy(wall);
	wall = NULL;
}

/* A program that has been started by somebody, without viewers. */
static int begin(void **state)
{
	int pair[2];

	log_set_level(LOG_LEVEL_ERR);
	assert_int_equal(loop_create(&loop), 0);
	assert_int_equal(loop_timer_add(loop, on_timer, NULL, &timer), 0);
	assert_int_equal(loop_timer_every(timer, 2), 0);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	kept_link = pair[0];
	program = pair[1];
	pid = orphan();
	kept_pidfd = syscall(SYS_pidfd_open, pid, 0);
	memset(&kept, 0, sizeof(kept));
	kept.version = LINK_VERSION;
	kept.roster.serial = 9;
	broker_begins();
	return 0;
}

static int end(void **state)
{
	wall_destroy(wall);
	wall = NULL;
	child_reap_all();
	kill(pid, SIGKILL);
	fd_close(kept_link);
	fd_close(kept_pidfd);
	fd_close(program);
	loop_source_free(timer);
	loop_destroy(loop);
	unlink(path());
	return 0;
}

static void life_begins(void)
{
	say_resumed(broker_takes_over(), 0);
	say_watch(0);
	until(all_read);
	assert_int_equal(watches, 1);
}

static const struct wall_viewer *viewer(uint32_t number)
{
	const struct wall_viewer *viewers;
	size_t n = wall_viewers(wall, &viewers);

	for (size_t i = 0; i < n; i++)
		if (viewers[i].number == number)
			return &viewers[i];
	return NULL;
}

/* ---- tests ---- */

/* A connection that stays open: who has the other end is of no interest here. */
static int connection(void)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	close(pair[1]);
	return pair[0];
}

static void viewers_keep_names_and_labels(void **state)
{
	char given[24], on_its_way[24];
	uint32_t turn;

	life_begins();
	assert_int_equal(
		wall_attach(wall, connection(), LINK_MODE_VIEW, "clerk", "there", given), 0);
	assert_true(noted_first);
	assert_int_equal(hear(LINK_VIEWER).viewer.viewer, 2);
	assert_int_equal(
		wall_attach(wall, connection(), LINK_MODE_CONTROL, "boss", NULL, on_its_way), 0);
	assert_int_equal(hear(LINK_VIEWER).viewer.viewer, 4);
	say_seen(LINK_VIEWER_ADDED, 2, LINK_MODE_VIEW);
	say_seen(LINK_VIEWER_ADDED, 1, LINK_MODE_CONTROL);
	say_seen(LINK_VIEWER_ADDED, 3, LINK_MODE_VIEW);
	until(all_read);
	assert_int_equal(wall_viewers_ready(wall), 3);
	assert_string_equal(given, "9-2");
	broker_is_killed();

	/* Nobody hears of this, and of that which is told later. */
	say_seen(LINK_VIEWER_GONE, 3, LINK_MODE_VIEW);
	say_seen(LINK_VIEWER_ADDED, 5, LINK_MODE_CONTROL);
	say_watch(3);
	broker_begins();
	turn = broker_takes_over();
	assert_int_equal(wall_viewers_ready(wall), 3); /* as far as is known */
	until(all_read);
	assert_int_equal(watches, 0);
	say_resumed(turn, 4);
	say_here(2, LINK_MODE_VIEW, true);
	say_here(1, LINK_MODE_CONTROL, true);
	say_here(4, LINK_MODE_CONTROL, false);
	say_here(5, LINK_MODE_CONTROL, true);
	say_watch(3);
	until(all_read);
	assert_int_equal(ends, 0);
	assert_int_equal(watchers, 3);
	assert_int_equal(wall_before(wall).generation, 7);
	assert_int_equal(wall_before(wall).width, 640);
	assert_int_equal(wall_viewers_ready(wall), 3);
	assert_string_equal(viewer(2)->name, given);
	assert_string_equal(viewer(2)->label, "clerk");
	assert_string_equal(viewer(2)->peer, "there");
	assert_string_equal(viewer(4)->label, "boss");
	assert_false(viewer(4)->ready);
	assert_null(viewer(3));
	assert_string_equal(viewer(5)->name, "9-5");
	assert_int_equal(kept.roster.used, 4);
	/* Numbers and programs' numbers go on. */
	assert_int_equal(
		wall_attach(wall, connection(), LINK_MODE_VIEW, NULL, NULL, given), -ENOSPC);
	say_seen(LINK_VIEWER_ADDED, 4, LINK_MODE_CONTROL);
	say_seen(LINK_VIEWER_GONE, 1, LINK_MODE_CONTROL);
	until(all_read);
	assert_int_equal(wall_attach(wall, connection(), LINK_MODE_VIEW, NULL, NULL, given), 0);
	assert_string_equal(given, "9-6");
	assert_true(wall_last_program() >= 9);
}

static void old_messages_are_void(void **state)
{
	struct link_message m = {.type = LINK_MAY_WRITE};
	uint32_t turn;

	life_begins();
	broker_is_killed();
	say(m);
	say_watch(2);
	say_seen(LINK_VIEWER_GONE, 77, LINK_MODE_VIEW); /* which was no lie when it was said */
	say_check(3);
	m.type = LINK_IDLE;
	say(m);
	m.type = LINK_READY;
	m.ready.version = LINK_VERSION;
	say(m);
	broker_begins();
	turn = broker_takes_over();
	/* An answer to a broker that did not live to read it. */
	say_resumed(turn + 1, 1);
	say_here(1, LINK_MODE_CONTROL, true);
	until(all_read);
	assert_int_equal(wall_viewers_ready(wall), 0);
	say_resumed(turn, 0);
	until(all_read);
	assert_int_equal(grants + watches + asked + ends, 0);
	say_watch(1);
	m.type = LINK_MAY_WRITE;
	say(m);
	until(all_read);
	assert_int_equal(grants, 1);
	assert_int_equal(watchers, 1);
}

/* Said to a broker that did not live to read it: people do not type it again. */
static void what_was_typed_meanwhile_is_heard(void **state)
{
	uint32_t turn;

	life_begins();
	say_seen(LINK_VIEWER_ADDED, 1, LINK_MODE_CONTROL);
	say_seen(LINK_VIEWER_ADDED, 3, LINK_MODE_VIEW);
	until(all_read);
	broker_is_killed();
	say_input(1);
	say_input(3); /* who may only look */
	say_input(5); /* who is not there */
	broker_begins();
	turn = broker_takes_over();
	until(all_read);
	assert_int_equal(typed, 2);
	assert_int_equal(typist, 1);
	say_resumed(turn, 2);
	say_here(1, LINK_MODE_CONTROL, true);
	say_here(3, LINK_MODE_VIEW, true);
	say_input(1);
	until(all_read);
	assert_int_equal(typed, 4);
	assert_int_equal(ends, 0);
	say_input(3); /* is a lie now */
	until(has_ended);
	assert_int_equal(typed, 4);
}

/* From the moment at which it is told to go, whatever its program says. */
static void who_is_sent_off_types_no_more(void **state)
{
	char name[24];

	life_begins();
	say_seen(LINK_VIEWER_ADDED, 1, LINK_MODE_CONTROL);
	say_seen(LINK_VIEWER_ADDED, 3, LINK_MODE_CONTROL);
	say_input(1);
	say_input(3);
	until(all_read);
	assert_int_equal(typed, 4);
	snprintf(name, sizeof(name), "%s", viewer(1)->name);
	assert_int_equal(wall_detach(wall, name, "enough"), 0);
	assert_int_equal(hear(LINK_DETACH).seen.viewer, 1);
	assert_int_equal(leaving, 1);
	say_input(1);
	say_input(3);
	until(all_read);
	assert_int_equal(typed, 6);
	assert_int_equal(typist, 3);
	assert_int_equal(ends, 0);
	say_seen(LINK_VIEWER_GONE, 1, LINK_MODE_CONTROL);
	until(all_read);
	say_input(1); /* is a lie now */
	until(has_ended);
	assert_int_equal(typed, 6);
}

static void answers_are_answers(void **state)
{
	uint32_t turn;

	life_begins();
	say_check(1);
	until(all_read);
	assert_int_equal(asked, 1);
	assert_true(wall_verdict(wall, check, LINK_MODE_VIEW, "by ticket", -EBADF));
	assert_true(noted_first);
	say_check(3);
	say_check(5);
	until(all_read);
	assert_true(wall_verdict(wall, check, 0, NULL, -EBADF));
	/* One is asked about still. */
	broker_is_killed();
	hear(LINK_VERDICT);
	hear(LINK_VERDICT);
	broker_begins();
	turn = broker_takes_over();
	say_resumed(turn, 0);
	say_check(1); /* may have been read or not: is answered as it was */
	say_check(3);
	until(all_read);
	assert_int_equal(asked, 1);
	assert_int_equal(check, 9ull << 32 | 3);
	{
		struct link_message verdict = hear(LINK_VERDICT);

		assert_int_equal(verdict.verdict.viewer, 1);
		assert_int_equal(verdict.verdict.allowed, 1);
		assert_int_equal(verdict.verdict.mode, LINK_MODE_VIEW);
	}
	say_seen(LINK_VIEWER_ADDED, 1, LINK_MODE_VIEW);
	until(all_read);
	assert_string_equal(viewer(1)->label, "by ticket");
	/* An answer that comes late, to a question of the first broker, is one to the same question. */
	assert_true(wall_verdict(wall, 9ull << 32 | 3, LINK_MODE_CONTROL, NULL, -EBADF));
	assert_int_equal(hear(LINK_VERDICT).verdict.viewer, 3);
	say_check(3); /* again, of the same broker */
	until(has_ended);
}

static void expect_end_after(void (*lie)(uint32_t turn))
{
	uint32_t turn;

	life_begins();
	say_seen(LINK_VIEWER_ADDED, 1, LINK_MODE_VIEW);
	until(all_read);
	broker_is_killed();
	broker_begins();
	turn = broker_takes_over();
	lie(turn);
	until(has_ended);
	assert_int_equal(ends, 1);
	assert_true(losses);
	hear(LINK_STOP);
	assert_int_equal(wall_viewers_ready(wall), 0);
	assert_int_equal(wall_before(wall).generation, 0);
}

static void more_than_it_was(uint32_t turn)
{
	say_resumed(turn, 1);
	say_here(1, LINK_MODE_CONTROL, true);
}

static void more_than_there_is(uint32_t turn)
{
	say_resumed(turn, 2);
	say_here(1, LINK_MODE_VIEW, true);
	say_here(3, LINK_MODE_EXCLUSIVE, true);
}

static void twice(uint32_t turn)
{
	say_resumed(turn, 2);
	say_here(1, LINK_MODE_VIEW, true);
	say_here(1, LINK_MODE_VIEW, true);
}

static void never_given(uint32_t turn)
{
	say_resumed(turn, 1);
	say_here(2, LINK_MODE_VIEW, false);
}

static void fewer_than_said(uint32_t turn)
{
	say_resumed(turn, 2);
	say_here(1, LINK_MODE_VIEW, true);
	say_watch(1);
}

static void answered_twice(uint32_t turn)
{
	say_resumed(turn, 1);
	say_here(1, LINK_MODE_VIEW, true);
	say_resumed(turn, 0);
}

static void here_out_of_place(uint32_t turn)
{
	say_resumed(turn, 0);
	say_here(1, LINK_MODE_VIEW, true);
}

static void lies_end_it(void **state)
{
	void (*const lies[])(uint32_t turn) = {more_than_it_was, more_than_there_is, twice,
		never_given, fewer_than_said, answered_twice, here_out_of_place};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		expect_end_after(lies[i]);
		end(NULL);
		begin(NULL);
	}
}

static bool is_dead(void)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

static int adopt(int link, int pidfd)
{
	return wall_adopt(wall, link, pidfd, &kept);
}

static void what_cannot_be_adopted(void **state)
{
	int pair[2], pidfd = dup(kept_pidfd);

	assert_int_equal(adopt(dup(kept_link), dup(kept_link)), -EBADF);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(adopt(pair[0], dup(kept_pidfd)), -EBADF);
	close(pair[1]);
	/* Numbers that nobody can have given. */
	kept.roster.used = 2;
	kept.roster.at[0].number = kept.roster.at[1].number = 1;
	kept.roster.at[0].mode = kept.roster.at[1].mode = LINK_MODE_VIEW;
	kept.roster.at[0].in = kept.roster.at[1].in = true;
	assert_int_equal(adopt(dup(kept_link), dup(kept_pidfd)), -EINVAL);
	hear(LINK_STOP);
	assert_int_equal(wall_viewers_ready(wall), 0);
	kept.roster.used = 0;
	/* It speaks something else: its viewers have a second, and it two. */
	kept.version = LINK_VERSION + 1;
	assert_int_equal(adopt(dup(kept_link), dup(kept_pidfd)), -EPROTONOSUPPORT);
	hear(LINK_STOP);
	until(is_dead);
	/* It has ended meanwhile. */
	kept.version = LINK_VERSION;
	fd_close(program);
	assert_int_equal(adopt(dup(kept_link), pidfd), -EPIPE);
	program = -EBADF;
	assert_int_equal(kept_link, -EBADF);
}

static void its_end_is_heard_of(void **state)
{
	life_begins();
	kill(pid, SIGKILL);
	until(has_ended);
	assert_int_equal(kept_link, -EBADF);
	assert_int_equal(losses, 1);
	/* Its listeners are waited at again. */
	assert_false(wall_watchers(wall));
}

static void what_is_left_alone(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct listener *listeners;
	struct stat status;
	int viewer_fd, listener;

	life_begins();
	assert_int_equal(wall_listeners(wall, &listeners), 1);
	assert_string_equal(listeners[0].endpoint, "here");
	listener = dup(listeners[0].fd);
	changes = losses = 0;
	wall_abandon(wall);
	assert_int_equal(changes + losses, 0);
	assert_int_equal(ends, 1);
	/* Somebody has the link: nothing is heard, and it has not ended. */
	assert_false(readable(program));
	assert_int_equal(kill(pid, 0), 0);
	wall_destroy(wall);
	wall = NULL;
	assert_false(readable(program));
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(stat(path(), &status), 0);
	strcpy(address.sun_path, path());
	viewer_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(viewer_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(viewer_fd);
	close(listener);
	/* Nobody has it: now it has. */
	kept_link = fd_close(kept_link);
	assert_true(readable(program));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(viewers_keep_names_and_labels, begin, end),
		cmocka_unit_test_setup_teardown(old_messages_are_void, begin, end),
		cmocka_unit_test_setup_teardown(what_was_typed_meanwhile_is_heard, begin, end),
		cmocka_unit_test_setup_teardown(who_is_sent_off_types_no_more, begin, end),
		cmocka_unit_test_setup_teardown(answers_are_answers, begin, end),
		cmocka_unit_test_setup_teardown(lies_end_it, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_adopted, begin, end),
		cmocka_unit_test_setup_teardown(its_end_is_heard_of, begin, end),
		cmocka_unit_test_setup_teardown(what_is_left_alone, begin, end),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
