/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * libevent's HTTP server knows neither how many connections there are nor how long each has been there. So each gets a bufferevent that
 * is made and referenced here. libevent takes its callbacks away when it lets go of one: that is how it is seen that a connection is
 * over, and only then is its socket closed. While all places are taken the listeners rest, and who connects waits in their queue, where
 * nobody sees it: so none keeps its place for long then, and clients that are slow on purpose keep out nobody who is quick.
 *
 * A request waits in a line until the broker has answered; all that wait for the same answer get the same bytes.
 */
#include "metrics/server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/mem.h"
#include "metrics/link.h"

enum { TICK_MS = 250, HEALTH = METRICS_FORMS, LINES };

static const char *const content_types[] = {
	[METRICS_OPEN] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
	[METRICS_CLASSIC] = "text/plain; version=0.0.4; charset=utf-8",
	[HEALTH] = "text/plain; charset=utf-8",
};

/* A request without an answer. */
struct waiting {
	TAILQ_ENTRY(waiting) link; /* metrics_server::lines */
	struct metrics_server *server;
	int line;
	struct evhttp_request *request; /* libevent's */
	uint64_t until;
};

struct connection {
	struct bufferevent *bev; /* a reference; NULL: a free place */
	uint64_t since;
};

struct metrics_server {
	int link;
	int result;
	struct event_base *base;
	struct evhttp *http;
	struct event *on_link, *tick;
	struct evconnlistener *listeners[LIMIT_METRICS_LISTENERS]; /* of @http */
	size_t listeners_used;
	struct connection connections[LIMIT_METRICS_CONNECTIONS];
	bool full;
	uint64_t last_asked; /* when there was last a connection */
	uint64_t pings;
	TAILQ_HEAD(line, waiting) lines[LINES]; /* metrics of each form; health */
};

/* The broker's text, mapped; freed when the last connection has it sent. */
struct text {
	void *bytes;
	size_t size;
	unsigned int references;
};

static void text_release(struct text *text)
{
	if (--text->references)
		return;
	munmap(text->bytes, text->size);
	free(text);
}

static void on_sent(const void *bytes, size_t size, void *arg)
{
	text_release(arg);
}

/* ---- connections ---- */

static bool is_over(const struct connection *connection)
{
	bufferevent_event_cb on_event;

	bufferevent_getcb(connection->bev, NULL, NULL, &on_event, NULL);
	return !on_event;
}

/* It waits for the broker, not we for it. */
static bool is_waiting(const struct metrics_server *server, const struct connection *connection)
{
	const struct waiting *waiting;

	for (int line = 0; line < LINES; line++)
		TAILQ_FOREACH (waiting, &server->lines[line], link) {
			struct evhttp_connection *http =
				evhttp_request_get_connection(waiting->request);

			if (evhttp_connection_get_bufferevent(http) == connection->bev)
				return true;
		}
	return false;
}

static bool is_too_long(
	const struct metrics_server *server, const struct connection *connection, uint64_t now)
{
	uint64_t since = now - connection->since;

	return since >= LIMIT_METRICS_CONNECTION_MS ||
	       (server->full && since >= LIMIT_METRICS_YIELD_MS && !is_waiting(server, connection));
}

static size_t sweep(struct metrics_server *server)
{
	uint64_t now = loop_now_ms();
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_SIZE(server->connections); i++) {
		struct connection *connection = &server->connections[i];

		if (!connection->bev)
			continue;
		if (is_over(connection)) {
			bufferevent_decref(take_ptr(connection->bev));
			continue;
		}
		used++;
		if (is_too_long(server, connection, now))
			bufferevent_trigger_event(connection->bev,
				BEV_EVENT_READING | BEV_EVENT_TIMEOUT, BEV_TRIG_DEFER_CALLBACKS);
	}
	if (used)
		server->last_asked = now;
	return used;
}

static void set_full(struct metrics_server *server, bool full)
{
	if (server->full == full)
		return;
	server->full = full;
	for (size_t i = 0; i < server->listeners_used; i++)
		(full ? evconnlistener_disable : evconnlistener_enable)(server->listeners[i]);
}

/* For each connection that libevent accepts. */
static struct bufferevent *take_place(struct event_base *base, void *arg)
{
	struct metrics_server *server = arg;
	size_t used = sweep(server);

	set_full(server, used + 1 >= ARRAY_SIZE(server->connections));
	for (size_t i = 0; i < ARRAY_SIZE(server->connections); i++) {
		struct connection *connection = &server->connections[i];

		if (connection->bev)
			continue;
		connection->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
		if (!connection->bev)
			return NULL;
		bufferevent_incref(connection->bev);
		connection->since = server->last_asked = loop_now_ms();
		return connection->bev;
	}
	return NULL; /* libevent makes one of its own, which it times out; there is at most one */
}

static void on_tick(evutil_socket_t fd, short events, void *arg);

static void sweep_soon(struct metrics_server *server)
{
	event_active(server->tick, EV_TIMEOUT, 1);
}

/* ---- requests ---- */

static void waiting_free(struct waiting *waiting)
{
	TAILQ_REMOVE(&waiting->server->lines[waiting->line], waiting, link);
	free(waiting);
}

static void on_closed(struct evhttp_connection *connection, void *arg)
{
	struct metrics_server *server = arg;
	struct waiting *waiting, *next;

	for (int line = 0; line < LINES; line++)
		for (waiting = TAILQ_FIRST(&server->lines[line]); waiting; waiting = next) {
			next = TAILQ_NEXT(waiting, link);
			if (evhttp_request_get_connection(waiting->request) == connection)
				waiting_free(waiting);
		}
	sweep_soon(server);
}

static void add_header(struct evhttp_request *request, const char *name, const char *value)
{
	evhttp_add_header(evhttp_request_get_output_headers(request), name, value);
}

static void answer_words(struct evhttp_request *request, int code, const char *words)
{
	struct evbuffer *body = evbuffer_new();

	add_header(request, "Content-Type", content_types[HEALTH]);
	add_header(request, "Connection", "close");
	if (body)
		evbuffer_add_printf(body, "%s\n", words);
	evhttp_send_reply(request, code, NULL, body);
	if (body)
		evbuffer_free(body);
}

static void answer_text(struct waiting *waiting, struct text *text)
{
	struct evhttp_request *request = waiting->request;
	struct evbuffer *body = evbuffer_new();

	add_header(request, "Content-Type", content_types[waiting->line]);
	add_header(request, "Connection", "close");
	waiting_free(waiting);
	text->references++;
	if (!body || evbuffer_add_reference(body, text->bytes, text->size, on_sent, text) < 0) {
		text_release(text);
		evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL);
	} else {
		evhttp_send_reply(request, HTTP_OK, NULL, body);
	}
	if (body)
		evbuffer_free(body);
}

static void refuse(struct waiting *waiting, const char *words)
{
	struct evhttp_request *request = waiting->request;

	waiting_free(waiting);
	answer_words(request, HTTP_SERVUNAVAIL, words);
}

/* Prometheus names what it can read, with a preference that is the newer one's wherever it knows both. */
static int wanted_form(struct evhttp_request *request)
{
	const char *accept =
		evhttp_find_header(evhttp_request_get_input_headers(request), "Accept");

	return accept && strstr(accept, "application/openmetrics-text") ? METRICS_OPEN
									: METRICS_CLASSIC;
}

static void ask_broker(struct metrics_server *server, int line)
{
	struct metrics_message message = {.type = METRICS_ASK, .form = line};

	if (line == HEALTH)
		message = (struct metrics_message){.type = METRICS_PING, .number = ++server->pings};
	/* A queue that is full has such a question in it already. */
	metrics_send(server->link, &message, -EBADF);
}

static void wait_in(struct metrics_server *server, int line, struct evhttp_request *request)
{
	struct waiting *waiting = new0(struct waiting);
	bool first = TAILQ_EMPTY(&server->lines[line]);

	if (!waiting)
		return answer_words(request, HTTP_SERVUNAVAIL, "out of memory");
	waiting->server = server;
	waiting->line = line;
	waiting->request = request;
	waiting->until = loop_now_ms() + (line == HEALTH ? LIMIT_HEALTH_MS : LIMIT_METRICS_WAIT_MS);
	TAILQ_INSERT_TAIL(&server->lines[line], waiting, link);
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_closed, server);
	if (first)
		ask_broker(server, line);
}

static void on_metrics(struct evhttp_request *request, void *arg)
{
	wait_in(arg, wanted_form(request), request);
}

static void on_health(struct evhttp_request *request, void *arg)
{
	wait_in(arg, HEALTH, request);
}

static void on_other(struct evhttp_request *request, void *arg)
{
	answer_words(request, HTTP_NOTFOUND, "There are /metrics and /healthz.");
}

/* ---- the broker ---- */

static void take_listener(struct metrics_server *server, int fd)
{
	struct evconnlistener *listener = NULL;

	if (server->listeners_used < ARRAY_SIZE(server->listeners))
		listener = evconnlistener_new(server->base, NULL, NULL,
			LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!listener) {
		fd_close(fd);
	} else if (!evhttp_bind_listener(server->http, listener)) {
		evconnlistener_free(listener);
	} else {
		server->listeners[server->listeners_used++] = listener;
		if (server->full)
			evconnlistener_disable(listener);
	}
}

static void take_text(struct metrics_server *server, const struct metrics_message *message, int fd)
{
	struct line *line = &server->lines[message->form];
	struct text *text = fd >= 0 && message->size ? new0(struct text) : NULL;
	struct waiting *waiting;

	if (text) {
		text->size = message->size;
		text->references = 1;
		text->bytes = mmap(NULL, text->size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (text->bytes == MAP_FAILED) {
			free(text);
			text = NULL;
		}
	}
	while ((waiting = TAILQ_FIRST(line)))
		if (text)
			answer_text(waiting, text);
		else
			refuse(waiting, "out of memory");
	if (text)
		text_release(text);
}

static void take_pong(struct metrics_server *server, const struct metrics_message *message)
{
	struct waiting *waiting;

	if (message->number != server->pings)
		return; /* an older one's: whoever asked has been told */
	while ((waiting = TAILQ_FIRST(&server->lines[HEALTH]))) {
		struct evhttp_request *request = waiting->request;

		waiting_free(waiting);
		answer_words(request, HTTP_OK, "ok");
	}
}

static void on_message(evutil_socket_t link, short events, void *arg)
{
	struct metrics_server *server = arg;
	struct metrics_message message;
	int fd = -EBADF;
	int r;

	while ((r = metrics_receive(link, true, &message, &fd)) == 0) {
		if (message.type == METRICS_LISTENER)
			take_listener(server, take_fd(&fd));
		else if (message.type == METRICS_TEXT)
			take_text(server, &message, fd);
		else
			take_pong(server, &message);
		fd_closep(&fd);
	}
	if (r == -EAGAIN)
		return;
	server->result = r == -EPIPE ? 0 : r;
	event_base_loopbreak(server->base);
}

static void on_tick(evutil_socket_t fd, short events, void *arg)
{
	struct metrics_server *server = arg;
	size_t used = sweep(server);
	uint64_t now = loop_now_ms();
	struct waiting *waiting;

	set_full(server, used >= ARRAY_SIZE(server->connections));
	for (int line = 0; line < LINES; line++)
		while ((waiting = TAILQ_FIRST(&server->lines[line])) && now >= waiting->until)
			refuse(waiting, "vfio-displayd does not answer");
	/* A connection that comes now waits in the listener's queue, which the broker watches again. */
	if (!used && now - server->last_asked >= LIMIT_METRICS_IDLE_MS)
		event_base_loopbreak(server->base);
}

/* ---- life ---- */

static int begin(struct metrics_server *server)
{
	const struct timeval silence = {.tv_sec = LIMIT_METRICS_SILENCE_MS / 1000};
	const struct timeval tick = {.tv_usec = TICK_MS * 1000};

	server->base = event_base_new();
	server->http = server->base ? evhttp_new(server->base) : NULL;
	if (!server->http)
		return -ENOMEM;
	evhttp_set_bevcb(server->http, take_place, server);
	evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_max_headers_size(server->http, LIMIT_METRICS_HEAD);
	evhttp_set_max_body_size(server->http, 0);
	evhttp_set_timeout_tv(server->http, &silence);
	evhttp_set_gencb(server->http, on_other, server);
	if (evhttp_set_cb(server->http, "/metrics", on_metrics, server) < 0 ||
		evhttp_set_cb(server->http, "/healthz", on_health, server) < 0)
		return -ENOMEM;
	server->on_link =
		event_new(server->base, server->link, EV_READ | EV_PERSIST, on_message, server);
	server->tick = event_new(server->base, -1, EV_PERSIST, on_tick, server);
	if (!server->on_link || !server->tick || event_add(server->on_link, NULL) < 0 ||
		event_add(server->tick, &tick) < 0)
		return -ENOMEM;
	server->last_asked = loop_now_ms();
	return 0;
}

int metrics_server_create(int link, struct metrics_server **ret)
{
	struct metrics_server *server = new0(struct metrics_server);
	int r;

	if (!server)
		return -ENOMEM;
	server->link = link;
	for (int line = 0; line < LINES; line++)
		TAILQ_INIT(&server->lines[line]);
	r = begin(server);
	if (r < 0)
		metrics_server_destroy(server);
	else
		*ret = server;
	return r;
}

void metrics_server_destroy(struct metrics_server *server)
{
	struct waiting *waiting;

	if (!server)
		return;
	if (server->http)
		evhttp_free(server->http);
	for (int line = 0; line < LINES; line++)
		while ((waiting = TAILQ_FIRST(&server->lines[line])))
			waiting_free(waiting);
	for (size_t i = 0; i < ARRAY_SIZE(server->connections); i++)
		if (server->connections[i].bev)
			bufferevent_decref(server->connections[i].bev);
	if (server->on_link)
		event_free(server->on_link);
	if (server->tick)
		event_free(server->tick);
	if (server->base)
		event_base_free(server->base);
	free(server);
}

int metrics_server_run(struct metrics_server *server)
{
	if (event_base_dispatch(server->base) < 0)
		return -EIO;
	return server->result;
}
