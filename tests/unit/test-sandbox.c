/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/loop.h"
#include "certificates.h"
#include "rfb/sandbox.h"
#include "rfb/tls.h"
#include "rfb/transport.h"

static int listener;

/* Runs @attempt in a child inside the sandbox; it returns 0 for "as it should be". Returns the wait status. */
static int inside(int (*attempt)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0)
		_exit(sandbox_enter() < 0 ? 99 : attempt());
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void expect_done(int (*attempt)(void))
{
	assert_int_equal(inside(attempt), 0);
}

static void expect_killed(int (*attempt)(void))
{
	int status = inside(attempt);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static int refused(int result)
{
	return result < 0 && errno == EPERM ? 0 : 1;
}

static int open_path(void)
{
	return refused(open("/dev/null", O_RDONLY)) +
	       refused(open("/tmp/x", O_CREAT | O_RDWR, 0600)) + refused(unlink("/tmp/x")) +
	       refused(access("/", F_OK));
}

static int make_socket(void)
{
	return refused(socket(AF_INET, SOCK_STREAM, 0)) + refused(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int make_executable(void)
{
	void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *bad = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED || bad != MAP_FAILED ||
	       refused(mprotect(map, 4096, PROT_READ | PROT_EXEC)) ||
	       mprotect(map, 4096, PROT_READ);
}

static int make_process(void)
{
	return refused(fork());
}

static void *nothing(void *arg)
{
	return arg;
}

static int work(void)
{
	pthread_t thread;
	int pair[2], wake;
	void *result;

	if (pthread_create(&thread, NULL, nothing, pair) != 0 || pthread_join(thread, &result) != 0)
		return 1;
	wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return result != pair || wake < 0 ||
	       socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ||
	       send(pair[0], "x", 1, MSG_NOSIGNAL) != 1 || shutdown(pair[0], SHUT_WR) < 0 ||
	       fcntl(pair[0], F_DUPFD_CLOEXEC, 10) < 0;
}

static struct identity server;
static SSL_CTX *viewers;
static int bundle; /* memory file: certificate, key */

/* Not called: nothing is waited for. */
static void on_transport(unsigned int events, void *arg)
{
}

/* A certificate that comes over the link, and a viewer that uses it. */
static int use_tls(void)
{
	const uint32_t sizes[4] = {strlen(server.certificate_pem), strlen(server.key_pem)};
	struct transport *transport = NULL;
	struct loop *loop = NULL;
	struct tls *tls = NULL;
	const char *reason;
	int pair[2], r = 0;
	char byte;
	SSL *ssl;

	if (tls_load(bundle, sizes, &reason, &tls) < 0 || loop_create(&loop) < 0 ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ||
		transport_create(loop, pair[0], NULL, on_transport, NULL, &transport) < 0 ||
		transport_start_tls(transport, tls, true, "", 1) < 0 ||
		read(pair[1], &byte, 1) != 1)
		return 1;
	ssl = SSL_new(viewers);
	SSL_set_fd(ssl, pair[1]);
	for (int i = 0; i < 100 && r != 1; i++) {
		r = SSL_connect(ssl);
		event_base_loop(loop_base(loop), EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
	return r != 1 || !transport_ready(transport);
}

static void tls_works(int version)
{
	viewers = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(viewers, version);
	SSL_CTX_set_max_proto_version(viewers, version);
	expect_done(use_tls);
	SSL_CTX_free(viewers);
}

static void what_tls_needs_works(void **state)
{
	assert_int_equal(tls_open(), 0);
	identity_make(&server, "server", NULL);
	bundle = memfd_create("bundle", MFD_CLOEXEC);
	assert_true(bundle >= 0);
	dprintf(bundle, "%s%s", server.certificate_pem, server.key_pem);
	tls_works(TLS1_2_VERSION);
	tls_works(TLS1_3_VERSION);
	close(bundle);
	identity_finish(&server);
}

static int run_program(void)
{
	char *arguments[] = {(char *)"true", NULL};

	execv("/bin/true", arguments);
	return 1;
}

static int connect_somewhere(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/x"};

	connect(0, (struct sockaddr *)&address, sizeof(address));
	return 1;
}

/* The test's own process stands for the broker: same uid. */
static int signal_others(void)
{
	struct f_owner_ex owner = {.type = F_OWNER_PID, .pid = getppid()};

	return refused(syscall(SYS_tgkill, getppid(), getppid(), 0)) + refused(kill(getppid(), 0)) +
	       refused(fcntl(0, F_SETOWN, getppid())) + refused(fcntl(0, F_SETOWN_EX, &owner)) +
	       refused(fcntl(0, F_SETSIG, SIGKILL));
}

static int signal_itself(void)
{
	signal(SIGUSR1, SIG_IGN);
	return raise(SIGUSR1);
}

static int spoil_listener(void)
{
	struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog filter = {.len = 1, .filter = &drop};
	int one = 1;

	return refused(shutdown(listener, SHUT_RD)) + refused(shutdown(listener, SHUT_RDWR)) +
	       refused(setsockopt(
		       listener, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter))) +
	       refused(setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));
}

static int make_datagrams(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
	int pair[2];

	return refused(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)) +
	       refused(sendto(0, "x", 1, 0, (struct sockaddr *)&address, sizeof(address)));
}

static void what_viewers_need_works(void **state)
{
	expect_done(work);
}

static void nothing_new_can_be_opened(void **state)
{
	expect_done(open_path);
	expect_done(make_socket);
	expect_done(make_executable);
	expect_done(make_process);
	expect_done(make_datagrams);
}

static void the_broker_is_out_of_reach(void **state)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	expect_done(signal_others);
	expect_done(signal_itself);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	expect_done(spoil_listener);
	close(listener);
}

static void attacks_end_it(void **state)
{
	expect_killed(run_program);
	expect_killed(connect_somewhere);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_viewers_need_works),
		cmocka_unit_test(what_tls_needs_works),
		cmocka_unit_test(nothing_new_can_be_opened),
		cmocka_unit_test(the_broker_is_out_of_reach),
		cmocka_unit_test(attacks_end_it),
	};

#ifdef SANITIZED
	puts("# skipped: sanitizers need more than the sandbox allows");
	return 77;
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
