/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manager.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/config.h"
#include "base/discard.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "control/control.h"
#include "frame/child.h"
#include "frame/wall.h"
#include "handover/address.h"
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
	struct loop_source *on_term, *on_int, *stop_timer;
	struct child *testcard;
	TAILQ_HEAD(, entry) displays;
	size_t displays_used;
	unsigned int last_name;
	char *control_path; /* to unlink at the end; NULL: systemd's */
	char *rfb_dir;	    /* NULL: no Unix sockets */
	char password[9];   /* of listeners on TCP; empty: none */
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

/* Closes what open_listeners() made, and takes its sockets off the disk. */
static void close_listeners(struct handover_listener *listeners, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (listeners[i].fd >= 0 && address_path(listeners[i].address))
			unlink(address_path(listeners[i].address));
		fd_discardp(&listeners[i].fd);
	}
}

/* Listening sockets for the addresses; then each is held to the rule: outside this host only with a password. */
static int open_listeners(
	struct manager *m, struct handover *h, const char **ret_reason, int *ret_index)
{
	int r;

	for (size_t i = 0; i < h->listeners_used; i++) {
		struct handover_listener *listener = &h->listeners[i];

		*ret_index = HANDOVER_LISTENERS + (int)i;
		if (listener->fd < 0) {
			r = address_listen(listener->address, &listener->fd);
			if (r < 0) {
				*ret_reason =
					r == -EINVAL ? "is not HOST:PORT, [HOST]:PORT or unix:/PATH"
						     : strerror(-r);
				return r;
			}
		}
		if (!address_is_local(listener->fd) && !m->password[0]) {
			*ret_reason = "outside loopback a password is needed (password-file in "
				      "the configuration)";
			return -EACCES;
		}
	}
	return 0;
}

static int admit(struct manager *m, struct handover *h, const char **ret_reason, int *ret_index)
{
	struct context *context = &h->context;
	struct display *display;
	struct entry *entry;

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
	if (display)
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
	return m->displays_used >= LIMIT_DISPLAYS ? -ENOSPC : 0;
}

static void listen_on(
	struct manager *m, struct display *display, const struct handover_listener *listener)
{
	bool open = address_is_unix(listener->fd) || !m->password[0];
	bool view = listener->mode == VIEW_MODE_VIEW || display_context(display)->view_only;
	struct link_listener policy = {
		.mode = view ? LINK_MODE_VIEW : LINK_MODE_CONTROL,
		.offers = open ? LINK_OFFER_NONE : LINK_OFFER_VNCAUTH,
		.transports = LINK_TRANSPORT_RFB,
	};
	char endpoint[128];
	int r;

	address_describe(listener->fd, endpoint);
	if (!open)
		memcpy(policy.password, m->password, sizeof(policy.password));
	r = wall_listen(display_wall(display), listener->fd, &policy, endpoint,
		address_path(listener->address));
	explicit_bzero(&policy, sizeof(policy));
	if (r < 0)
		log_warn(display_context(display)->id, "no viewers at %s: %s", endpoint,
			strerror(-r));
}

/* RUNTIME/rfb/ID, for proxies that look up a socket by its name. */
static void listen_on_own_socket(struct manager *m, struct display *display)
{
	const char *id = display_context(display)->id;
	_cleanup_free_ char *address = NULL;
	bool view = display_context(display)->view_only;
	const struct link_listener policy = {
		.mode = view ? LINK_MODE_VIEW : LINK_MODE_CONTROL,
		.offers = LINK_OFFER_NONE,
		.transports = LINK_TRANSPORT_RFB,
	};
	int fd, r;

	if (!m->rfb_dir || asprintf(&address, "unix:%s/%s", m->rfb_dir, id) < 0)
		return;
	r = address_listen(address, &fd);
	if (r == 0)
		r = wall_listen(
			display_wall(display), fd, &policy, address, address + strlen("unix:"));
	if (r < 0)
		log_warn(id, "no socket for viewers at %s: %s", address + 5, strerror(-r));
}

int manager_register(struct manager *m, struct handover *h, display_ready_fn ready, void *arg,
	const char **ret_reason, int *ret_index)
{
	struct handover_listener listeners[LIMIT_LISTENERS];
	size_t listeners_used = h->listeners_used;
	struct entry *entry = NULL;
	int r;

	r = admit(m, h, ret_reason, ret_index);
	if (r == 0)
		r = open_listeners(m, h, ret_reason, ret_index);
	if (r == 0 && !(entry = new0(struct entry)))
		r = -ENOMEM;
	if (r != 0) {
		close_listeners(h->listeners, h->listeners_used);
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
	r = display_create(m->loop, m->config, h, on_ready, on_gone, entry, &entry->display);
	if (r < 0) {
		*ret_reason = "no memory, threads or descriptors are left";
		close_listeners(listeners, listeners_used);
		free(entry);
		return r;
	}
	memcpy(h->context.id, display_context(entry->display)->id, sizeof(h->context.id));
	for (size_t i = 0; i < listeners_used; i++)
		listen_on(m, entry->display, &listeners[i]);
	listen_on_own_socket(m, entry->display);
	TAILQ_INSERT_TAIL(&m->displays, entry, link);
	m->displays_used++;
	tell_status(m);
	return 0;
}

/* ---- Start ---- */

/* The group may read it: systemd's credentials look so. */
static const char *password_wrong(FILE *file, const char *line)
{
	struct stat st;

	if (fstat(fileno(file), &st) < 0)
		return strerror(errno);
	if (st.st_mode & S_IRWXO)
		return "everybody may read or write it; make that 'chmod 600'";
	if (strlen(line) < 1 || strlen(line) > 8)
		return "VNC passwords have 1 to 8 characters";
	return NULL;
}

static int read_password(struct manager *m)
{
	const char *path = m->config->password_file, *wrong;
	char line[16] = "";
	FILE *file;

	if (!path)
		return 0;
	file = fopen(path, "re");
	if (!file) {
		int r = -errno;

		log_err(NULL, "password-file %s: %s", path, strerror(-r));
		return r;
	}
	/* Nothing to read is an empty password. */
	if (fgets(line, sizeof(line), file))
		line[strcspn(line, "\r\n")] = '\0';
	wrong = password_wrong(file, line);
	if (wrong)
		log_err(NULL, "password-file %s: %s", path, wrong);
	else
		memcpy(m->password, line, sizeof(m->password));
	explicit_bzero(line, sizeof(line));
	fclose(file);
	return wrong ? -EINVAL : 0;
}

static int listen_for_control(struct manager *m)
{
	const char *path = m->options.control_path;
	char address[256];
	int fd, r;

	fd = notify_listener("varlink");
	if (fd >= 0)
		return varlink_server_listen(m->server, fd);
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

static int prepare_rfb_dir(struct manager *m)
{
	const char *dir = m->options.state_dir;
	const char *slash = strrchr(m->options.control_path, '/');
	int n;

	if (!m->config->unix_sockets)
		return 0;
	if (m->config->unix_directory)
		n = asprintf(&m->rfb_dir, "%s", m->config->unix_directory);
	else if (dir)
		n = asprintf(&m->rfb_dir, "%s/rfb", dir);
	else
		n = asprintf(&m->rfb_dir, "%.*s/rfb",
			slash ? (int)(slash - m->options.control_path) : 0,
			m->options.control_path);
	if (n < 0) {
		m->rfb_dir = NULL;
		return -ENOMEM;
	}
	if (mkdir(m->rfb_dir, 0750) < 0 && errno != EEXIST) {
		int r = -errno;

		log_err(NULL, "cannot make %s: %s", m->rfb_dir, strerror(errno));
		return r;
	}
	return 0;
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
		r = loop_timer_add(m->loop, on_stopped, m, &m->stop_timer);
	if (r == 0)
		r = notify_create(m->loop, &m->notify);
	if (r == 0)
		r = varlink_server_create(m->loop, &identity, &m->server);
	if (r == 0)
		r = control_create(m->server, m);
	if (r < 0) {
		log_err(NULL, "cannot start: %s", strerror(-r));
		return r;
	}
	r = read_password(m);
	if (r == 0)
		r = prepare_rfb_dir(m);
	if (r == 0)
		r = listen_for_control(m);
	if (r == 0)
		r = start_testcard(m);
	return r;
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
	if (m->testcard) {
		child_kill(m->testcard);
		child_leave(m->testcard);
	}
	child_reap_all();
	loop_source_free(m->on_term);
	loop_source_free(m->on_int);
	loop_source_free(m->stop_timer);
	notify_destroy(m->notify);
	if (m->control_path)
		unlink(m->control_path);
	if (!m->displays_used)
		loop_destroy(m->loop);
	free(m->control_path);
	free(m->rfb_dir);
	explicit_bzero(m->password, sizeof(m->password));
	if (!m->displays_used)
		free(m);
}
