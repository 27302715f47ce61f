/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "entrance.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/config.h"
#include "base/discard.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "display.h"
#include "frame/wall.h"
#include "handover/address.h"
#include "handover/descriptor.h"
#include "secrets.h"
#include "state/notify.h"

#define DISPLAY_PREFIX "display-"

struct entrance {
	struct entrance_options options;
	struct notify_socket inherited[LIMIT_INHERITED]; /* fd -EBADF: given away */
	size_t inherited_used;
	struct secrets *secrets;
	char *rfb_dir;	  /* NULL: no Unix sockets */
	char password[9]; /* empty: none */
	entrance_fn renewed;
	void *arg;
};

static enum locality locality_of(int fd)
{
	if (address_is_unix(fd))
		return LOCALITY_UNIX;
	return address_is_local(fd) ? LOCALITY_LOOPBACK : LOCALITY_OUTSIDE;
}

static struct policy_facts facts_of(const struct entrance *e)
{
	return (struct policy_facts){
		.config = e->options.config,
		.certificate = secrets_certificate(e->secrets),
		.authorities = secrets_authorities(e->secrets),
		.logins = e->options.logins,
		.password = e->password,
	};
}

int entrance_decide(struct entrance *e, int fd, const struct policy_wish *wish,
	struct link_listener *ret, const char **ret_reason)
{
	struct policy_facts facts = facts_of(e);
	int r = policy_decide(&facts, locality_of(fd), wish, ret, ret_reason);

	if (r == 0 && ret->offers & (LINK_OFFER_RSA_AES | LINK_OFFER_RSA_AES_256))
		secrets_want_rsa(e->secrets);
	return r;
}

/* ---- a display's ---- */

void entrance_abandon(struct handover_listener *listeners, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (listeners[i].made)
			unlink(address_path(listeners[i].address));
		fd_discardp(&listeners[i].fd);
	}
}

/* What a file is; all zero: there is none. */
static struct stat look_at(const char *path)
{
	struct stat st;

	return path && lstat(path, &st) == 0 ? st : (struct stat){0};
}

static bool is_another(const struct stat *before, const struct stat *after)
{
	return before->st_ino != after->st_ino || before->st_ctim.tv_sec != after->st_ctim.tv_sec ||
	       before->st_ctim.tv_nsec != after->st_ctim.tv_nsec;
}

/* A socket at an address that a registrant has named. It is not to be among the displays' own: by the names there others find a display,
 * and it may not be the registrant's. Paths have too many spellings to be compared; that a file is new there tells, whatever links led to it. */
static int open_wished(
	struct entrance *e, struct handover_listener *listener, const char **ret_reason)
{
	const char *path = address_path(listener->address),
		   *slash = path ? strrchr(path, '/') : NULL;
	_cleanup_free_ char *own = NULL;
	struct stat before, after;
	int r;

	if (e->rfb_dir && slash && asprintf(&own, "%s%s", e->rfb_dir, slash) < 0) {
		own = NULL;
		return -ENOMEM;
	}
	before = look_at(own);
	r = address_listen(listener->address, &listener->fd);
	if (r < 0) {
		*ret_reason = r == -EINVAL ? "is not HOST:PORT, [HOST]:PORT, *:PORT or unix:/PATH"
					   : strerror(-r);
		return r;
	}
	after = look_at(own);
	if (after.st_ino && is_another(&before, &after)) {
		unlink(own);
		listener->fd = fd_close(listener->fd);
		*ret_reason = "is where the displays' own sockets are, which the daemon makes";
		return -EACCES;
	}
	listener->ours = true;
	listener->made = path;
	return 0;
}

int entrance_reopen(struct entrance *e, const struct context *context,
	struct handover_listener *listener, struct link_listener *ret, const char **ret_reason)
{
	struct policy_wish wish = {
		.mode = context->view_only ? LINK_MODE_VIEW : (enum link_mode)listener->mode,
		.security = listener->security,
		.transports = listener->transports,
		.origins = listener->origins,
	};
	int r;

	if (listener->fd < 0) {
		r = open_wished(e, listener, ret_reason);
		if (r < 0)
			return r;
	}
	r = entrance_decide(e, listener->fd, &wish, ret, ret_reason);
	/* Whose reason it is: one that was handed over has no address of its own. -EINVAL would be the address's form. */
	if (r < 0 && !listener->address[0])
		address_describe(listener->fd, listener->address);
	return r < 0 ? -EACCES : 0;
}

int entrance_open(struct entrance *e, struct handover *h, struct link_listener ret[LIMIT_LISTENERS],
	const char **ret_reason, int *ret_index)
{
	int r;

	for (size_t i = 0; i < h->listeners_used; i++) {
		*ret_index = HANDOVER_LISTENERS + (int)i;
		r = entrance_reopen(e, &h->context, &h->listeners[i], &ret[i], ret_reason);
		if (r < 0) {
			entrance_abandon(h->listeners, h->listeners_used);
			return r;
		}
	}
	return 0;
}

static void listen_on(struct display *display, int fd, struct link_listener *policy, bool ours,
	const char *unlink_path)
{
	char endpoint[128];
	int r;

	address_describe(fd, endpoint);
	r = wall_listen(display_wall(display), fd, policy, endpoint, ours, unlink_path);
	explicit_bzero(policy, sizeof(*policy));
	if (r < 0)
		log_warn(display_context(display)->id, "no viewers at %s: %s", endpoint,
			strerror(-r));
}

/* What is not at a registrant's wish. */
static void listen_by_default(struct entrance *e, struct display *display, int fd, const char *path)
{
	const struct context *context = display_context(display);
	struct policy_wish wish = {
		.mode = context->view_only ? LINK_MODE_VIEW : LINK_MODE_CONTROL,
	};
	struct link_listener policy;
	const char *reason;

	if (entrance_decide(e, fd, &wish, &policy, &reason) == 0) {
		listen_on(display, fd, &policy, path, path);
		return;
	}
	log_warn(context->id, "no viewers at %s: %s", path ? path : "an inherited socket", reason);
	if (path)
		unlink(path);
	fd_discard(fd);
}

/* One that an earlier daemon has made, with another configuration maybe. -EBADF: it is not wanted any more. */
static int at_home(int own, const char *address)
{
	char where[128];

	if (own < 0)
		return own;
	address_describe(own, where);
	if (address && strcmp(where, address) == 0)
		return own;
	if (address_path(where))
		unlink(address_path(where));
	return fd_discard(own);
}

/* RUNTIME/rfb/ID, for proxies that look up a socket by its name. */
static void listen_on_own_socket(struct entrance *e, struct display *display, int own)
{
	const char *id = display_context(display)->id;
	_cleanup_free_ char *address = NULL;
	int r = 0;

	if (e->rfb_dir && asprintf(&address, "unix:%s/%s", e->rfb_dir, id) < 0)
		address = NULL;
	own = at_home(own, address);
	if (!address)
		return;
	if (own < 0)
		r = address_listen(address, &own);
	if (r == 0)
		listen_by_default(e, display, own, address_path(address));
	else
		log_warn(
			id, "no socket for viewers at %s: %s", address_path(address), strerror(-r));
}

/* A copy: the socket outlives the display, and who connects meanwhile waits in its queue. */
static void listen_on_inherited(struct entrance *e, struct display *display)
{
	const char *id = display_context(display)->id;

	for (size_t i = 0; i < e->inherited_used; i++) {
		const struct notify_socket *socket = &e->inherited[i];
		int fd;

		if (strncmp(socket->name, DISPLAY_PREFIX, strlen(DISPLAY_PREFIX)) != 0 ||
			strcmp(socket->name + strlen(DISPLAY_PREFIX), id) != 0)
			continue;
		fd = fcntl(socket->fd, F_DUPFD_CLOEXEC, FD_HIGH);
		if (fd >= 0)
			listen_by_default(e, display, fd, NULL);
	}
}

void entrance_give(struct entrance *e, struct display *display, struct handover_listener *listeners,
	struct link_listener *policies, size_t n, int own)
{
	entrance_secrets(e, display_wall(display));
	for (size_t i = 0; i < n; i++)
		listen_on(display, take_fd(&listeners[i].fd), &policies[i], listeners[i].ours,
			listeners[i].made ? address_path(listeners[i].address) : NULL);
	listen_on_own_socket(e, display, own);
	listen_on_inherited(e, display);
}

void entrance_secrets(const struct entrance *e, struct wall *wall)
{
	struct link_message message;
	int fd = secrets_bundle(e->secrets, &message);

	wall_secrets(wall, fd, &message);
}

int entrance_gate_socket(struct entrance *e)
{
	for (size_t i = 0; i < e->inherited_used; i++)
		if (e->inherited[i].fd >= 0 && strcmp(e->inherited[i].name, "gate") == 0)
			return take_fd(&e->inherited[i].fd);
	return -ENOENT;
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

static int read_password(struct entrance *e)
{
	const char *configured = e->options.config->password_file, *wrong;
	_cleanup_free_ char *path =
		configured ? strdup(configured) : secrets_credential("vnc.password");
	char line[16] = "";
	FILE *file;

	if (!path)
		return configured ? -ENOMEM : 0;
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
		memcpy(e->password, line, sizeof(e->password));
	explicit_bzero(line, sizeof(line));
	fclose(file);
	return wrong ? -EINVAL : 0;
}

/* The directory of the control socket or the one that was given; the caller's. */
static char *run_directory(const struct entrance *e)
{
	const char *path = e->options.control_path, *slash = strrchr(path, '/');

	if (e->options.state_dir)
		return strdup(e->options.state_dir);
	return strndup(path, slash ? slash - path : 0);
}

static int prepare_rfb_dir(struct entrance *e)
{
	const struct config *config = e->options.config;
	_cleanup_free_ char *directory = run_directory(e);
	int r;

	if (!config->unix_sockets)
		return 0;
	if (config->unix_directory)
		e->rfb_dir = strdup(config->unix_directory);
	else if (!directory || asprintf(&e->rfb_dir, "%s/rfb", directory) < 0)
		e->rfb_dir = NULL;
	if (!e->rfb_dir)
		return -ENOMEM;
	if (mkdir(e->rfb_dir, 0750) == 0 || errno == EEXIST)
		return 0;
	r = -errno;
	log_err(NULL, "cannot make %s: %s", e->rfb_dir, strerror(-r));
	return r;
}

/* systemd's StateDirectory= outlives a restart of the machine. */
static int open_secrets(struct entrance *e, struct loop *loop)
{
	const char *directory = getenv("STATE_DIRECTORY");
	_cleanup_free_ char *state =
		directory ? strndup(directory, strcspn(directory, ":")) : run_directory(e);
	char *error;
	int r;

	if (!state)
		return -ENOMEM;
	r = secrets_create(loop, e->options.config, state, e->renewed, e->arg, &e->secrets);
	if (r < 0)
		return r;
	r = entrance_reload(e, &error);
	if (r < 0)
		log_err(NULL, "%s", error ? error : "out of memory");
	free(error);
	return r;
}

int entrance_reload(struct entrance *e, char **ret_error)
{
	return secrets_load(e->secrets, ret_error);
}

static int check_configuration(struct entrance *e)
{
	struct policy_facts facts = facts_of(e);
	const char *reason;
	int r = policy_check(&facts, &reason);

	if (r < 0)
		log_err(NULL, "configuration, [viewers]: %s", reason);
	return r;
}

static int check_inherited(struct entrance *e, const struct notify_socket *socket)
{
	struct policy_wish wish = {
		.gate = strcmp(socket->name, "gate") == 0,
		.mode = LINK_MODE_CONTROL,
	};
	const char *reason = descriptor_listener(socket->fd);
	struct link_listener policy;

	if (!reason)
		entrance_decide(e, socket->fd, &wish, &policy, &reason);
	if (!reason)
		return 0;
	log_err(NULL, "inherited socket \"%s\": %s", socket->name, reason);
	return -EINVAL;
}

static int take_inherited(struct entrance *e, struct notify_socket *sockets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool display =
			strncmp(sockets[i].name, DISPLAY_PREFIX, strlen(DISPLAY_PREFIX)) == 0;
		int r;

		if (sockets[i].fd < 0 || (!display && strcmp(sockets[i].name, "gate") != 0))
			continue;
		if (display && !context_id_valid(sockets[i].name + strlen(DISPLAY_PREFIX)))
			continue;
		r = check_inherited(e, &sockets[i]);
		if (r < 0)
			return r;
		e->inherited[e->inherited_used] = sockets[i];
		e->inherited[e->inherited_used++].fd = take_fd(&sockets[i].fd);
	}
	return 0;
}

int entrance_create(struct loop *loop, const struct entrance_options *options,
	struct notify_socket *inherited, size_t inherited_used, entrance_fn renewed, void *arg,
	struct entrance **ret)
{
	struct entrance *e = new0(struct entrance);
	int r;

	if (!e)
		return -ENOMEM;
	e->options = *options;
	e->renewed = renewed;
	e->arg = arg;
	r = read_password(e);
	if (r == 0)
		r = prepare_rfb_dir(e);
	if (r == 0)
		r = open_secrets(e, loop);
	if (r == 0)
		r = check_configuration(e);
	if (r == 0)
		r = take_inherited(e, inherited, inherited_used);
	if (r < 0) {
		entrance_destroy(e);
		return r;
	}
	*ret = e;
	return 0;
}

void entrance_destroy(struct entrance *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->inherited_used; i++)
		fd_discardp(&e->inherited[i].fd);
	secrets_destroy(e->secrets);
	free(e->rfb_dir);
	explicit_bzero(e->password, sizeof(e->password));
	free(e);
}
