/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/mem.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* What a program may know: where the journal is, and how a sanitizer is to behave. No NOTIFY_SOCKET, no credentials. */
static const char *const passed_on[] = {"JOURNAL_STREAM", "LANG", "TZ", "ASAN_OPTIONS",
	"UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS", "LLVM_PROFILE_FILE"};

static int start(const char *program, char *const arguments[], int socket, pid_t *ret)
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
		r = -posix_spawn_file_actions_adddup2(&actions, socket, SPAWN_SOCKET);
	if (r == 0)
		r = -posix_spawn(ret, program, &actions, &attributes, arguments, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	for (size_t i = 0; i < used; i++)
		free(environment[i]);
	return r;
}

int spawn_program(
	const char *program, char *const arguments[], int socket, pid_t *ret_pid, int *ret_pidfd)
{
	pid_t pid;
	int pidfd, r;

	r = start(program, arguments, socket, &pid);
	if (r < 0)
		return r;
	pidfd = fd_move_high(syscall(SYS_pidfd_open, pid, 0));
	if (pidfd < 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return -EMFILE;
	}
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	return 0;
}

static void *wait_on(void *arg)
{
	siginfo_t info;
	int pidfd = (int)(intptr_t)arg;

	while (waitid(P_PIDFD, pidfd, &info, WEXITED) < 0 && errno == EINTR)
		;
	fd_close(pidfd);
	return NULL;
}

bool spawn_end(int pidfd, int wait_ms)
{
	struct pollfd gone = {.fd = pidfd, .events = POLLIN};
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	if (poll(&gone, 1, wait_ms) == 1) {
		wait_on((void *)(intptr_t)pidfd);
		return true;
	}
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attr, wait_on, (void *)(intptr_t)pidfd);
	pthread_attr_destroy(&attr);
	if (r != 0)
		fd_close(pidfd); /* reaped when the daemon ends */
	return false;
}
