/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "credentials.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "audit.h"
#include "base/config.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "bulletin.h"
#include "login.h"
#include "ticket.h"

_Static_assert(TICKET_DIGEST == LINK_DIGEST, "one digest");
_Static_assert(TICKET_CHALLENGE == LINK_CHALLENGE, "one challenge");

/* A login without an answer yet. */
struct inquiry {
	TAILQ_ENTRY(inquiry) link; /* credentials::inquiries */
	struct credentials *credentials;
	struct credentials_answer answer; /* as it will be if the password is right */
	char peer[sizeof(((struct link_message *)0)->check.peer)];
	credentials_fn fn;
	void *arg;
};

struct credentials {
	struct ticket_store *tickets;
	struct login *login; /* NULL: nobody has a password here */
	struct loop_source *expiry;
	credentials_find_fn find;
	void *find_arg;
	TAILQ_HEAD(, inquiry) inquiries;
	struct credentials_counts counts;
	uint64_t lines_since; /* ms; how many refusals the journal has had since then */
	uint32_t lines;
};

static void watch_expiry(struct credentials *c)
{
	uint64_t next = ticket_expire(c->tickets, loop_now_ms());

	if (next)
		loop_timer_once(c->expiry, next);
	else
		loop_timer_stop(c->expiry);
}

static void on_expiry(void *arg)
{
	watch_expiry(arg);
}

static int open_login(struct credentials *c, struct loop *loop, const struct config *config)
{
	const struct login_options options = {
		.program = config->login_program,
		.passwords = config->passwords,
		.pam_service = config->pam_service,
	};

	if (!options.passwords && !options.pam_service)
		return 0;
	return login_create(loop, &options, &c->login);
}

int credentials_create(struct loop *loop, const struct config *config, credentials_find_fn find,
	void *arg, struct credentials **ret)
{
	struct credentials *c = new0(struct credentials);
	int r;

	if (!c)
		return -ENOMEM;
	c->find = find;
	c->find_arg = arg;
	TAILQ_INIT(&c->inquiries);
	r = ticket_store_create(&c->tickets);
	if (r == 0)
		r = loop_timer_add(loop, on_expiry, c, &c->expiry);
	if (r == 0)
		r = open_login(c, loop, config);
	if (r < 0) {
		credentials_destroy(c);
		return r;
	}
	*ret = c;
	return 0;
}

int credentials_resume(struct credentials *c, int fd)
{
	struct ticket_store *tickets;
	int r = ticket_store_open(fd, &tickets);

	if (r < 0)
		return r;
	ticket_store_destroy(c->tickets);
	c->tickets = tickets;
	watch_expiry(c);
	return 0;
}

int credentials_tickets(const struct credentials *c)
{
	return ticket_store_fd(c->tickets);
}

static void inquiry_free(struct inquiry *inquiry)
{
	TAILQ_REMOVE(&inquiry->credentials->inquiries, inquiry, link);
	free(inquiry);
}

void credentials_destroy(struct credentials *c)
{
	struct inquiry *inquiry;

	if (!c)
		return;
	login_destroy(c->login);
	while ((inquiry = TAILQ_FIRST(&c->inquiries)))
		inquiry_free(inquiry);
	loop_source_free(c->expiry);
	ticket_store_destroy(c->tickets);
	free(c);
}

const uint8_t *credentials_challenge(const struct credentials *c)
{
	return ticket_store_challenge(c->tickets);
}

/* Whoever can reach a listener can be refused as often as they like. */
static bool worth_a_line(struct credentials *c)
{
	uint64_t now = loop_now_ms();

	if (now - c->lines_since >= LIMIT_VIEWER_LINES_MS) {
		c->lines_since = now;
		c->lines = 0;
	}
	if (c->lines < LIMIT_REFUSAL_LINES)
		return ++c->lines;
	if (c->lines++ == LIMIT_REFUSAL_LINES)
		log_notice(NULL, "viewers are refused too often for a line each");
	return false;
}

/* @answer says who asks, and for what. @why goes to the journal alone. */
static void refuse(struct credentials *c, const struct credentials_answer *answer, const char *peer,
	const char *why, credentials_fn fn, void *arg)
{
	const struct credentials_answer refused = {.check = answer->check};
	const struct audit fields = {
		.display = answer->id[0] ? answer->id : NULL,
		.address = peer[0] ? peer : NULL,
		.label = answer->label[0] ? answer->label : NULL,
		.reason = why,
	};

	c->counts.refused++;
	if (worth_a_line(c))
		audit(AUDIT_REFUSED, &fields, "viewer from %s refused: %s",
			peer[0] ? peer : "somewhere", why);
	fn(arg, &refused);
}

/* What the ticket or the user may is one thing, what the listener and the display give another. -EACCES: there is no such display. */
static int settle(struct credentials *c, const struct link_message *message,
	struct credentials_answer *answer)
{
	const struct context *context = c->find(c->find_arg, answer->id);

	if (!context)
		return -EACCES;
	answer->mode = MIN(answer->mode, message->check.mode);
	if (context->view_only)
		answer->mode = LINK_MODE_VIEW;
	return 0;
}

static void check_ticket(struct credentials *c, const char *id, const struct link_message *message,
	struct credentials_answer *answer, credentials_fn fn, void *arg)
{
	enum ticket_proof proof =
		message->check.kind == LINK_CHECK_CHALLENGE ? TICKET_ANSWER : TICKET_TEXT;
	const char *peer = message->check.peer;
	struct ticket_grant grant;
	int r;

	r = ticket_redeem(c->tickets, proof, message->check.digest, id, loop_now_ms(), &grant);
	/* A text that is no ticket is asked about again, as a user's password. */
	if (r == -ENOENT && proof == TICKET_TEXT && c->login)
		return fn(arg, answer);
	if (r < 0)
		return refuse(c, answer, peer,
			r == -EXDEV ? "a ticket of another display" : "no ticket that is good now",
			fn, arg);
	watch_expiry(c);
	memcpy(answer->id, grant.id, sizeof(answer->id));
	memcpy(answer->label, grant.label, sizeof(answer->label));
	answer->mode = grant.mode;
	if (settle(c, message, answer) < 0)
		return refuse(c, answer, peer, "a ticket of a display that is gone", fn, arg);
	c->counts.tickets++;
	bulletin_ticket_used(answer->id, answer->label, peer);
	fn(arg, answer);
}

static void on_login(void *arg, uint32_t mode)
{
	struct inquiry *inquiry = arg;
	struct credentials *c = inquiry->credentials;
	struct credentials_answer answer = inquiry->answer;
	const struct context *context = c->find(c->find_arg, answer.id);
	char peer[sizeof(inquiry->peer)], why[LIMIT_LABEL_CHARS + 64];
	credentials_fn fn = inquiry->fn;
	void *fn_arg = inquiry->arg;

	memcpy(peer, inquiry->peer, sizeof(peer));
	inquiry_free(inquiry);
	/* The display may have gone meanwhile, or be another one. */
	if (!mode || !context) {
		snprintf(why, sizeof(why), "user %s may not, or the password is wrong",
			answer.label);
		return refuse(c, &answer, peer, why, fn, fn_arg);
	}
	c->counts.logins++;
	answer.mode = context->view_only ? LINK_MODE_VIEW : MIN(answer.mode, mode);
	audit(AUDIT_LOGGED_IN,
		&(struct audit){.display = answer.id,
			.address = peer[0] ? peer : NULL,
			.label = answer.label},
		"user %s logged in from %s", answer.label, peer[0] ? peer : "somewhere");
	fn(fn_arg, &answer);
}

/* How many of those who wait came from there? */
static size_t share_of(const struct credentials *c, const void *arg)
{
	const struct inquiry *inquiry;
	size_t n = 0;

	TAILQ_FOREACH (inquiry, &c->inquiries, link)
		n += inquiry->arg == arg;
	return n;
}

static int inquire(struct credentials *c, const struct link_message *message,
	const struct credentials_answer *answer, credentials_fn fn, void *arg)
{
	const struct login_request request = {
		.user = message->check.user,
		.secret = message->check.secret,
		.id = answer->id,
		.peer = message->check.peer,
	};
	struct inquiry *inquiry;
	int r;

	if (share_of(c, arg) >= LIMIT_LOGIN_SHARE)
		return -EAGAIN;
	inquiry = new0(struct inquiry);
	if (!inquiry)
		return -ENOMEM;
	inquiry->credentials = c;
	inquiry->answer = *answer;
	memcpy(inquiry->peer, message->check.peer, sizeof(inquiry->peer));
	inquiry->fn = fn;
	inquiry->arg = arg;
	TAILQ_INSERT_TAIL(&c->inquiries, inquiry, link);
	r = login_ask(c->login, &request, on_login, inquiry);
	if (r < 0)
		inquiry_free(inquiry);
	return r;
}

static void check_login(struct credentials *c, const struct link_message *message,
	struct credentials_answer *answer, credentials_fn fn, void *arg)
{
	const char *peer = message->check.peer;

	if (!answer->id[0])
		return refuse(c, answer, peer, "a login that names no display", fn, arg);
	snprintf(answer->label, sizeof(answer->label), "%s", message->check.user);
	answer->mode = LINK_MODE_EXCLUSIVE;
	if (settle(c, message, answer) < 0) {
		/* Named by somebody who may know nothing: no journal of its own. */
		answer->id[0] = '\0';
		return refuse(c, answer, peer, "a display that does not exist", fn, arg);
	}
	if (!c->login || !message->check.user[0] || !message->check.secret[0])
		return refuse(c, answer, peer, "no user name, or no password", fn, arg);
	if (inquire(c, message, answer, fn, arg) < 0)
		refuse(c, answer, peer, "too many log in at the same time", fn, arg);
}

/* The gate's listener was proof enough, a certificate maybe. */
static void check_name(struct credentials *c, const char *id, const struct link_message *message,
	struct credentials_answer *answer, credentials_fn fn, void *arg)
{
	answer->mode = LINK_MODE_EXCLUSIVE;
	if (!id && settle(c, message, answer) == 0)
		return fn(arg, answer);
	answer->id[0] = '\0';
	refuse(c, answer, message->check.peer, "a display that does not exist", fn, arg);
}

void credentials_check(struct credentials *c, const char *id, uint64_t check,
	const struct link_message *message, credentials_fn fn, void *arg)
{
	const char *chosen = id ? id : message->check.display;
	struct credentials_answer answer = {.check = check};

	if (chosen[0])
		snprintf(answer.id, sizeof(answer.id), "%s", chosen);
	switch (message->check.kind) {
	case LINK_CHECK_CHALLENGE:
	case LINK_CHECK_TICKET:
		return check_ticket(c, chosen[0] ? chosen : NULL, message, &answer, fn, arg);
	case LINK_CHECK_LOGIN:
		return check_login(c, message, &answer, fn, arg);
	default:
		return check_name(c, id, message, &answer, fn, arg);
	}
}

void credentials_cancel(struct credentials *c, void *arg)
{
	struct inquiry *inquiry, *next;

	for (inquiry = TAILQ_FIRST(&c->inquiries); inquiry; inquiry = next) {
		next = TAILQ_NEXT(inquiry, link);
		if (inquiry->arg != arg)
			continue;
		login_cancel(c->login, inquiry);
		inquiry_free(inquiry);
	}
}

int credentials_issue(struct credentials *c, const struct ticket_grant *grant, uint32_t seconds,
	char *ret_text, size_t size)
{
	char text[TICKET_CHARS + 1];
	int r;

	if (size < sizeof(text))
		return -EINVAL;
	r = ticket_issue(c->tickets, grant, loop_now_ms(), (uint64_t)seconds * 1000, text);
	if (r == 0)
		memcpy(ret_text, text, sizeof(text));
	explicit_bzero(text, sizeof(text));
	watch_expiry(c);
	return r;
}

static bool is_there(void *arg, const char *id)
{
	struct credentials *c = arg;

	return c->find(c->find_arg, id);
}

void credentials_revoke_orphans(struct credentials *c)
{
	ticket_revoke_orphans(c->tickets, is_there, c);
	watch_expiry(c);
}

void credentials_revoke(struct credentials *c, const char *id)
{
	ticket_revoke(c->tickets, id);
	watch_expiry(c);
}

struct credentials_counts credentials_counts(const struct credentials *c)
{
	return c->counts;
}
