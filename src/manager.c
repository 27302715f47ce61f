/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manager.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "admission.h"
#include "base/config.h"
#include "base/discard.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "control/control.h"
#include "credentials.h"
#include "entrance.h"
#include "frame/child.h"
#include "frame/wall.h"
#include "handover/address.h"
#include "gate.h"
#include "handover/descriptor.h"
#include "state/notify.h"
#include "varlink/server.h"

enum { STOP_MS = 3000 }; /* a driver that does not let go is left to the process's end */

struct entry {
	TAILQ_ENTRY(entry) link; /* manager::displays */
	struct manager *manager;
	struct display *display; /* owned */
	display_ready_fn ready;	 /* the caller's, NULL once called */
	void *ready_arg;
};

struct manager {
	const struct config *config;
	struct manager_options options;
	struct loop *loop;
	struct varlink_server *server;
	struct notify *notify;
	struct credentials *credentials;
	struct loop_source *on_term, *on_int, *on_hup, *stop_timer;
	struct entrance *entrance;
	struct gate *gate; /* NULL: none */
	struct child *testcard;
	TAILQ_HEAD(, entry) displays;
	size_t displays_used;
	unsigned int last_name;
	char *control_path; /* to unlink at the end; NULL: systemd's */
	bool stopping;
	int status; /* of manager_run() */
};

static void tell_status(struct manager *m)
{
	notify_status("%zu displays", m->displays_used);
}

static void on_stopped(void *arg)
{
	loop_stop(((struct manager *)arg)->loop);
}

static void manager_stop(struct manager *m)
{
	struct entry *entry, *next;

	if (m->stopping)
		return;
	m->stopping = true;
	notify_stopping();
	gate_destroy(take_ptr(m->gate));
	loop_timer_once(m->stop_timer, m->displays_used ? STOP_MS : 0);
	for (entry = TAILQ_FIRST(&m->displays); entry; entry = next) {
		next = TAILQ_NEXT(entry, link);
		display_release(entry->display, DISPLAY_DRAINING, NULL, NULL);
	}
}

static void on_signal(void *arg)
{
	manager_stop(arg);
}

/* ---- Displays ---- */

static void on_ready(void *arg, struct display *display, int error, const char *reason)
{
	struct entry *entry = arg;
	display_ready_fn ready = take_ptr(entry->ready);

	if (ready)
		ready(entry->ready_arg, display, error, reason);
}

static void on_gone(void *arg)
{
	struct entry *entry = arg;
	struct manager *m = entry->manager;

	log_info(display_context(entry->display)->id, "released");
	if (m->credentials)
		admission_end(entry->display, m->credentials);
	TAILQ_REMOVE(&m->displays, entry, link);
	m->displays_used--;
	display_destroy(entry->display);
	free(entry);
	tell_status(m);
	if (m->stopping && !m->displays_used)
		loop_stop(m->loop);
}

struct display *manager_find(struct manager *m, const char *id)
{
	struct entry *entry;

	TAILQ_FOREACH (entry, &m->displays, link) {
		if (strcmp(display_context(entry->display)->id, id) == 0)
			return entry->display;
	}
	return NULL;
}

struct display *manager_next(struct manager *m, struct display *after)
{
	struct entry *entry;

	if (!after) {
		entry = TAILQ_FIRST(&m->displays);
		return entry ? entry->display : NULL;
	}
	TAILQ_FOREACH (entry, &m->displays, link) {
		if (entry->display != after)
			continue;
		entry = TAILQ_NEXT(entry, link);
		return entry ? entry->display : NULL;
	}
	return NULL;
}

struct display *manager_find_viewer(struct manager *m, const char *viewer)
{
	const struct wall_viewer *viewers;
	struct entry *entry;

	TAILQ_FOREACH (entry, &m->displays, link) {
		size_t n = wall_viewers(display_wall(entry->display), &viewers);

		for (size_t i = 0; i < n; i++)
			if (strcmp(viewers[i].name, viewer) == 0)
				return entry->display;
	}
	return NULL;
}

const struct config *manager_config(const struct manager *m)
{
	return m->config;
}

struct credentials *manager_credentials(struct manager *m)
{
	return m->credentials;
}

struct loop *manager_loop(struct manager *m)
{
	return m->loop;
}

static const char *unfit_descriptor(const struct handover *h, int *ret_index)
{
	const char *unfit;

	*ret_index = HANDOVER_DEVICE;
	unfit = h->source == SOURCE_VFIO ? descriptor_vfio_device(h->device)
					 : descriptor_surface(h->device);
	if (!unfit && h->change >= 0) {
		*ret_index = HANDOVER_CHANGE;
		unfit = descriptor_eventfd(h->change);
	}
	if (!unfit && h->lease >= 0) {
		*ret_index = HANDOVER_LEASE;
		unfit = descriptor_lease(h->lease);
	}
	if (!unfit && h->render >= 0) {
		*ret_index = HANDOVER_RENDER;
		unfit = descriptor_render(h->render);
	}
	for (size_t i = 0; i < h->listeners_used && !unfit; i++) {
		*ret_index = HANDOVER_LISTENERS + (int)i;
		if (h->listeners[i].fd >= 0)
			unfit = descriptor_listener(h->listeners[i].fd);
	}
	return unfit;
}

/* Viewers that wait for a guest are not to be shown somebody else's. */
static bool may_inherit(const struct display *ghost, const struct handover *h)
{
	return display_is_ghost(ghost) && (h->uid == 0 || h->uid == display_registrant(ghost)->uid);
}

/* 1: it is there already. 0: it may be registered, and takes over *ret_ghost if there is one. */
static int admit(struct manager *m, struct handover *h, struct display **ret_ghost,
	const char **ret_reason, int *ret_index)
{
	struct context *context = &h->context;
	struct display *display;
	struct entry *entry;

	*ret_ghost = NULL;
	*ret_index = -1;
	*ret_reason = "";
	if (m->stopping)
		return -ESHUTDOWN;
	*ret_reason = unfit_descriptor(h, ret_index);
	if (*ret_reason)
		return -EBADF;
	*ret_reason = "";
	while (!context->id[0]) {
		snprintf(context->id, sizeof(context->id), "display-%u", ++m->last_name);
		if (manager_find(m, context->id))
			context->id[0] = '\0';
	}
	display = manager_find(m, context->id);
	if (display && !may_inherit(display, h))
		return display_same_device(display, h->device) &&
				       display_registrant(display)->uid == h->uid
			       ? 1
			       : -EEXIST;
	TAILQ_FOREACH (entry, &m->displays, link) {
		if (!display_same_device(entry->display, h->device))
			continue;
		*ret_reason = "is registered under another id";
		*ret_index = HANDOVER_DEVICE;
		return -EBUSY;
	}
	*ret_ghost = display;
	return m->displays_used >= LIMIT_DISPLAYS + !!display ? -ENOSPC : 0;
}

int manager_register(struct manager *m, struct handover *h, display_ready_fn ready, void *arg,
	const char **ret_reason, int *ret_index)
{
	struct link_listener policies[LIMIT_LISTENERS];
	struct handover_listener listeners[LIMIT_LISTENERS];
	size_t listeners_used = h->listeners_used;
	struct entry *entry = NULL;
	struct display *ghost;
	int r;

	r = admit(m, h, &ghost, ret_reason, ret_index);
	if (r == 0)
		r = entrance_open(m->entrance, h, policies, ret_reason, ret_index);
	if (r == 0 && !(entry = new0(struct entry))) {
		entrance_abandon(h->listeners, h->listeners_used);
		r = -ENOMEM;
	}
	if (r != 0) {
		handover_finish(h);
		return r;
	}
	memcpy(listeners, h->listeners, sizeof(listeners));
	for (size_t i = 0; i < listeners_used; i++)
		h->listeners[i].fd = -EBADF;
	entry->manager = m;
	entry->ready = ready;
	entry->ready_arg = arg;
	*ret_index = -1;
	r = display_create(m->loop, m->config, h, ghost, on_ready, on_gone, entry, &entry->display);
	if (r < 0) {
		*ret_reason = "no memory, threads or descriptors are left";
		entrance_abandon(listeners, listeners_used);
		free(entry);
		return r;
	}
	admission_begin(entry->display, m->credentials);
	memcpy(h->context.id, display_context(entry->display)->id, sizeof(h->context.id));
	entrance_give(m->entrance, entry->display, listeners, policies, listeners_used);
	TAILQ_INSERT_TAIL(&m->displays, entry, link);
	m->displays_used++;
	tell_status(m);
	return 0;
}

/* ---- Reload ---- */

/* For connections that come from now on; those that are there go on as they are. */
static void renew_secrets(void *arg)
{
	struct manager *m = arg;
	struct entry *entry;

	TAILQ_FOREACH (entry, &m->displays, link)
		entrance_secrets(m->entrance, display_wall(entry->display));
	gate_renew(m->gate);
}

int manager_reload(struct manager *m, char **ret_error)
{
	int r;

	notify_reloading();
	r = entrance_reload(m->entrance, ret_error);
	if (r < 0) {
		log_err(NULL, "reload: %s; what was there is kept",
			*ret_error ? *ret_error : "out of memory");
	} else {
		renew_secrets(m);
		log_info(NULL, "certificates and keys are reloaded");
	}
	notify_ready();
	return r;
}

static void on_hangup(void *arg)
{
	char *error;

	manager_reload(arg, &error);
	free(error);
}

/* ---- Start ---- */

static int listen_for_control(struct manager *m, struct notify_socket *inherited, size_t n)
{
	const char *path = m->options.control_path;
	char address[256];
	int fd, r;

	for (size_t i = 0; i < n; i++)
		if (inherited[i].fd >= 0 && strcmp(inherited[i].name, "varlink") == 0)
			return varlink_server_listen(m->server, take_fd(&inherited[i].fd));
	snprintf(address, sizeof(address), "unix:%s", path);
	r = address_listen(address, &fd);
	if (r < 0) {
		log_err(NULL, "cannot listen on control socket %s: %s%s", path, strerror(-r),
			r == -EADDRINUSE ? " (is another vfio-displayd running?)"
			: r == -EINVAL	 ? " (an absolute path of at most 107 bytes is needed)"
					 : "");
		return r;
	}
	m->control_path = strdup(path);
	return varlink_server_listen(m->server, fd);
}

static void on_testcard_ended(void *arg, const char *how)
{
	struct manager *m = arg;

	m->testcard = NULL;
	if (m->stopping)
		return;
	log_err("testcard", "the test card's program has ended (%s)", how);
	m->status = -ECHILD;
	manager_stop(m);
}

/* The test card is a program like a VMM: it registers a surface through the control socket. Only, it is given its connection. */
static int start_testcard(struct manager *m)
{
	char size[32] = "", *rate;
	char *arguments[12] = {(char *)"vfio-displayd-testcard", (char *)"--fd", (char *)"3"};
	_cleanup_fd_ int theirs = -EBADF;
	int pair[2], n = 3, r;

	if (!m->options.testcard)
		return 0;
	snprintf(size, sizeof(size), "%s", m->options.testcard);
	rate = strchr(size, '@');
	if (rate) {
		*rate++ = '\0';
		arguments[n++] = (char *)"--rate";
		arguments[n++] = rate;
	}
	if (size[0]) {
		arguments[n++] = (char *)"--size";
		arguments[n++] = size;
	}
	if (m->options.listen) {
		arguments[n++] = (char *)"--listen";
		arguments[n++] = (char *)m->options.listen;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	theirs = pair[1];
	r = varlink_server_adopt(m->server, pair[0]);
	if (r == 0)
		r = child_spawn(m->loop, m->config->testcard_program, arguments, theirs,
			on_testcard_ended, m, &m->testcard);
	if (r < 0)
		log_err("testcard", "cannot start %s: %s", m->config->testcard_program,
			strerror(-r));
	return r;
}

/* A display that is being released has nothing to show to those who come. */
static struct display *find_open(void *arg, const char *id)
{
	struct display *display = manager_find(arg, id);
	struct display_runtime runtime;

	if (!display)
		return NULL;
	display_runtime(display, &runtime);
	return runtime.state == DISPLAY_LOST || runtime.state == DISPLAY_DRAINING ? NULL : display;
}

static const struct context *find_context(void *arg, const char *id)
{
	struct display *display = find_open(arg, id);

	return display ? display_context(display) : NULL;
}

static int open_gate(struct manager *m)
{
	const struct gate_options options = {
		.loop = m->loop,
		.config = m->config,
		.entrance = m->entrance,
		.credentials = m->credentials,
		.find = find_open,
		.arg = m,
	};

	return gate_create(&options, &m->gate);
}

/* What systemd has opened for us goes to whom its name says. */
static int open_doors(struct manager *m)
{
	const struct entrance_options options = {
		.config = m->config,
		.control_path = m->options.control_path,
		.state_dir = m->options.state_dir,
		.logins = m->config->passwords || m->config->pam_service,
	};
	struct notify_socket inherited[LIMIT_INHERITED];
	size_t n = notify_sockets(inherited, ARRAY_SIZE(inherited));
	int r;

	r = entrance_create(m->loop, &options, inherited, n, renew_secrets, m, &m->entrance);
	if (r == 0)
		r = listen_for_control(m, inherited, n);
	for (size_t i = 0; i < n; i++) {
		if (inherited[i].fd >= 0 && r == 0)
			log_warn(NULL, "nobody knows what to do with inherited socket \"%s\"",
				inherited[i].name);
		fd_discardp(&inherited[i].fd);
	}
	return r;
}

static int manager_start(struct manager *m)
{
	static const struct varlink_identity identity = {
		.vendor = "vfio-displayd",
		.product = PACKAGE_NAME,
		.version = PACKAGE_VERSION,
		.url = "https://vfiodisplay.org",
	};
	int r;

	r = loop_create(&m->loop);
	if (r == 0)
		r = loop_signal_add(m->loop, SIGTERM, on_signal, m, &m->on_term);
	if (r == 0)
		r = loop_signal_add(m->loop, SIGINT, on_signal, m, &m->on_int);
	if (r == 0)
		r = loop_signal_add(m->loop, SIGHUP, on_hangup, m, &m->on_hup);
	if (r == 0)
		r = loop_timer_add(m->loop, on_stopped, m, &m->stop_timer);
	if (r == 0)
		r = notify_create(m->loop, &m->notify);
	if (r == 0)
		r = varlink_server_create(m->loop, &identity, &m->server);
	if (r == 0)
		r = credentials_create(m->loop, m->config, find_context, m, &m->credentials);
	if (r == 0)
		r = control_create(m->server, m);
	if (r < 0) {
		log_err(NULL, "cannot start: %s", strerror(-r));
		return r;
	}
	r = open_doors(m);
	if (r == 0)
		r = open_gate(m);
	return r < 0 ? r : start_testcard(m);
}

int manager_create(
	const struct config *config, const struct manager_options *options, struct manager **ret)
{
	struct manager *m = new0(struct manager);
	int r;

	if (!m)
		return -ENOMEM;
	m->config = config;
	m->options = *options;
	TAILQ_INIT(&m->displays);
	r = manager_start(m);
	if (r < 0) {
		manager_destroy(m);
		return r;
	}
	*ret = m;
	return 0;
}

int manager_run(struct manager *m)
{
	int r;

	notify_ready();
	tell_status(m);
	r = loop_run(m->loop);
	return r < 0 ? r : m->status;
}

void manager_destroy(struct manager *m)
{
	if (!m)
		return;
	/* Displays that a stuck driver still holds are left to the process's end: their threads use them. */
	varlink_server_destroy(m->server);
	gate_destroy(m->gate);
	credentials_destroy(m->credentials);
	m->credentials = NULL;
	if (m->testcard) {
		child_kill(m->testcard);
		child_leave(m->testcard);
	}
	child_reap_all();
	loop_source_free(m->on_term);
	loop_source_free(m->on_int);
	loop_source_free(m->on_hup);
	loop_source_free(m->stop_timer);
	notify_destroy(m->notify);
	if (m->control_path)
		unlink(m->control_path);
	entrance_destroy(m->entrance);
	if (!m->displays_used)
		loop_destroy(m->loop);
	free(m->control_path);
	if (!m->displays_used)
		free(m);
}
