/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * From the greeting to the first key one question is under way at a time (enum step); then there may be some calls of input-send-event. QEMU
 * answers in order, with our numbers. An answer that was not asked for, another number, what is no JSON, silence: each ends the connection, and the next one begins
 * after a while. Events come unasked and are not looked at.
 *
 * An error's words could quote what was sent. So those that answer to keys are compared with what QEMU is known to say, and no others are ever
 * written down; the call before all others has no keys in it, and shows in QEMU's own words whether there is such a device.
 */
#include "adapter/qmp.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "adapter/backoff.h"
#include "adapter/qmp_text.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

enum step { STEP_GREETING, STEP_CAPABILITIES, STEP_SCHEMA, STEP_MICE, STEP_TRIAL, STEP_UP };

struct qmp {
	struct loop *loop;
	struct qmp_settings settings;
	const struct qmp_events *events;
	void *arg;
	struct loop_source *source, *timer, *second;
	struct backoff backoff;
	int fd; /* owned; -EBADF: not connected, the timer says when to try */
	enum step step;
	struct qmp_text text;
	char *out; /* owned */
	size_t out_used, out_done;
	uint64_t asked, answered; /* numbers of the newest call and of the newest answer */
	unsigned int budget;	  /* messages that are read in this second */
	bool counting;
	json_t *schema; /* owned */
	bool absolute;
	const char *told;	/* why it is down, as the log says already */
	const char *ill;	/* why it took no event, likewise */
	uint64_t ill_ms, up_ms; /* when that was said; when it came up */
};

static void qmp_wait(struct qmp *qmp)
{
	loop_fd_events(qmp->source,
		(qmp->budget ? LOOP_READ : 0) | (qmp->out_used > qmp->out_done ? LOOP_WRITE : 0));
}

static void hang_up(struct qmp *qmp)
{
	loop_source_free(take_ptr(qmp->source));
	qmp->fd = fd_close(qmp->fd);
	qmp_text_finish(&qmp->text);
	free(take_ptr(qmp->out));
	qmp->out_used = qmp->out_done = 0;
	json_decref(take_ptr(qmp->schema));
	qmp->asked = qmp->answered = 0;
	qmp->step = STEP_GREETING;
}

/* @why: static text. @words: QEMU's, or NULL. */
static void lose(struct qmp *qmp, const char *why, const char *words)
{
	bool was_up = qmp->step == STEP_UP;

	/* One that comes up and goes at once is no better than one that is not there. */
	if (was_up && loop_now_ms() - qmp->up_ms >= LIMIT_ADAPTER_WAIT)
		backoff_reset(&qmp->backoff);
	hang_up(qmp);
	if (why != qmp->told)
		log_notice(qmp->settings.id,
			"QEMU at %s: %s%s%.100s; it is tried again until it answers",
			qmp->settings.path, why, words ? ": " : "", words ? words : "");
	qmp->told = why;
	loop_timer_once(qmp->timer, backoff_next(&qmp->backoff));
	if (was_up)
		qmp->events->down(qmp->arg);
}

/* ---- Out ---- */

static int flush(struct qmp *qmp)
{
	while (qmp->out_done < qmp->out_used) {
		ssize_t n = send(qmp->fd, qmp->out + qmp->out_done, qmp->out_used - qmp->out_done,
			MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		qmp->out_done += (size_t)n;
	}
	qmp->out_done = qmp->out_used = 0;
	return 0;
}

/* @arguments is stolen, and may be NULL. No more than the calls that are under way is ever in `out`. */
static int ask(struct qmp *qmp, const char *command, json_t *arguments)
{
	json_t *call = json_pack("{s:s, s:I, s:o*}", "execute", command, "id",
		(json_int_t)qmp->asked + 1, "arguments", arguments);
	char *text = call ? json_dumps(call, JSON_COMPACT) : NULL, *out;
	size_t size = text ? strlen(text) : 0;

	json_decref(call);
	out = text ? realloc(qmp->out, qmp->out_used + size + 1) : NULL;
	if (!out) {
		free(text);
		return -ENOMEM;
	}
	memcpy(out + qmp->out_used, text, size);
	out[qmp->out_used + size] = '\n';
	explicit_bzero(text, size);
	free(text);
	qmp->out = out;
	qmp->out_used += size + 1;
	if (qmp->asked++ == qmp->answered)
		loop_timer_once(qmp->timer, LIMIT_QMP_ANSWER);
	return 0;
}

static json_t *input_arguments(const struct qmp *qmp, json_t *events)
{
	json_t *arguments = json_pack("{s:o}", "events", events);

	if (!arguments || !qmp->settings.device)
		return arguments;
	json_object_set_new(arguments, "device", json_string(qmp->settings.device));
	json_object_set_new(arguments, "head", json_integer(qmp->settings.head));
	return arguments;
}

static int ask_input(struct qmp *qmp, json_t *events)
{
	json_t *arguments = input_arguments(qmp, events);

	return arguments ? ask(qmp, "input-send-event", arguments) : -ENOMEM;
}

int qmp_input(struct qmp *qmp, json_t *events)
{
	int r = ask_input(qmp, events);

	if (r < 0)
		return r;
	flush(qmp); /* what is wrong with the socket is seen when it is read */
	qmp_wait(qmp);
	return 0;
}

/* ---- In ---- */

/* What goes wrong with keys, in words that hold none. */
static const char *explain(const char *words)
{
	static const struct {
		const char *begins, *why;
	} known[] = {
		{"VM not running", "the VM is paused"},
		{"Input handler not found for event type key", "the VM has no keyboard"},
		{"Input handler not found", "the VM has no such pointer"},
		{"Device '", "the VM has no such device"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strncmp(words, known[i].begins, strlen(known[i].begins)) == 0)
			return known[i].why;
	return "QEMU refuses it";
}

static bool any_absolute(const json_t *mice)
{
	const json_t *each;
	size_t i;

	json_array_foreach (mice, i, each)
		if (json_is_true(json_object_get(each, "absolute")))
			return true;
	return false;
}

static void come_up(struct qmp *qmp)
{
	struct qmp_facts facts = {.schema = qmp->schema, .absolute = qmp->absolute};

	log_info(qmp->settings.id, "QEMU at %s takes input", qmp->settings.path);
	qmp->step = STEP_UP;
	qmp->told = qmp->ill = NULL;
	qmp->up_ms = loop_now_ms();
	qmp->events->up(qmp->arg, &facts);
	json_decref(take_ptr(qmp->schema));
}

/* One of input-send-event. */
static void hear_verdict(struct qmp *qmp, const char *words)
{
	const char *why = words ? explain(words) : NULL;
	uint64_t now = loop_now_ms();

	/* It may be one that refuses every other: so often that is not worth a line. */
	if (!why) {
		qmp->ill = NULL;
	} else if (why != qmp->ill && (!qmp->ill_ms || now - qmp->ill_ms >= LIMIT_ADAPTER_WAIT)) {
		log_notice(qmp->settings.id, "QEMU at %s takes no input now: %s",
			qmp->settings.path, why);
		qmp->ill = why;
		qmp->ill_ms = now;
	}
	qmp->events->answered(qmp->arg, !why);
}

/* The answer to the question of this step. @value NULL: an error, in these @words. */
static int step_on(struct qmp *qmp, json_t *value, const char *words)
{
	switch (qmp->step) {
	case STEP_GREETING:
		return -EPROTO;
	case STEP_CAPABILITIES:
		qmp->step = STEP_SCHEMA;
		return value ? ask(qmp, "query-qmp-schema", NULL) : -EPROTO;
	case STEP_SCHEMA:
		qmp->schema = json_incref(value);
		qmp->step = STEP_MICE;
		return value ? ask(qmp, "query-mice", NULL) : -EPROTO;
	case STEP_MICE:
		qmp->absolute = any_absolute(value);
		qmp->step = STEP_TRIAL;
		return ask_input(qmp, json_array());
	case STEP_TRIAL:
		if (!value && strcmp(explain(words), "the VM is paused") != 0)
			return lose(qmp, "it takes no input", words), -ECANCELED;
		return come_up(qmp), 0;
	case STEP_UP:
		return hear_verdict(qmp, value ? NULL : words), 0;
	}
	return -EPROTO;
}

static int hear_answer(struct qmp *qmp, json_t *message)
{
	const json_t *id = json_object_get(message, "id");
	const char *words =
		json_string_value(json_object_get(json_object_get(message, "error"), "desc"));
	json_t *value = json_object_get(message, "return");

	if (qmp->answered == qmp->asked || !json_is_integer(id) ||
		json_integer_value(id) != (json_int_t)qmp->answered + 1 || (!value && !words))
		return -EPROTO;
	if (++qmp->answered == qmp->asked)
		loop_timer_stop(qmp->timer);
	else
		loop_timer_once(qmp->timer, LIMIT_QMP_ANSWER);
	return step_on(qmp, value, words);
}

static int hear(struct qmp *qmp, json_t *message)
{
	if (json_is_string(json_object_get(message, "event")))
		return 0;
	if (qmp->step != STEP_GREETING)
		return hear_answer(qmp, message);
	if (!json_is_object(json_object_get(message, "QMP")))
		return -EPROTO;
	qmp->step = STEP_CAPABILITIES;
	return ask(qmp, "qmp_capabilities", NULL);
}

/* What has come whole. -ECANCELED: the connection was given up meanwhile. */
static int work(struct qmp *qmp)
{
	json_t *message;
	int r = 0;

	while (qmp->budget && (r = qmp_text_next(&qmp->text, &message)) > 0) {
		qmp->budget--;
		r = hear(qmp, message);
		json_decref(message);
		if (r < 0)
			return r;
	}
	return r;
}

static int receive(struct qmp *qmp)
{
	size_t limit = qmp->step == STEP_SCHEMA ? LIMIT_QMP_SCHEMA : LIMIT_QMP_MESSAGE, size;
	char *into;
	ssize_t n;
	int r = qmp_text_room(&qmp->text, limit, &into, &size);

	if (r < 0)
		return r;
	n = recv(qmp->fd, into, size, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	qmp_text_add(&qmp->text, (size_t)n);
	return 0;
}

static const char *explain_errno(int error)
{
	switch (error) {
	case -EPROTO:
	case -EMSGSIZE:
		return "what it says is no QMP";
	case -ENOMEM:
		return "no memory is left";
	}
	return "the connection has ended";
}

static void go_on(struct qmp *qmp, int r)
{
	if (r >= 0)
		r = work(qmp);
	if (r >= 0)
		r = flush(qmp);
	if (r >= 0)
		qmp_wait(qmp);
	else if (r != -ECANCELED)
		lose(qmp, explain_errno(r), NULL);
}

static void on_socket(int fd, unsigned int events, void *arg)
{
	struct qmp *qmp = arg;

	if (!qmp->counting)
		loop_timer_once(qmp->second, 1000);
	qmp->counting = true;
	go_on(qmp, events & LOOP_READ ? receive(qmp) : 0);
}

static void on_second(void *arg)
{
	struct qmp *qmp = arg;

	qmp->budget = LIMIT_QMP_MESSAGES;
	qmp->counting = false;
	if (qmp->fd >= 0)
		go_on(qmp, 0);
}

/* ---- Beginning and end ---- */

static int reach(struct qmp *qmp)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_fd_ int fd = -EBADF;
	int r;

	if (strlen(qmp->settings.path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, qmp->settings.path, strlen(qmp->settings.path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	r = loop_fd_add(qmp->loop, fd, LOOP_READ, on_socket, qmp, &qmp->source);
	if (r < 0)
		return r;
	qmp->fd = take_fd(&fd);
	return 0;
}

static const char *explain_connect(int error)
{
	switch (error) {
	case -ENOENT:
	case -ECONNREFUSED:
		return "nobody is there";
	case -EACCES:
	case -EPERM:
		return "this user may not connect";
	case -EAGAIN:
		return "somebody else is connected";
	}
	return "cannot connect";
}

/* The next try is due, or an answer has not come. */
static void on_timer(void *arg)
{
	struct qmp *qmp = arg;
	int r;

	if (qmp->fd >= 0)
		return lose(qmp,
			qmp->step == STEP_GREETING
				? "no greeting came, perhaps somebody else is connected"
				: "it does not answer",
			NULL);
	r = reach(qmp);
	if (r < 0)
		lose(qmp, explain_connect(r), NULL);
	else
		loop_timer_once(qmp->timer, LIMIT_QMP_ANSWER); /* for the greeting */
}

int qmp_create(struct loop *loop, const struct qmp_settings *settings,
	const struct qmp_events *events, void *arg, struct qmp **ret)
{
	struct qmp *qmp = new0(struct qmp);
	int r;

	if (!qmp)
		return -ENOMEM;
	qmp->loop = loop;
	qmp->settings = *settings;
	qmp->events = events;
	qmp->arg = arg;
	qmp->fd = -EBADF;
	qmp->budget = LIMIT_QMP_MESSAGES;
	r = loop_timer_add(loop, on_timer, qmp, &qmp->timer);
	if (r == 0)
		r = loop_timer_add(loop, on_second, qmp, &qmp->second);
	if (r < 0) {
		qmp_destroy(qmp);
		return r;
	}
	loop_timer_once(qmp->timer, 0);
	*ret = qmp;
	return 0;
}

void qmp_destroy(struct qmp *qmp)
{
	if (!qmp)
		return;
	hang_up(qmp);
	loop_source_free(qmp->timer);
	loop_source_free(qmp->second);
	free(qmp);
}

bool qmp_up(const struct qmp *qmp)
{
	return qmp->step == STEP_UP;
}
