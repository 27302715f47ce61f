/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manager.h"

#include <errno.h>
#include <signal.h>

#include "audit.h"
#include "base/config.h"
#include "base/discard.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "bulletin.h"
#include "control/control.h"
#include "credentials.h"
#include "damage/purse.h"
#include "entrance.h"
#include "exhibit.h"
#include "frame/child.h"
#include "gate.h"
#include "frame/wall.h"
#include "input/layouts.h"
#include "input/parting.h"
#include "lookout.h"
#include "reception.h"
#include "registry.h"
#include "restore.h"
#include "rights.h"
#include "state/notify.h"
#include "state/store.h"
#include "varlink/server.h"

enum { STOP_MS = 3000 }; /* a driver that does not let go is left to the process's end */

struct manager {
	struct config *config;
	struct manager_options options;
	struct loop *loop;
	struct varlink_server *server;
	struct notify *notify;
	struct store *store;
	struct credentials *credentials;
	struct rights *rights;
	struct lookout *lookout;
	struct loop_source *on_term, *on_int, *on_hup, *stop_timer;
	struct entrance *entrance;
	struct gate *gate; /* NULL: none */
	struct layouts *layouts;
	struct child *testcard;
	struct registry displays;
	struct reception reception;
	bool stopping;
	int status; /* of manager_run() */
};

static void on_stopped(void *arg)
{
	loop_stop(((struct manager *)arg)->loop);
}

static void manager_stop(struct manager *m)
{
	if (m->stopping)
		return;
	m->stopping = true;
	notify_stopping();
	bulletin_daemon(BULLETIN_STOPPING);
	gate_destroy(take_ptr(m->gate));
	loop_timer_once(m->stop_timer, m->displays.used ? STOP_MS : 0);
	/* Whether we are started again or not is for systemd to know: it empties the store when we are not. */
	if (store_is_open(m->store))
		registry_leave(&m->displays);
	else
		registry_release(&m->displays);
}

static void on_signal(void *arg)
{
	manager_stop(arg);
}

static void on_changed(void *arg)
{
	struct manager *m = arg;

	if (m->stopping && !m->displays.used)
		partings_settle(on_stopped, m);
}

/* ---- For the control room ---- */

struct display *manager_find(struct manager *m, const char *id)
{
	return registry_find(&m->displays, id);
}

struct display *manager_next(struct manager *m, struct display *after)
{
	return registry_next(&m->displays, after);
}

struct display *manager_after(struct manager *m, uint64_t *number)
{
	return registry_after(&m->displays, number);
}

struct display *manager_find_viewer(struct manager *m, const char *viewer)
{
	return registry_find_viewer(&m->displays, viewer);
}

const struct config *manager_config(const struct manager *m)
{
	return m->config;
}

struct credentials *manager_credentials(struct manager *m)
{
	return m->credentials;
}

const struct rights *manager_rights(const struct manager *m)
{
	return m->rights;
}

unsigned int manager_stored(const struct manager *m)
{
	return store_used(m->store);
}

bool manager_leaves(const struct manager *m)
{
	return m->stopping && store_is_open(m->store);
}

unsigned int manager_untold(const struct manager *m)
{
	return store_waiting(m->store);
}

unsigned int manager_connections(const struct manager *m)
{
	return varlink_server_connections(m->server);
}

struct loop *manager_loop(struct manager *m)
{
	return m->loop;
}

int manager_register(struct manager *m, struct handover *h, display_ready_fn ready, void *arg,
	const char **ret_reason, int *ret_index)
{
	if (!m->stopping)
		return registry_register(&m->displays, h, ready, arg, ret_reason, ret_index);
	*ret_reason = "";
	*ret_index = -1;
	handover_finish(h);
	return -ESHUTDOWN;
}

/* ---- Reload ---- */

/* For connections that come from now on; those that are there go on as they are. */
static void renew_secrets(void *arg)
{
	struct manager *m = arg;
	struct display *display = NULL;

	while ((display = registry_next(&m->displays, display)))
		entrance_secrets(m->entrance, display_wall(display));
	gate_renew(m->gate);
}

void manager_log_level(struct manager *m, enum log_level level)
{
	struct display *display = NULL;

	log_set_level(level);
	while ((display = registry_next(&m->displays, display)))
		wall_log_level(display_wall(display));
	gate_log_level(m->gate);
}

static const char *policy_path(const struct manager *m)
{
	return m->config->policy ? m->config->policy : m->options.policy_path;
}

/* A policy that was there and is not there any more is a mistake, not the wish that everybody may do more. */
static int reload_rights(struct manager *m, struct rights **ret, char **ret_error)
{
	bool must_exist = m->config->policy || rights_path(m->rights);

	return rights_read(policy_path(m), must_exist, ret, ret_error);
}

static int reload_config(struct manager *m, struct config *config, char **ret_error)
{
	int r = config_read_again(config, m->options.config_path, ret_error);

	if (r != -ENOENT || !m->options.config_optional)
		return r;
	free(*ret_error);
	*ret_error = NULL;
	return 0;
}

static void renew_config(struct manager *m, const struct config *config)
{
	struct display *display = NULL;

	config_renew(m->config, config);
	while ((display = registry_next(&m->displays, display)))
		display_renew(display);
}

/* All of it, or nothing. */
int manager_reload(struct manager *m, char **ret_error)
{
	struct rights *rights = NULL;
	struct config config;
	int r;

	notify_reloading();
	bulletin_daemon(BULLETIN_RELOADING);
	config_init(&config);
	r = reload_config(m, &config, ret_error);
	if (r == 0)
		r = reload_rights(m, &rights, ret_error);
	if (r == 0)
		r = entrance_reload(m->entrance, ret_error);
	if (r < 0) {
		rights_destroy(rights);
		audit(AUDIT_POLICY_KEPT, &(struct audit){.reason = *ret_error},
			"reload: %s; what was there is kept",
			*ret_error ? *ret_error : "out of memory");
	} else {
		rights_destroy(m->rights);
		m->rights = rights;
		renew_secrets(m);
		renew_config(m, &config);
		audit(AUDIT_POLICY, &(struct audit){0},
			"certificates, keys, the policy and h264 are reloaded");
	}
	config_finish(&config);
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

static int start_testcard(struct manager *m)
{
	const struct exhibit_options options = {
		.program = m->config->testcard_program,
		.testcard = m->options.testcard,
		.listen = m->options.listen,
	};
	const struct display *before = registry_find(&m->displays, "testcard");
	int r;

	/* One that an earlier daemon has started may go on. If it has ended, viewers may wait for it. */
	if (!m->options.testcard || (before && !display_is_ghost(before)))
		return 0;
	r = exhibit_start(m->loop, m->server, &options, on_testcard_ended, m, &m->testcard);
	if (r < 0)
		log_err("testcard", "cannot start %s: %s", options.program, strerror(-r));
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
	return display_state_ends(runtime.state) ? NULL : display;
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
		.store = m->store,
		.find = find_open,
		.arg = m,
	};

	return gate_create(&options, &m->gate);
}

static int read_rights(struct manager *m)
{
	_cleanup_free_ char *error = NULL;
	int r = rights_read(policy_path(m), m->config->policy, &m->rights, &error);

	if (r < 0)
		log_err(NULL, "%s", error ? error : "out of memory");
	else if (rights_path(m->rights))
		audit(AUDIT_POLICY, &(struct audit){0}, "policy: %s", rights_path(m->rights));
	return r;
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
	size_t n = notify_sockets(inherited, ARRAY_SIZE(inherited), m->store);
	int r;

	r = entrance_create(m->loop, &options, inherited, n, renew_secrets, m, &m->entrance);
	if (r == 0)
		r = reception_open(&m->reception, m->server, m->options.control_path,
			m->config->monitor_socket, inherited, n);
	if (r == 0)
		r = lookout_listen(m->lookout, inherited, n);
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
	purse_fill(m->config->scan_share);
	registry_init(&m->displays, m->loop, m->config, on_changed, m);
	if (r == 0)
		r = loop_signal_add(m->loop, SIGTERM, on_signal, m, &m->on_term);
	if (r == 0)
		r = loop_signal_add(m->loop, SIGINT, on_signal, m, &m->on_int);
	if (r == 0)
		r = loop_signal_add(m->loop, SIGHUP, on_hangup, m, &m->on_hup);
	if (r == 0)
		r = loop_timer_add(m->loop, on_stopped, m, &m->stop_timer);
	if (r == 0)
		r = layouts_create(m->loop, &m->layouts);
	if (r == 0)
		r = notify_create(m->loop, &m->notify);
	if (r == 0)
		r = store_create(m->loop, &m->store);
	if (r == 0)
		r = varlink_server_create(m->loop, &identity, &m->server);
	if (r == 0)
		r = credentials_create(m->loop, m->config, find_context, m, &m->credentials);
	if (r == 0)
		r = lookout_create(m->loop, m, m->server, &m->lookout);
	if (r == 0)
		r = control_create(m->server, m);
	if (r < 0) {
		log_err(NULL, "cannot start: %s", strerror(-r));
		return r;
	}
	m->displays.credentials = m->credentials;
	m->displays.layouts = m->layouts;
	r = read_rights(m);
	if (r < 0)
		return r;
	r = open_doors(m);
	m->displays.entrance = m->entrance;
	m->displays.store = m->store;
	if (r == 0)
		restore_tickets(m->credentials, m->store);
	if (r == 0)
		restore_displays(&m->displays, m->store, m->server, m);
	/* What is back was registered, and told, before. */
	audit_begin();
	if (r == 0)
		r = open_gate(m);
	if (r == 0)
		restore_settle(m->store);
	return r < 0 ? r : start_testcard(m);
}

int manager_create(
	struct config *config, const struct manager_options *options, struct manager **ret)
{
	struct manager *m = new0(struct manager);
	int r;

	if (!m)
		return -ENOMEM;
	m->config = config;
	m->options = *options;
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
	r = loop_run(m->loop);
	return r < 0 ? r : m->status;
}

void manager_destroy(struct manager *m)
{
	if (!m)
		return;
	/* Displays that a stuck driver still holds are left to the process's end: their threads use them. */
	varlink_server_destroy(m->server);
	control_finish();
	gate_destroy(m->gate);
	lookout_destroy(take_ptr(m->lookout));
	credentials_destroy(take_ptr(m->credentials));
	m->displays.credentials = NULL;
	/* Where its display is kept it goes on; else it ends when its connection does. */
	if (m->testcard && store_is_open(m->store)) {
		child_release(m->testcard);
	} else if (m->testcard) {
		child_kill(m->testcard);
		child_leave(m->testcard);
	}
	child_reap_all();
	loop_source_free(m->on_term);
	loop_source_free(m->on_int);
	loop_source_free(m->on_hup);
	loop_source_free(m->stop_timer);
	notify_destroy(m->notify);
	if (!m->displays.used)
		store_destroy(m->store);
	reception_close(&m->reception);
	entrance_destroy(m->entrance);
	audit_end();
	rights_destroy(m->rights);
	partings_end();
	if (!m->displays.used) {
		layouts_destroy(m->layouts);
		loop_destroy(m->loop);
	}
	if (!m->displays.used)
		free(m);
}
