/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

struct child {
	TAILQ_ENTRY(child) link; /* left */
	bool left;
	pid_t pid;
	int pidfd; /* owned */
	struct loop_source *source, *timer;
	void (*ended)(void *arg, const char *how);
	void *arg;
};

/* Children without an owner. Process-wide, as the kernel's own list of our children is. */
static TAILQ_HEAD(, child) left = TAILQ_HEAD_INITIALIZER(left);

/* What a child may know: where the journal is, and how a sanitizer is to behave. No NOTIFY_SOCKET, no credentials. */
static const char *const passed_on[] = {"JOURNAL_STREAM", "LANG", "TZ", "ASAN_OPTIONS",
	"UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS", "LLVM_PROFILE_FILE"};

static void child_free(struct child *child)
{
	if (child->left)
		TAILQ_REMOVE(&left, child, link);
	loop_source_free(child->source);
	loop_source_free(child->timer);
	fd_close(child->pidfd);
	free(child);
}

static void on_exit_seen(int fd, unsigned int events, void *arg)
{
	struct child *child = arg;
	siginfo_t info = {0};
	char how[32] = "gone";

	if (waitid(P_PIDFD, child->pidfd, &info, WEXITED | WNOHANG) == 0 && !info.si_pid)
		return;
	if (info.si_pid)
		snprintf(how, sizeof(how), "%s %d",
			info.si_code == CLD_EXITED ? "exit status" : "signal", info.si_status);
	loop_source_free(child->source);
	child->source = NULL;
	if (child->ended)
		child->ended(child->arg, how);
	child_free(child);
}

static void on_late(void *arg)
{
	child_kill(arg);
}

static int spawn(const char *program, char *const arguments[], int socket, pid_t *ret)
{
	char *environment[ARRAY_SIZE(passed_on) + 1] = {0};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, usual;
	size_t used = 0;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++) {
		const char *value = getenv(passed_on[i]);

		if (value && asprintf(&environment[used], "%s=%s", passed_on[i], value) > 0)
			used++;
	}
	sigemptyset(&none);
	sigfillset(&usual);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &usual);
	r = -posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = -posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	if (r == 0)
		r = -posix_spawn_file_actions_adddup2(&actions, socket, CHILD_SOCKET);
	if (r == 0)
		r = -posix_spawn(ret, program, &actions, &attributes, arguments, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	for (size_t i = 0; i < used; i++)
		free(environment[i]);
	return r;
}

int child_spawn(struct loop *loop, const char *program, char *const arguments[], int socket,
	void (*ended)(void *arg, const char *how), void *arg, struct child **ret)
{
	struct child *child = new0(struct child);
	int r;

	if (!child)
		return -ENOMEM;
	child->pidfd = -EBADF;
	r = spawn(program, arguments, socket, &child->pid);
	if (r < 0) {
		child_free(child);
		return r;
	}
	child->pidfd = fd_move_high(syscall(SYS_pidfd_open, child->pid, 0));
	r = child->pidfd < 0 ? -EMFILE : 0;
	if (r == 0)
		r = loop_fd_add(loop, child->pidfd, LOOP_READ, on_exit_seen, child, &child->source);
	if (r == 0)
		r = loop_timer_add(loop, on_late, child, &child->timer);
	if (r < 0) {
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
		child_free(child);
		return r;
	}
	child->ended = ended;
	child->arg = arg;
	*ret = child;
	return 0;
}

void child_leave(struct child *child)
{
	if (!child)
		return;
	child->ended = NULL;
	child->left = true;
	TAILQ_INSERT_TAIL(&left, child, link);
	loop_timer_once(child->timer, CHILD_LEAVE_MS);
}

void child_kill(struct child *child)
{
	syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
}

pid_t child_pid(const struct child *child)
{
	return child->pid;
}

void child_reap_all(void)
{
	struct child *child;

	while ((child = TAILQ_FIRST(&left))) {
		child_kill(child);
		waitpid(child->pid, NULL, 0);
		child_free(child);
	}
}
