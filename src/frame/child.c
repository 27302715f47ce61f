/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/spawn.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

struct child {
	TAILQ_ENTRY(child) link; /* left */
	bool left;
	pid_t pid; /* 0: not our child */
	int pidfd; /* owned */
	struct loop_source *source, *timer;
	void (*ended)(void *arg, const char *how);
	void *arg;
};

/* Children without an owner. Process-wide, as the kernel's own list of our children is. */
static TAILQ_HEAD(, child) left = TAILQ_HEAD_INITIALIZER(left);

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

	/* Of somebody else's child: ECHILD. Its pidfd is readable, so it has ended. */
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

static int child_watch(struct loop *loop, struct child *child,
	void (*ended)(void *arg, const char *how), void *arg)
{
	int r;

	r = loop_fd_add(loop, child->pidfd, LOOP_READ, on_exit_seen, child, &child->source);
	if (r == 0)
		r = loop_timer_add(loop, on_late, child, &child->timer);
	child->ended = ended;
	child->arg = arg;
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
	r = spawn_program(program, arguments, socket, &child->pid, &child->pidfd);
	if (r < 0) {
		child_free(child);
		return r;
	}
	r = child_watch(loop, child, ended, arg);
	if (r < 0) {
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
		child_free(child);
		return r;
	}
	*ret = child;
	return 0;
}

/* Signal 0 goes through a pidfd and through nothing else: EBADF. Who is gone already is told by the loop. */
static bool is_pidfd(int fd)
{
	return syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) == 0 || errno != EBADF;
}

int child_adopt(struct loop *loop, int pidfd, void (*ended)(void *arg, const char *how), void *arg,
	struct child **ret)
{
	struct child *child;
	int r;

	if (!is_pidfd(pidfd)) {
		fd_close(pidfd);
		return -EBADF;
	}
	child = new0(struct child);
	if (!child) {
		fd_close(pidfd);
		return -ENOMEM;
	}
	child->pidfd = fd_move_high(pidfd);
	r = child->pidfd < 0 ? child->pidfd : child_watch(loop, child, ended, arg);
	if (r < 0) {
		child_free(child);
		return r;
	}
	*ret = child;
	return 0;
}

void child_release(struct child *child)
{
	if (child)
		child_free(child);
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

int child_pidfd(const struct child *child)
{
	return child->pidfd;
}

void child_reap_all(void)
{
	struct child *child;

	while ((child = TAILQ_FIRST(&left))) {
		child_kill(child);
		if (child->pid)
			waitpid(child->pid, NULL, 0);
		child_free(child);
	}
}
