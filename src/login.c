/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * A request is in the queue or in one desk, an asked program's; when its time is over it is refused wherever it is. A desk whose program
 * has died, lied or kept a request for too long loses the program, and with it the request. The program is never
 * trusted with more than the answer to what it was asked: its number is checked.
 */
#include "login.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "frame/child.h"
#include "frame/login_link.h"

struct request {
	TAILQ_ENTRY(request) link; /* login::queue, while it waits */
	struct login_message message;
	uint64_t since; /* ms */
	login_fn fn;	/* NULL: cancelled */
	void *arg;
};

/* One program, or room for one. */
struct desk {
	struct login *login;
	struct child *child; /* NULL: none */
	int link;	     /* owned, -EBADF: none */
	struct loop_source *source, *timer;
	struct request *request; /* owned, NULL: idle */
	uint64_t started_at;
};

struct login {
	struct loop *loop;
	struct login_options options;
	struct desk desks[LIMIT_LOGIN_PROGRAMS];
	TAILQ_HEAD(, request) queue;
	size_t queued;
	uint32_t last_number;
	struct loop_source *retry; /* a program could not be started, or died at once */
};

static void serve(struct login *login);

static void request_free(struct request *request)
{
	explicit_bzero(request, sizeof(*request)); /* a password */
	free(request);
}

static void request_answer(struct request *request, uint32_t mode)
{
	login_fn fn = request->fn;
	void *arg = request->arg;

	request_free(request);
	if (fn)
		fn(arg, mode);
}

static struct request *queue_take(struct login *login)
{
	struct request *request = TAILQ_FIRST(&login->queue);

	TAILQ_REMOVE(&login->queue, request, link);
	login->queued--;
	return request;
}

/* @why: NULL for the ordinary end. Who waited for it is refused. */
static void desk_close(struct desk *desk, const char *why)
{
	struct request *request = take_ptr(desk->request);
	struct child *child = take_ptr(desk->child);

	loop_source_free(take_ptr(desk->source));
	loop_timer_stop(desk->timer);
	desk->link = fd_close(desk->link);
	if (why)
		log_warn(NULL, "the login program has ended (%s)", why);
	if (child && why)
		child_kill(child);
	child_leave(child);
	if (request)
		request_answer(request, 0);
}

static void on_child_ended(void *arg, const char *how)
{
	struct desk *desk = arg;

	desk->child = NULL;
	desk_close(desk, how);
	serve(desk->login);
}

static bool on_message(struct desk *desk, const struct login_message *message)
{
	if (message->type == LOGIN_READY)
		return true;
	if (!desk->request || message->answer.number != desk->request->message.ask.number)
		return false;
	loop_timer_once(desk->timer, LIMIT_LOGIN_IDLE_MS);
	request_answer(take_ptr(desk->request), message->answer.mode);
	return true;
}

static void on_link(int fd, unsigned int events, void *arg)
{
	struct desk *desk = arg;
	struct login_message message;
	int r = login_receive(fd, false, &message);

	if (r == -EAGAIN)
		return;
	if (r == -EPIPE)
		desk_close(desk, "it hung up");
	else if (r < 0 || !on_message(desk, &message))
		desk_close(desk, "it sent a message that cannot be true");
	serve(desk->login);
}

/* Too slow, or nothing to do for long. */
static void on_timer(void *arg)
{
	struct desk *desk = arg;

	desk_close(desk, desk->request ? "it took too long" : NULL);
	serve(desk->login);
}

static int desk_spawn(struct desk *desk, int socket)
{
	const struct login_options *options = &desk->login->options;
	char *arguments[8] = {(char *)"vfio-displayd-login"};
	size_t n = 1;

	if (options->passwords) {
		arguments[n++] = (char *)"--passwords";
		arguments[n++] = (char *)options->passwords;
	}
	if (options->pam_service) {
		arguments[n++] = (char *)"--pam-service";
		arguments[n++] = (char *)options->pam_service;
	}
	if (options->pam_directory) {
		arguments[n++] = (char *)"--pam-directory";
		arguments[n++] = (char *)options->pam_directory;
	}
	return child_spawn(desk->login->loop, options->program, arguments, socket, on_child_ended,
		desk, &desk->child);
}

static int desk_open(struct desk *desk)
{
	_cleanup_fd_ int theirs = -EBADF;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	theirs = pair[1];
	desk->link = fd_move_high(pair[0]);
	desk->started_at = loop_now_ms();
	r = desk->link < 0 ? desk->link : desk_spawn(desk, theirs);
	if (r == 0)
		r = loop_fd_add(
			desk->login->loop, desk->link, LOOP_READ, on_link, desk, &desk->source);
	if (r < 0) {
		log_err(NULL, "cannot start %s: %s", desk->login->options.program, strerror(-r));
		desk_close(desk, NULL);
	}
	return r;
}

/* One that has nothing to do, else one whose program is still to be started, but not too soon after its last. NULL: none. */
static struct desk *free_desk(struct login *login)
{
	uint64_t now = loop_now_ms();
	struct desk *room = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(login->desks); i++) {
		struct desk *desk = &login->desks[i];

		if (desk->link >= 0 && !desk->request)
			return desk;
		if (desk->link >= 0)
			continue;
		if (!desk->started_at || now - desk->started_at >= LIMIT_RESPAWN_MS)
			room = desk;
		else
			loop_timer_once(login->retry, LIMIT_RESPAWN_MS);
	}
	return room && desk_open(room) == 0 ? room : NULL;
}

/* Those that have waited too long are refused: whoever asked has given up. */
static void drop_late(struct login *login)
{
	uint64_t now = loop_now_ms();
	struct request *request;

	while ((request = TAILQ_FIRST(&login->queue)) && now - request->since >= LIMIT_LOGIN_MS)
		request_answer(queue_take(login), 0);
	if (request)
		loop_timer_once(login->retry,
			MIN((uint64_t)LIMIT_RESPAWN_MS, LIMIT_LOGIN_MS - (now - request->since)));
}

static void serve(struct login *login)
{
	struct desk *desk;

	drop_late(login);
	while (login->queued && (desk = free_desk(login))) {
		uint64_t waited = loop_now_ms() - TAILQ_FIRST(&login->queue)->since;

		desk->request = queue_take(login);
		loop_timer_once(desk->timer, waited < LIMIT_LOGIN_MS ? LIMIT_LOGIN_MS - waited : 1);
		if (login_send(desk->link, &desk->request->message) < 0)
			desk_close(desk, "it does not read its messages");
	}
}

static void on_retry(void *arg)
{
	serve(arg);
}

int login_create(struct loop *loop, const struct login_options *options, struct login **ret)
{
	struct login *login = new0(struct login);
	int r;

	if (!login)
		return -ENOMEM;
	login->loop = loop;
	login->options = *options;
	TAILQ_INIT(&login->queue);
	r = loop_timer_add(loop, on_retry, login, &login->retry);
	for (size_t i = 0; i < ARRAY_SIZE(login->desks); i++) {
		login->desks[i].login = login;
		login->desks[i].link = -EBADF;
		if (r == 0)
			r = loop_timer_add(
				loop, on_timer, &login->desks[i], &login->desks[i].timer);
	}
	if (r < 0) {
		login_destroy(login);
		return r;
	}
	*ret = login;
	return 0;
}

void login_destroy(struct login *login)
{
	if (!login)
		return;
	while (login->queued)
		request_free(queue_take(login));
	for (size_t i = 0; i < ARRAY_SIZE(login->desks); i++) {
		struct desk *desk = &login->desks[i];

		if (desk->request)
			desk->request->fn = NULL;
		desk_close(desk, NULL);
		loop_source_free(desk->timer);
	}
	loop_source_free(login->retry);
	free(login);
}

int login_ask(struct login *login, const struct login_request *request, login_fn fn, void *arg)
{
	struct request *waiting;

	if (login->queued >= LIMIT_LOGIN_QUEUE)
		return -EAGAIN;
	waiting = new0(struct request);
	if (!waiting)
		return -ENOMEM;
	waiting->message.type = LOGIN_ASK;
	waiting->message.ask.number = ++login->last_number;
	snprintf(waiting->message.ask.user, sizeof(waiting->message.ask.user), "%s", request->user);
	snprintf(waiting->message.ask.secret, sizeof(waiting->message.ask.secret), "%s",
		request->secret);
	snprintf(waiting->message.ask.display, sizeof(waiting->message.ask.display), "%s",
		request->id);
	snprintf(waiting->message.ask.peer, sizeof(waiting->message.ask.peer), "%s", request->peer);
	waiting->since = loop_now_ms();
	waiting->fn = fn;
	waiting->arg = arg;
	TAILQ_INSERT_TAIL(&login->queue, waiting, link);
	login->queued++;
	/* Not from inside: the caller is not ready for an answer. */
	loop_timer_once(login->retry, 0);
	return 0;
}

void login_cancel(struct login *login, void *arg)
{
	struct request *request, *next;

	for (request = TAILQ_FIRST(&login->queue); request; request = next) {
		next = TAILQ_NEXT(request, link);
		if (request->arg != arg)
			continue;
		TAILQ_REMOVE(&login->queue, request, link);
		login->queued--;
		request_free(request);
	}
	for (size_t i = 0; i < ARRAY_SIZE(login->desks); i++)
		if (login->desks[i].request && login->desks[i].request->arg == arg)
			login->desks[i].request->fn = NULL;
}
