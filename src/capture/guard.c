/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The memory that a view points to can vanish under the reader: a file is truncated, a device is reset. The kernel then sends
 * SIGBUS to the reading thread. One handler for the process leaves the guarded function of that very thread by siglongjmp; a
 * SIGBUS that no guard awaits, or that somebody sent by kill(), goes to whatever was installed before, as if this handler did
 * not exist. The handler runs with SIGBUS unblocked (SA_NODEFER), so no signal mask needs to be saved and restored, which
 * would cost a system call for each guard.
 */
#include "capture/capture.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

static struct sigaction previous;
static pthread_once_t installed = PTHREAD_ONCE_INIT;
/* Where this thread's innermost guard goes on; NULL: no guard. */
static _Thread_local sigjmp_buf *volatile way_out;
static _Thread_local bool unblocked;

static void sigbus_handler(int signal, siginfo_t *info, void *context)
{
	if (way_out && info->si_code > 0)
		siglongjmp(*way_out, 1);
	sigaction(SIGBUS, &previous, NULL);
	/* A fault comes again by itself when the instruction is run again; a signal that was sent does not. */
	if (info->si_code <= 0)
		raise(SIGBUS);
}

static void install(void)
{
	struct sigaction action = {
		.sa_sigaction = sigbus_handler,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, &previous);
}

/* A thread that blocks SIGBUS, as threads that leave signals to the main loop do, is killed by a fault. */
static void unblock(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	unblocked = true;
}

int capture_guard(int (*fn)(void *arg), void *arg)
{
	sigjmp_buf here;
	sigjmp_buf *const outer = way_out;
	int r;

	pthread_once(&installed, install);
	if (!unblocked)
		unblock();
	if (sigsetjmp(here, 0)) {
		way_out = outer;
		return -EFAULT;
	}
	way_out = &here;
	r = fn(arg);
	way_out = outer;
	return r;
}
