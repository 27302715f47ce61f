/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The methods against a manager, displays, walls and calls made of paper. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#include "base/config.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/shared.h"
#include "bulletin.h"
#include "control/control.h"
#include "control/describe.h"
#include "control/methods.h"
#include "control/request.h"
#include "control/table.h"
#include "frame/wall.h"
#include "input/inputs.h"
#include "input/sink.h"
#include "credentials.h"
#include "interface.h"
#include "dump.h"
#include "exposition.h"
#include "manager.h"
#include "rights.h"
#include "ticket.h"
#include "varlink/server.h"

#define ERROR(name) "org.vfiodisplay.Display." name
#define OTHER_UID   (geteuid() + 4711)

/* ---- Calls ---- */

struct varlink_call {
	const char *method; /* the last one */
	struct varlink_peer peer;
	bool more, ended;
	int fds[16], out[16];
	size_t fds_used, out_used;
	void (*gone)(void *arg);
	void *gone_arg;
	size_t room; /* for so many replies it is ready */
	void (*ready)(void *arg);
	void *ready_arg;
	json_t *replies; /* array of {error, parameters, continues} */
};

static void call_reply(
	struct varlink_call *call, const char *error, json_t *parameters, bool continues)
{
	bool to_nobody = !parameters && call->gone;

	if (!parameters)
		parameters = json_object();
	/* What the interface does not say would be a broken promise. */
	if (!to_nobody)
		interface_expect_reply(call->method, error, parameters);
	assert_false(call->ended);
	call->ended = !continues;
	json_array_append_new(
		call->replies, json_pack("{s:s*, s:o, s:b}", "error", error, "parameters",
				       parameters, "continues", continues));
}

bool varlink_call_more(const struct varlink_call *call)
{
	return call->more;
}

const struct varlink_peer *varlink_call_peer(const struct varlink_call *call)
{
	return &call->peer;
}

int varlink_call_take_fd(struct varlink_call *call, json_int_t index)
{
	if (index < 0 || index >= (json_int_t)call->fds_used)
		return -EBADF;
	return take_fd(&call->fds[index]);
}

int varlink_call_socket(const struct varlink_call *call)
{
	return -EBADF;
}

void varlink_call_abandon(struct varlink_call *call)
{
	fail_msg("a call was abandoned");
}

int varlink_server_resume(struct varlink_server *server, int fd, struct varlink_call **ret)
{
	return -ENOTSUP;
}

int varlink_call_push_fd(struct varlink_call *call, int fd)
{
	call->out[call->out_used] = fd;
	return (int)call->out_used++;
}

void varlink_call_on_gone(struct varlink_call *call, void (*fn)(void *arg), void *arg)
{
	call->gone = fn;
	call->gone_arg = arg;
}

void varlink_reply(struct varlink_call *call, json_t *parameters)
{
	call_reply(call, NULL, parameters, false);
}

int varlink_reply_continues(struct varlink_call *call, json_t *parameters)
{
	assert_true(call->more);
	call_reply(call, NULL, parameters, true);
	return 0;
}

bool varlink_call_ready(const struct varlink_call *call)
{
	return json_array_size(call->replies) < call->room;
}

void varlink_call_on_ready(struct varlink_call *call, void (*fn)(void *arg), void *arg)
{
	call->ready = fn;
	call->ready_arg = arg;
}

int varlink_text_create(const char *json, struct shared **ret)
{
	*ret = shared_create(json, strlen(json), "", 1);
	return *ret ? 0 : -ENOMEM;
}

int varlink_push_text(struct varlink_call *call, struct shared *text)
{
	return varlink_reply_continues(call, json_loads(text->bytes, 0, NULL));
}

void varlink_flush(struct varlink_call *call)
{
}

void varlink_reply_text(struct varlink_call *call, struct shared *text)
{
	call->gone = NULL;
	varlink_reply(call, json_loads(text->bytes, 0, NULL));
}

void varlink_error(struct varlink_call *call, const char *error, json_t *parameters)
{
	call_reply(call, error, parameters, false);
}

void varlink_invalid_parameter(struct varlink_call *call, const char *parameter)
{
	varlink_error(call, "org.varlink.service.InvalidParameter",
		json_pack("{s:s}", "parameter", parameter));
}

int varlink_server_add(
	struct varlink_server *server, const struct varlink_interface *interface, void *arg)
{
	return 0;
}

/* ---- Walls, displays, manager ---- */

struct wall {
	struct wall_viewer viewers[4];
	size_t viewers_used;
	int attached; /* the socket of the last wall_attach() */
	int error;    /* what it returns */
	char label[LIMIT_LABEL_CHARS + 1];
};

size_t wall_endpoints(const struct wall *wall, const char **ret, size_t max)
{
	ret[0] = "unix:/run/vfio-displayd/rfb/vm1";
	return 1;
}

size_t wall_viewers(const struct wall *wall, const struct wall_viewer **ret)
{
	*ret = wall->viewers;
	return wall->viewers_used;
}

int wall_attach(struct wall *wall, int fd, enum link_mode mode, const char *label, const char *peer,
	char ret_name[24])
{
	if (wall->error) {
		fd_close(fd);
		return wall->error;
	}
	wall->attached = fd;
	snprintf(wall->label, sizeof(wall->label), "%s", label);
	strcpy(ret_name, "v7");
	return 0;
}

int wall_detach(struct wall *wall, const char *name, const char *reason)
{
	for (size_t i = 0; i < wall->viewers_used; i++)
		if (strcmp(wall->viewers[i].name, name) == 0)
			return 0;
	return -ENOENT;
}

struct display {
	struct handover handover;
	struct display_runtime runtime;
	unsigned int glances;
	struct wall wall;
	struct {
		display_done_fn fn;
		void *arg;
	} on_end[4];
	int released; /* enum display_state, -1: not */
	display_snapshot_fn snapshot;
	void *snapshot_arg;
	int snapshot_error; /* of display_snapshot() */
	display_power_fn power;
	void *power_arg;
	struct inputs inputs;
	struct hands *hands;
	struct typists *typists;
};

struct inputs *display_inputs(struct display *display)
{
	return &display->inputs;
}

struct typists *display_typists(struct display *display)
{
	return display->typists;
}

const char *display_layout_in_use(const struct display *display, const char **ret_why)
{
	*ret_why = strcmp(display->handover.context.layout, "nosuch") == 0 ? "there is none" : NULL;
	return "us";
}

/* Who waits for a layout, where `wanted`. */
static struct {
	bool wanted;
	layouts_fn fn;
	void *arg;
} waiting;

int display_want_layout(struct display *display, const char *name, layouts_fn fn, void *arg,
	struct layout_wish **ret)
{
	if (name && strcmp(name, "nosuch") == 0)
		fn(arg, NULL, -ENOENT);
	else if (name && strcmp(name, "many") == 0)
		fn(arg, NULL, -ENOSPC);
	else if (!waiting.wanted)
		return layouts_want(NULL, "us", fn, arg, ret);
	waiting.fn = fn;
	waiting.arg = arg;
	return 0;
}

int display_set_inputs(struct display *display, struct handover_input *inputs, size_t n)
{
	return inputs_set(&display->inputs, inputs, n);
}

int display_on_power(struct display *display, display_power_fn fn, void *arg)
{
	display->power = fn;
	display->power_arg = arg;
	return 0;
}

void display_off_power(struct display *display, display_power_fn fn, void *arg)
{
	if (display->power == fn && display->power_arg == arg)
		display->power = NULL;
}

void display_update(struct display *display, struct context *context)
{
	context_finish(&display->handover.context);
	display->handover.context = *context;
	context->labels_used = 0;
}

bool display_is_left(const struct display *display)
{
	return false;
}

void display_answered(struct display *display)
{
}

void display_call_gone(struct display *display)
{
}

bool display_is_ghost(const struct display *display)
{
	return false;
}

const struct context *display_context(const struct display *display)
{
	return &display->handover.context;
}

const struct handover *display_registrant(const struct display *display)
{
	return &display->handover;
}

void display_runtime(struct display *display, struct display_runtime *ret)
{
	*ret = display->runtime;
}

void display_glance(struct display *display)
{
	display->glances++;
}

struct wall *display_wall(struct display *display)
{
	return &display->wall;
}

int display_on_end(struct display *display, display_done_fn fn, void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(display->on_end); i++) {
		if (display->on_end[i].fn)
			continue;
		display->on_end[i].fn = fn;
		display->on_end[i].arg = arg;
		return 0;
	}
	return -ENOMEM;
}

void display_off_end(struct display *display, display_done_fn fn, void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(display->on_end); i++)
		if (display->on_end[i].fn == fn && display->on_end[i].arg == arg)
			display->on_end[i].fn = NULL;
}

static void display_ends(struct display *display)
{
	for (size_t i = 0; i < ARRAY_SIZE(display->on_end); i++) {
		display_done_fn fn = take_ptr(display->on_end[i].fn);

		if (fn)
			fn(display->on_end[i].arg);
	}
}

void display_release(
	struct display *display, enum display_state why, display_done_fn done, void *arg)
{
	display->released = (int)why;
	display->runtime.state = why;
}

int display_snapshot(struct display *display, display_snapshot_fn fn, void *arg)
{
	if (display->snapshot_error)
		return display->snapshot_error;
	display->snapshot = fn;
	display->snapshot_arg = arg;
	return 0;
}

struct manager {
	struct loop *loop;
	struct config config;
	struct rights *rights;
	struct display displays[3];
	size_t displays_used;
	/* What manager_register() does. */
	int result, index;
	const char *reason;
	struct handover handover; /* what it was given, without descriptors */
	display_ready_fn ready;
	void *ready_arg;
	/* The last ticket, and what credentials_issue() returns. */
	struct ticket_grant grant;
	uint32_t seconds;
	int issue_error;
	/* manager_reload(). */
	int reload_result;
	unsigned int reloads;
};

int manager_reload(struct manager *manager, char **ret_error)
{
	manager->reloads++;
	*ret_error = manager->reload_result < 0 ? strdup("key /k: is empty") : NULL;
	return manager->reload_result;
}

void manager_log_level(struct manager *m, enum log_level level)
{
	log_set_level(level);
}

bool manager_leaves(const struct manager *manager)
{
	return false;
}

/* The manager itself. */
struct credentials *manager_credentials(struct manager *manager)
{
	return (struct credentials *)manager;
}

int credentials_issue(struct credentials *credentials, const struct ticket_grant *grant,
	uint32_t seconds, char *ret_text, size_t size)
{
	struct manager *manager = (struct manager *)credentials;

	assert_true(size > TICKET_CHARS);
	manager->grant = *grant;
	manager->seconds = seconds;
	if (!manager->issue_error)
		strcpy(ret_text, "abcdefghijkmnpqrstuv");
	return manager->issue_error;
}

int manager_register(struct manager *manager, struct handover *handover, display_ready_fn ready,
	void *arg, const char **ret_reason, int *ret_index)
{
	if (!handover->context.id[0])
		strcpy(handover->context.id, "display-1");
	*ret_reason = manager->reason;
	*ret_index = manager->index;
	manager->ready = ready;
	manager->ready_arg = arg;
	manager->handover = *handover;
	manager->handover.context.labels_used = 0;
	handover_finish(handover);
	return manager->result;
}

struct display *manager_find(struct manager *manager, const char *id)
{
	for (size_t i = 0; i < manager->displays_used; i++)
		if (strcmp(manager->displays[i].handover.context.id, id) == 0)
			return &manager->displays[i];
	return NULL;
}

struct display *manager_next(struct manager *manager, struct display *after)
{
	size_t next = after ? (size_t)(after - manager->displays) + 1 : 0;

	return next < manager->displays_used ? &manager->displays[next] : NULL;
}

struct display *manager_after(struct manager *manager, uint64_t *number)
{
	return *number < manager->displays_used ? &manager->displays[(*number)++] : NULL;
}

struct display *manager_find_viewer(struct manager *manager, const char *viewer)
{
	for (size_t i = 0; i < manager->displays_used; i++)
		for (size_t j = 0; j < manager->displays[i].wall.viewers_used; j++)
			if (strcmp(manager->displays[i].wall.viewers[j].name, viewer) == 0)
				return &manager->displays[i];
	return NULL;
}

/* What the texts say is tested with a daemon; here they say for whom they were made. */
int exposition_text(struct manager *manager, bool classic, char **ret_text, size_t *ret_size)
{
	*ret_text = strdup(classic ? "classic" : "open");
	*ret_size = strlen(*ret_text);
	return 0;
}

int dump_text(struct manager *manager, const char *id, bool (*may)(void *arg, const char *id),
	void *arg, char **ret_text, size_t *ret_size)
{
	FILE *out = open_memstream(ret_text, ret_size);

	for (size_t i = 0; i < manager->displays_used; i++) {
		const char *name = manager->displays[i].handover.context.id;

		if ((!id || strcmp(id, name) == 0) && may(arg, name))
			fprintf(out, "%s;", name);
	}
	fclose(out);
	return 0;
}

const char *display_change_name(enum display_change change)
{
	static const char *const names[] = {"eventfd", "interrupt", "timer", "idle"};

	return names[change];
}

const struct config *manager_config(const struct manager *manager)
{
	return &manager->config;
}

const struct rights *manager_rights(const struct manager *manager)
{
	return manager->rights;
}

struct loop *manager_loop(struct manager *manager)
{
	return manager->loop;
}

/* ---- The scene ---- */

static struct manager manager;
static struct varlink_call call;
static size_t fds_before, fds_at_rest; /* without and with the loop's */

static size_t fds_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static struct display *add_display(const char *id, uid_t uid)
{
	struct display *display = &manager.displays[manager.displays_used++];

	handover_init(&display->handover);
	strcpy(display->handover.context.id, id);
	display->handover.uid = uid;
	display->runtime.state = DISPLAY_LIVE;
	display->released = -1;
	display->wall.attached = -EBADF;
	return display;
}

static void add_viewer(struct display *display, const char *name)
{
	struct wall_viewer *viewer = &display->wall.viewers[display->wall.viewers_used++];

	strcpy(viewer->name, name);
	viewer->mode = LINK_MODE_CONTROL;
	strcpy(viewer->peer, "unix");
}

static void call_begin(bool more, uid_t uid)
{
	call = (struct varlink_call){
		.more = more, .room = 1000, .peer = {.uid = uid, .gid = 7, .pid = 8}};
	call.replies = json_array();
}

static void call_give(int fd)
{
	call.fds[call.fds_used++] = fd;
}

static void call_finish(void)
{
	for (size_t i = 0; i < call.fds_used; i++)
		fd_close(call.fds[i]);
	for (size_t i = 0; i < call.out_used; i++)
		fd_close(call.out[i]);
	call.fds_used = call.out_used = 0;
	json_decref(call.replies);
	call.replies = NULL;
}

typedef void (*method_fn)(struct varlink_call *call, json_t *parameters, void *arg);

/* As a call on the wire would: the caller's right is looked at first. */
static bool call_through(
	const struct varlink_interface *interface, method_fn method, json_t *parameters)
{
	for (size_t i = 0; i < interface->methods_used; i++) {
		if (interface->methods[i].fn != method)
			continue;
		call.method = interface->methods[i].name;
		if (interface->admit(&call, i, parameters, &manager))
			method(&call, parameters, &manager);
		return true;
	}
	return false;
}

static void call_run(method_fn method, const char *parameters)
{
	json_t *json = json_loads(parameters, 0, NULL);

	assert_non_null(json);
	assert_true(call_through(&control_interface, method, json) ||
		    call_through(&upkeep_interface, method, json));
	json_decref(json);
}

/* Parameters of reply @n; its error must be @error. */
static const json_t *reply(size_t n, const char *error)
{
	const json_t *at = json_array_get(call.replies, n);
	const char *got = json_string_value(json_object_get(at, "error"));

	assert_non_null(at);
	if (error)
		assert_string_equal(got ? got : "", error);
	else if (got)
		fail_msg("%s", got);
	return json_object_get(at, "parameters");
}

static const char *text(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));

	return value ? value : "";
}

static int scene_begin(void **state)
{
	fds_before = fds_open();
	memset(&manager, 0, sizeof(manager));
	manager.config.viewers_maximum = 16;
	if (loop_create(&manager.loop) < 0 || rights_create(&manager.rights) < 0)
		return -1;
	fds_at_rest = fds_open();
	return 0;
}

/* Every test ends with as many descriptors as it began with. */
static int scene_end(void **state)
{
	call_finish();
	for (size_t i = 0; i < manager.displays_used; i++) {
		fd_closep(&manager.displays[i].wall.attached);
		context_finish(&manager.displays[i].handover.context);
	}
	rights_destroy(manager.rights);
	loop_destroy(manager.loop);
	return fds_open() == fds_before ? 0 : -1;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, scene_begin, scene_end)

/* ---- Register ---- */

static void give_some(size_t n)
{
	while (n-- > 0)
		call_give(eventfd(0, EFD_CLOEXEC));
}

static void test_register_reads_all(void **state)
{
	struct request_indexes indexes;
	struct fields_reader reader;
	struct handover handover;
	json_t *json;

	call_begin(false, 1);
	give_some(5);
	json = json_loads(
		"{\"context\":{\"id\":\"vm7-0\",\"name\":\"Zwölf\",\"machine\":\"5b1c\",\"head\":2,"
		"\"labels\":{\"owner\":\"ann\"},\"framesPerSecondMaximum\":25,\"viewersMaximum\":3,"
		"\"viewOnly\":false},\"source\":\"vfio\",\"deviceFileDescriptorIndex\":2,"
		"\"renderNodeFileDescriptorIndex\":4,\"displayInterrupt\":true,\"ownsEdid\":true,"
		"\"changeFileDescriptorIndex\":0,\"leaseFileDescriptorIndex\":1,\"listen\":["
		"{\"mode\":\"view\",\"address\":\"127.0.0.1:5900\"},"
		"{\"mode\":\"control\",\"fileDescriptorIndex\":3,\"address\":null}]}",
		0, NULL);
	method_reader(&reader, &call);
	assert_int_equal(request_register(&reader, json, &handover, &indexes), 0);
	json_decref(json);
	assert_string_equal(handover.context.id, "vm7-0");
	assert_string_equal(handover.context.name, "Zwölf");
	assert_string_equal(handover.context.machine, "5b1c");
	assert_true(handover.context.has_head);
	assert_int_equal(handover.context.head, 2);
	assert_int_equal(handover.context.labels_used, 1);
	assert_string_equal(handover.context.labels[0].key, "owner");
	assert_string_equal(handover.context.labels[0].value, "ann");
	assert_int_equal(handover.context.frames_maximum, 25);
	assert_int_equal(handover.context.viewers_maximum, 3);
	assert_int_equal(handover.source, SOURCE_VFIO);
	assert_true(handover.display_interrupt && handover.owns_edid);
	assert_true(handover.device >= 0 && handover.change >= 0 && handover.lease >= 0 &&
		    handover.render >= 0);
	assert_int_equal(handover.listeners_used, 2);
	assert_int_equal(handover.listeners[0].mode, VIEW_MODE_VIEW);
	assert_string_equal(handover.listeners[0].address, "127.0.0.1:5900");
	assert_int_equal(handover.listeners[0].fd, -EBADF);
	assert_int_equal(handover.listeners[1].mode, VIEW_MODE_CONTROL);
	assert_true(handover.listeners[1].fd >= 0);
	assert_int_equal(indexes.at[HANDOVER_DEVICE], 2);
	assert_int_equal(indexes.at[HANDOVER_CHANGE], 0);
	assert_int_equal(indexes.at[HANDOVER_LEASE], 1);
	assert_int_equal(indexes.at[HANDOVER_RENDER], 4);
	assert_int_equal(indexes.at[HANDOVER_LISTENERS], -1);
	assert_int_equal(indexes.at[HANDOVER_LISTENERS + 1], 3);
	handover_finish(&handover);
}

/* What is not asked for is not given leave to, and a surface may say so. */
static void test_leave_is_never_assumed(void **state)
{
	static const char *const texts[] = {
		"{\"deviceFileDescriptorIndex\":0}",
		"{\"deviceFileDescriptorIndex\":0,\"displayInterrupt\":null,\"ownsEdid\":null,"
		"\"renderNodeFileDescriptorIndex\":null}",
		"{\"deviceFileDescriptorIndex\":0,\"source\":\"surface\","
		"\"displayInterrupt\":false,\"ownsEdid\":false}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *json = json_loads(texts[i], 0, NULL);
		struct request_indexes indexes;
		struct fields_reader reader;
		struct handover handover;

		call_begin(false, 1);
		give_some(1);
		method_reader(&reader, &call);
		assert_int_equal(request_register(&reader, json, &handover, &indexes), 0);
		assert_false(handover.display_interrupt || handover.owns_edid);
		assert_int_equal(handover.render, -EBADF);
		assert_int_equal(indexes.at[HANDOVER_RENDER], -1);
		handover_finish(&handover);
		json_decref(json);
		call_finish();
	}
	call_begin(false, 1);
}

static void test_register_names_the_wrong_field(void **state)
{
	static const struct {
		const char *parameters, *path;
	} wrong[] = {
		{"{}", "deviceFileDescriptorIndex"},
		{"{\"deviceFileDescriptorIndex\":\"0\"}", "deviceFileDescriptorIndex"},
		{"{\"deviceFileDescriptorIndex\":-1}", "deviceFileDescriptorIndex"},
		{"{\"deviceFileDescriptorIndex\":0,\"colour\":1}", "colour"},
		{"{\"\":1}", "?"},
		{"{\"deviceFileDescriptorIndex\":0,\"\\u001b[1m\\u00e9\":1}", "?[1m??"},
		{"{\"deviceFileDescriptorIndex\":0,\"leaseFileDescriptorIndex\":0}",
			"leaseFileDescriptorIndex"},
		{"{\"deviceFileDescriptorIndex\":0,\"source\":\"usb\"}", "source"},
		{"{\"deviceFileDescriptorIndex\":0,\"source\":0}", "source"},
		{"{\"deviceFileDescriptorIndex\":0,\"displayInterrupt\":1}", "displayInterrupt"},
		{"{\"deviceFileDescriptorIndex\":0,\"ownsEdid\":\"yes\"}", "ownsEdid"},
		{"{\"deviceFileDescriptorIndex\":0,\"renderNodeFileDescriptorIndex\":0}",
			"renderNodeFileDescriptorIndex"},
		{"{\"deviceFileDescriptorIndex\":0,\"source\":\"surface\","
		 "\"displayInterrupt\":true}",
			"displayInterrupt"},
		{"{\"deviceFileDescriptorIndex\":0,\"source\":\"surface\",\"ownsEdid\":true}",
			"ownsEdid"},
		{"{\"deviceFileDescriptorIndex\":0,\"source\":\"surface\","
		 "\"renderNodeFileDescriptorIndex\":1}",
			"renderNodeFileDescriptorIndex"},
		{"{\"context\":[]}", "context"},
		{"{\"context\":{\"id\":\"\"}}", "context.id"},
		{"{\"context\":{\"id\":\"..\"}}", "context.id"},
		{"{\"context\":{\"id\":\"a/b\"}}", "context.id"},
		{"{\"context\":{\"id\":7}}", "context.id"},
		{"{\"context\":{\"id\":\"0123456789012345678901234567890123456789012345678901234567"
		 "8901234\"}}",
			"context.id"},
		{"{\"context\":{\"name\":\"a\\nb\"}}", "context.name"},
		{"{\"context\":{\"name\":\"\"}}", "context.name"},
		{"{\"context\":{\"name\":\"a\\u009bb\"}}", "context.name"},
		{"{\"context\":{\"head\":-1}}", "context.head"},
		{"{\"context\":{\"keyboardLayout\":\"../us\"}}", "context.keyboardLayout"},
		{"{\"context\":{\"keyboardLayout\":\"us,de\"}}", "context.keyboardLayout"},
		{"{\"context\":{\"keyboardLayout\":\"\"}}", "context.keyboardLayout"},
		{"{\"context\":{\"inputExclusiveSeconds\":3601}}", "context.inputExclusiveSeconds"},
		{"{\"context\":{\"inputExclusiveSeconds\":-1}}", "context.inputExclusiveSeconds"},
		{"{\"context\":{\"head\":1.5}}", "context.head"},
		{"{\"context\":{\"labels\":[]}}", "context.labels"},
		{"{\"context\":{\"labels\":{\"a\":1}}}", "context.labels.a"},
		{"{\"context\":{\"labels\":{\"\":\"x\"}}}", "context.labels.?"},
		{"{\"context\":{\"framesPerSecondMaximum\":0}}", "context.framesPerSecondMaximum"},
		{"{\"context\":{\"framesPerSecondMaximum\":241}}",
			"context.framesPerSecondMaximum"},
		{"{\"context\":{\"viewersMaximum\":129}}", "context.viewersMaximum"},
		{"{\"context\":{\"viewersMaximum\":4294967297}}", "context.viewersMaximum"},
		{"{\"context\":{\"viewOnly\":1}}", "context.viewOnly"},
		{"{\"context\":{\"shape\":1}}", "context.shape"},
		{"{\"deviceFileDescriptorIndex\":0,\"listen\":{}}", "listen"},
		{"{\"deviceFileDescriptorIndex\":0,\"listen\":[1]}", "listen[0]"},
		{"{\"deviceFileDescriptorIndex\":0,\"listen\":[{\"address\":\"x\"}]}",
			"listen[0].mode"},
		{"{\"deviceFileDescriptorIndex\":0,\"listen\":[{\"mode\":\"view\"}]}",
			"listen[0].fileDescriptorIndex"},
		{"{\"deviceFileDescriptorIndex\":0,\"listen\":[{\"mode\":\"view\",\"address\":"
		 "\"x\"},"
		 "{\"mode\":\"view\",\"address\":\"x\",\"fileDescriptorIndex\":1}]}",
			"listen[1].address"},
		{"{\"deviceFileDescriptorIndex\":0,\"listen\":[{\"mode\":\"view\","
		 "\"fileDescriptorIndex\":0}]}",
			"listen[0].fileDescriptorIndex"},
		{"{\"deviceFileDescriptorIndex\":0,\"listen\":[0,0,0,0,0,0,0,0,0]}", "listen"},
		{"{\"context\":{\"bytesPerSecondMaximum\":0}}", "context.bytesPerSecondMaximum"},
		{"{\"context\":{\"sharing\":true}}", "context.sharing"},
		{"{\"listen\":[{\"mode\":\"view\",\"address\":\"x\",\"security\":[]}],"
		 "\"deviceFileDescriptorIndex\":0}",
			"listen[0].security"},
		{"{\"listen\":[{\"mode\":\"view\",\"address\":\"x\",\"security\":[\"none\","
		 "\"ssl\"]}],\"deviceFileDescriptorIndex\":0}",
			"listen[0].security[1]"},
		{"{\"listen\":[{\"mode\":\"view\",\"address\":\"x\",\"transports\":\"rfb\"}],"
		 "\"deviceFileDescriptorIndex\":0}",
			"listen[0].transports"},
		{"{\"listen\":[{\"mode\":\"view\",\"address\":\"x\",\"origins\":[\"a b\"]}],"
		 "\"deviceFileDescriptorIndex\":0}",
			"listen[0].origins[0]"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		call_begin(true, 1);
		give_some(2);
		call_run(method_register, wrong[i].parameters);
		assert_string_equal(
			text(reply(0, "org.varlink.service.InvalidParameter"), "parameter"),
			wrong[i].path);
		call_finish();
		assert_int_equal(fds_open(), fds_at_rest);
	}
	assert_null(manager.ready);
	call_begin(false, 1);
}

static void test_register_needs_its_descriptors(void **state)
{
	static const json_int_t missing[] = {1, 15, 16, 40, INT64_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(missing); i++) {
		char parameters[128];
		const json_t *got;

		snprintf(parameters, sizeof(parameters),
			"{\"deviceFileDescriptorIndex\":0,\"changeFileDescriptorIndex\":"
			"%" JSON_INTEGER_FORMAT "}",
			missing[i]);
		call_begin(true, 1);
		give_some(1);
		call_run(method_register, parameters);
		got = reply(0, ERROR("DescriptorUnsuitable"));
		assert_int_equal(json_integer_value(json_object_get(got, "index")), missing[i]);
		call_finish();
	}
	call_begin(false, 1);
}

static void test_labels_are_bounded(void **state)
{
	json_t *labels = json_object(), *parameters;
	char *dump;

	for (int i = 0; i < LIMIT_LABELS + 1; i++) {
		char key[16];

		snprintf(key, sizeof(key), "key%d", i);
		json_object_set_new(labels, key, json_string("v"));
	}
	parameters = json_pack(
		"{s:i, s:{s:o}}", "deviceFileDescriptorIndex", 0, "context", "labels", labels);
	dump = json_dumps(parameters, 0);
	call_begin(true, 1);
	give_some(1);
	call_run(method_register, dump);
	assert_string_equal(text(reply(0, "org.varlink.service.InvalidParameter"), "parameter"),
		"context.labels.key32");
	free(dump);
	json_decref(parameters);
}

static void test_register_needs_a_lease(void **state)
{
	call_begin(false, 1);
	give_some(1);
	call_run(method_register, "{\"deviceFileDescriptorIndex\":0}");
	reply(0, ERROR("LeaseRequired"));
	assert_null(manager.ready);
}

static void test_register_with_lease(void **state)
{
	const json_t *got;

	call_begin(false, 77);
	give_some(2);
	call_run(method_register,
		"{\"deviceFileDescriptorIndex\":0,\"leaseFileDescriptorIndex\":1}");
	assert_int_equal(json_array_size(call.replies), 0);
	assert_int_equal(manager.handover.uid, 77);
	assert_int_equal(manager.handover.gid, 7);
	assert_int_equal(manager.handover.pid, 8);
	manager.ready(manager.ready_arg, add_display("display-1", 77), 0, NULL);
	got = reply(0, NULL);
	assert_true(call.ended);
	assert_null(call.gone);
	assert_string_equal(text(got, "id"), "display-1");
	assert_null(json_object_get(got, "event"));
	assert_string_equal(text(json_object_get(got, "runtime"), "state"), "live");
}

static void test_connection_is_the_lease(void **state)
{
	struct display *display;

	call_begin(true, 1);
	give_some(1);
	call_run(method_register, "{\"deviceFileDescriptorIndex\":0}");
	display = add_display("display-1", 1);
	manager.ready(manager.ready_arg, display, 0, NULL);
	assert_string_equal(text(reply(0, NULL), "event"), "registered");
	assert_false(call.ended);
	call.gone(call.gone_arg);
	assert_int_equal(display->released, DISPLAY_LOST);
	assert_true(call.ended);
	display_ends(display);
	assert_int_equal(json_array_size(call.replies), 2);
}

static void test_connection_ends_before_ready(void **state)
{
	struct display *display;

	call_begin(true, 1);
	give_some(1);
	call_run(method_register, "{\"deviceFileDescriptorIndex\":0}");
	display = add_display("display-1", 1);
	call.gone(call.gone_arg);
	assert_int_equal(display->released, DISPLAY_LOST);
	assert_false(call.ended);
	manager.ready(manager.ready_arg, display, -ECANCELED, NULL);
	assert_true(call.ended);
	display_ends(display);
}

static void test_lease_outlives_connection(void **state)
{
	struct display *display;

	call_begin(true, 1);
	give_some(2);
	call_run(method_register,
		"{\"deviceFileDescriptorIndex\":0,\"leaseFileDescriptorIndex\":1}");
	display = add_display("display-1", 1);
	manager.ready(manager.ready_arg, display, 0, NULL);
	call.gone(call.gone_arg);
	assert_true(call.ended);
	assert_int_equal(display->released, -1);
	display_ends(display);
}

static void test_unregistered_is_told(void **state)
{
	struct display *display;
	const json_t *got;

	call_begin(true, 1);
	give_some(1);
	call_run(method_register, "{\"deviceFileDescriptorIndex\":0}");
	display = add_display("display-1", 1);
	manager.ready(manager.ready_arg, display, 0, NULL);
	display_release(display, DISPLAY_DRAINING, NULL, NULL);
	assert_false(call.ended);
	display_ends(display);
	got = reply(1, NULL);
	assert_true(call.ended);
	assert_string_equal(text(got, "event"), "unregistered");
	assert_string_equal(text(json_object_get(got, "runtime"), "state"), "draining");
}

static void test_registered_again(void **state)
{
	struct display *display = add_display("vm1", 1);

	manager.result = 1;
	call_begin(true, 1);
	give_some(1);
	call_run(method_register, "{\"context\":{\"id\":\"vm1\"},\"deviceFileDescriptorIndex\":0}");
	assert_string_equal(text(reply(0, NULL), "event"), "registered");
	/* This connection is no lease: the first registration's counts. */
	call.gone(call.gone_arg);
	assert_int_equal(display->released, -1);
	call_finish();
	display->runtime.state = DISPLAY_LOST;
	call_begin(true, 1);
	give_some(1);
	call_run(method_register, "{\"context\":{\"id\":\"vm1\"},\"deviceFileDescriptorIndex\":0}");
	reply(0, ERROR("Unavailable"));
}

static void test_register_refused(void **state)
{
	static const struct {
		int result, index;
		const char *error, *field, *value;
	} refused[] = {
		{-EEXIST, -1, ERROR("DisplayExists"), "id", "vm1"},
		{-EBUSY, HANDOVER_DEVICE, ERROR("DeviceUnsuitable"), "reason",
			"is registered under another id"},
		{-EBADF, HANDOVER_LEASE, ERROR("DescriptorUnsuitable"), "reason",
			"is not what it should be"},
		{-ENOSPC, -1, ERROR("LimitReached"), "limit", "displays"},
		{-ESHUTDOWN, -1, ERROR("ShuttingDown"), NULL, NULL},
		{-EINVAL, HANDOVER_LISTENERS + 1, "org.varlink.service.InvalidParameter",
			"parameter", "listen[1].address"},
		{-EACCES, HANDOVER_LISTENERS, "org.vfiodisplay.Display.AddressUnavailable", NULL,
			NULL},
		{-EADDRINUSE, HANDOVER_LISTENERS + 1, ERROR("AddressUnavailable"), "address",
			"unix:/b"},
		{-ENOMEM, -1, ERROR("Unavailable"), "reason", "Cannot allocate memory"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		const json_t *got;

		manager.result = refused[i].result;
		manager.index = refused[i].index;
		manager.reason = "";
		call_begin(false, 1);
		give_some(3);
		call_run(method_register,
			"{\"context\":{\"id\":\"vm1\"},\"deviceFileDescriptorIndex\":0,"
			"\"leaseFileDescriptorIndex\":2,\"listen\":[{\"mode\":\"view\",\"address\":"
			"\"127.0.0.1:0\"},{\"mode\":\"view\",\"address\":\"unix:/b\"}]}");
		got = reply(0, refused[i].error);
		if (refused[i].field)
			assert_string_equal(text(got, refused[i].field), refused[i].value);
		if (refused[i].result == -EBADF)
			assert_int_equal(json_integer_value(json_object_get(got, "index")), 2);
		assert_true(call.ended);
		call_finish();
	}
	call_begin(false, 1);
}

static void test_device_refused_later(void **state)
{
	call_begin(true, 1);
	give_some(1);
	call_run(method_register, "{\"deviceFileDescriptorIndex\":0}");
	manager.ready(manager.ready_arg, NULL, -ENOTTY, "has no display");
	assert_string_equal(text(reply(0, ERROR("DeviceUnsuitable")), "reason"), "has no display");
	assert_null(call.gone);
}

/* ---- Unregister, Detach ---- */

static void test_unregister(void **state)
{
	struct display *display = add_display("vm1", OTHER_UID);

	call_begin(false, OTHER_UID);
	call_run(method_unregister, "{\"id\":\"vm1\"}");
	assert_int_equal(display->released, DISPLAY_DRAINING);
	assert_false(call.ended);
	display_ends(display);
	reply(0, NULL);
	assert_true(call.ended);
}

static void test_unregister_belongs_to_owners(void **state)
{
	struct display *display = add_display("vm1", OTHER_UID);
	static const char *const ids[] = {"{\"id\":\"vm1\"}", "{\"id\":\"vm2\"}"};

	/* Everybody may observe, so everybody may learn that there is none. */
	call_begin(false, OTHER_UID + 1);
	call_run(method_unregister, ids[0]);
	assert_string_equal(
		text(reply(0, "org.varlink.service.PermissionDenied"), "right"), "manage");
	call_finish();
	call_begin(false, OTHER_UID + 1);
	call_run(method_unregister, ids[1]);
	reply(0, ERROR("NoSuchDisplay"));
	call_finish();
	assert_int_equal(display->released, -1);
	call_begin(false, OTHER_UID);
	call_run(method_unregister, ids[1]);
	assert_string_equal(text(reply(0, ERROR("NoSuchDisplay")), "id"), "vm2");
	call_finish();
	call_begin(false, geteuid());
	call_run(method_unregister, ids[0]);
	assert_int_equal(display->released, DISPLAY_DRAINING);
	display_ends(display);
}

static void test_detach(void **state)
{
	struct display *display = add_display("vm1", OTHER_UID);

	add_viewer(display, "v1");
	call_begin(false, OTHER_UID + 1);
	call_run(method_detach, "{\"viewer\":\"v1\"}");
	reply(0, "org.varlink.service.PermissionDenied");
	call_finish();
	call_begin(false, OTHER_UID);
	call_run(method_detach, "{\"viewer\":\"v2\"}");
	assert_string_equal(text(reply(0, ERROR("NoSuchViewer")), "viewer"), "v2");
	call_finish();
	call_begin(false, OTHER_UID);
	call_run(method_detach, "{\"viewer\":\"v1\"}");
	reply(0, NULL);
}

/* ---- What is described, as JSON ---- */

static json_t *runtime_json(struct display *display)
{
	struct writer writer;

	writer_init(&writer);
	describe_display_runtime(&writer, NULL, display);
	return writer_json(&writer);
}

static json_t *context_json(const struct context *context)
{
	struct writer writer;

	writer_init(&writer);
	describe_context(&writer, NULL, context);
	return writer_json(&writer);
}

/* ---- List, ListViewers ---- */

static void test_list(void **state)
{
	call_begin(true, 1);
	call_run(method_list, "{}");
	assert_null(json_object_get(reply(0, ERROR("NoSuchDisplay")), "id"));
	call_finish();

	strcpy(add_display("vm1", 1)->handover.context.machine, "m1");
	strcpy(add_display("vm2", 1)->handover.context.machine, "m2");
	strcpy(add_display("vm3", 1)->handover.context.machine, "m1");
	call_begin(true, 1);
	call_run(method_list, "{}");
	assert_int_equal(json_array_size(call.replies), 3);
	assert_string_equal(text(json_object_get(reply(2, NULL), "context"), "id"), "vm3");
	assert_true(call.ended);
	call_finish();

	/* One that reads slowly gets them all the same. */
	call_begin(true, 1);
	call.room = 1;
	call_run(method_list, "{}");
	assert_int_equal(json_array_size(call.replies), 1);
	assert_false(call.ended);
	call.room = 2;
	call.ready(call.ready_arg);
	assert_int_equal(json_array_size(call.replies), 2);
	assert_false(call.ended);
	call.room = 10;
	call.ready(call.ready_arg);
	assert_int_equal(json_array_size(call.replies), 3);
	assert_true(call.ended);
	call_finish();

	/* One that goes away in the middle leaves nothing. */
	call_begin(true, 1);
	call.room = 1;
	call_run(method_list, "{}");
	assert_false(call.ended);
	call.gone(call.gone_arg);
	assert_true(call.ended);
	call_finish();

	call_begin(true, 1);
	call_run(method_list, "{\"machine\":\"m1\"}");
	assert_int_equal(json_array_size(call.replies), 2);
	assert_string_equal(text(json_object_get(reply(1, NULL), "context"), "id"), "vm3");
	call_finish();

	call_begin(false, 1);
	call_run(method_list, "{}");
	reply(0, "org.varlink.service.ExpectedMore");
}

static void test_list_one(void **state)
{
	strcpy(add_display("vm1", 1)->handover.context.machine, "m1");
	call_begin(false, 1);
	call_run(method_list, "{\"id\":\"vm1\"}");
	assert_string_equal(text(json_object_get(reply(0, NULL), "context"), "id"), "vm1");
	call_finish();
	call_begin(false, 1);
	call_run(method_list, "{\"id\":\"vm1\",\"machine\":\"m2\"}");
	assert_string_equal(text(reply(0, ERROR("NoSuchDisplay")), "id"), "vm1");
	call_finish();
	call_begin(false, 1);
	call_run(method_list, "{\"id\":\"vm9\"}");
	assert_string_equal(text(reply(0, ERROR("NoSuchDisplay")), "id"), "vm9");
}

static void test_list_viewers(void **state)
{
	struct display *display = add_display("vm1", 1);
	const json_t *viewer;

	call_begin(true, 1);
	call_run(method_list_viewers, "{\"id\":\"vm1\"}");
	assert_null(json_object_get(reply(0, ERROR("NoSuchViewer")), "viewer"));
	call_finish();
	add_viewer(display, "v1");
	add_viewer(display, "v3");
	add_viewer(add_display("vm2", 1), "v2");
	call_begin(true, 1);
	call_run(method_list_viewers, "{}");
	assert_int_equal(json_array_size(call.replies), 3);
	viewer = json_object_get(reply(2, NULL), "viewer");
	assert_string_equal(text(viewer, "viewer"), "v2");
	assert_string_equal(text(viewer, "id"), "vm2");
	assert_string_equal(text(viewer, "mode"), "control");
	call_finish();
	call_begin(true, 1);
	call_run(method_list_viewers, "{\"id\":\"vm3\"}");
	reply(0, ERROR("NoSuchDisplay"));
}

/* ---- Attach ---- */

static void test_attach_returns_a_socket(void **state)
{
	struct display *display = add_display("vm1", 1);
	const json_t *got;
	char byte = 0;

	call_begin(false, 1);
	call_run(method_attach, "{\"id\":\"vm1\",\"mode\":\"control\",\"label\":\"ann\"}");
	got = reply(0, NULL);
	assert_string_equal(text(got, "viewer"), "v7");
	assert_int_equal(json_integer_value(json_object_get(got, "fileDescriptorIndex")), 0);
	assert_int_equal(call.out_used, 1);
	assert_true(fcntl(call.out[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(display->wall.attached, "x", 1), 1);
	assert_int_equal(read(call.out[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	assert_string_equal(display->wall.label, "ann");
}

static void test_attach_takes_a_socket(void **state)
{
	struct display *display = add_display("vm1", 1);
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	call_begin(false, 1);
	call_give(pair[0]);
	call_run(method_attach, "{\"id\":\"vm1\",\"mode\":\"view\",\"fileDescriptorIndex\":0}");
	assert_null(json_object_get(reply(0, NULL), "fileDescriptorIndex"));
	assert_int_equal(call.out_used, 0);
	assert_int_equal(display->wall.attached, pair[0]);
	close(pair[1]);
}

static void test_attach_refused(void **state)
{
	struct display *display = add_display("vm1", 1);
	const char *vm1 = "{\"id\":\"vm1\",\"mode\":\"view\"}";
	const json_t *got;

	call_begin(false, 1);
	give_some(1);
	call_run(method_attach, "{\"id\":\"vm1\",\"mode\":\"view\",\"fileDescriptorIndex\":0}");
	got = reply(0, ERROR("DescriptorUnsuitable"));
	assert_int_equal(json_integer_value(json_object_get(got, "index")), 0);
	call_finish();

	call_begin(false, 1);
	call_run(method_attach, "{\"id\":\"vm2\",\"mode\":\"view\"}");
	reply(0, ERROR("NoSuchDisplay"));
	call_finish();

	call_begin(false, 1);
	call_run(method_attach, "{\"id\":\"vm1\"}");
	assert_string_equal(
		text(reply(0, "org.varlink.service.InvalidParameter"), "parameter"), "mode");
	call_finish();

	display->wall.error = -ENOSPC;
	call_begin(false, 1);
	call_run(method_attach, vm1);
	got = reply(0, ERROR("LimitReached"));
	assert_string_equal(text(got, "limit"), "viewersMaximum");
	assert_int_equal(json_integer_value(json_object_get(got, "value")), 16);
	call_finish();

	display->wall.error = -EAGAIN;
	call_begin(false, 1);
	call_run(method_attach, vm1);
	reply(0, ERROR("Unavailable"));
	call_finish();

	display->handover.context.view_only = true;
	call_begin(false, 1);
	call_run(method_attach, "{\"id\":\"vm1\",\"mode\":\"control\"}");
	reply(0, "org.varlink.service.PermissionDenied");
	call_finish();

	display->runtime.state = DISPLAY_LOST;
	call_begin(false, 1);
	call_run(method_attach, vm1);
	assert_string_equal(text(reply(0, ERROR("NotLive")), "state"), "lost");
}

/* ---- Capture ---- */

static void test_capture(void **state)
{
	struct snapshot snapshot = {.width = 640, .height = 480, .stride = 2560};
	struct display *display = add_display("vm1", 1);
	const json_t *got;

	snapshot.fd = eventfd(0, EFD_CLOEXEC);
	call_begin(false, 1);
	call_run(method_capture, "{\"id\":\"vm1\"}");
	display->snapshot(display->snapshot_arg, &snapshot, 0);
	got = reply(0, NULL);
	assert_int_equal(json_integer_value(json_object_get(got, "width")), 640);
	assert_int_equal(json_integer_value(json_object_get(got, "height")), 480);
	assert_int_equal(json_integer_value(json_object_get(got, "stride")), 2560);
	assert_string_equal(text(got, "format"), "XRGB8888");
	assert_int_equal(call.out[json_integer_value(json_object_get(got, "fileDescriptorIndex"))],
		snapshot.fd);
}

static void test_capture_refused(void **state)
{
	static const struct {
		int error;
		const char *name;
	} refused[] = {
		{-ENODATA, ERROR("NotLive")},
		{-ETIMEDOUT, ERROR("NotLive")},
		{-ENOTSUP, ERROR("FormatUnsupported")},
		{-ENOMEM, ERROR("Unavailable")},
	};
	struct display *display = add_display("vm1", 1);

	display->runtime.planes[0] = (struct plane){.type = PLANE_PRIMARY,
		.kind = PLANE_DMABUF,
		.fourcc = 0x30335258,
		.modifier = 0x0100000000000002};
	display->runtime.planes_used = 1;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		const json_t *got;

		call_begin(false, 1);
		call_run(method_capture, "{\"id\":\"vm1\"}");
		display->snapshot(display->snapshot_arg, NULL, refused[i].error);
		got = reply(0, refused[i].name);
		if (refused[i].error == -ENOTSUP)
			assert_string_equal(text(got, "modifier"), "0x100000000000002");
		call_finish();
	}
	display->snapshot_error = -EBUSY;
	call_begin(false, 1);
	call_run(method_capture, "{\"id\":\"vm1\"}");
	reply(0, ERROR("Unavailable"));
}

/* ---- describe ---- */

static void test_ticket_is_issued(void **state)
{
	const json_t *got;

	add_display("vm1", 1000);
	call_begin(false, 1000);
	call_run(method_issue_ticket,
		"{\"id\":\"vm1\",\"mode\":\"exclusive\",\"seconds\":7,\"label\":\"ann\"}");
	got = reply(0, NULL);
	assert_string_equal(text(got, "ticket"), "abcdefghijkmnpqrstuv");
	assert_in_range(json_integer_value(json_object_get(got, "expires")), time(NULL) + 5,
		time(NULL) + 7);
	assert_string_equal(manager.grant.id, "vm1");
	assert_string_equal(manager.grant.label, "ann");
	assert_int_equal(manager.grant.mode, LINK_MODE_EXCLUSIVE);
	assert_int_equal(manager.seconds, 7);
	call_finish();
	call_begin(false, 0);
	call_run(method_issue_ticket, "{\"id\":\"vm1\",\"mode\":\"view\"}");
	reply(0, NULL);
	assert_int_equal(manager.grant.mode, LINK_MODE_VIEW);
	assert_string_equal(manager.grant.label, "");
	assert_int_equal(manager.seconds, 60);
}

static void test_ticket_is_refused(void **state)
{
	static const struct {
		const char *parameters, *path;
	} wrong[] = {
		{"{\"mode\":\"view\"}", "id"},
		{"{\"id\":\"vm1\"}", "mode"},
		{"{\"id\":\"vm1\",\"mode\":\"look\"}", "mode"},
		{"{\"id\":\"vm1\",\"mode\":\"view\",\"seconds\":0}", "seconds"},
		{"{\"id\":\"vm1\",\"mode\":\"view\",\"seconds\":3601}", "seconds"},
		{"{\"id\":\"vm1\",\"mode\":\"view\",\"label\":\"\"}", "label"},
		{"{\"id\":\"vm1\",\"mode\":\"view\",\"who\":\"ann\"}", "who"},
	};
	struct display *display = add_display("vm1", OTHER_UID);
	static const char *const ids[] = {
		"{\"id\":\"vm1\",\"mode\":\"view\"}", "{\"id\":\"vm2\",\"mode\":\"view\"}"};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		call_begin(false, 0);
		call_run(method_issue_ticket, wrong[i].parameters);
		assert_string_equal(
			text(reply(0, "org.varlink.service.InvalidParameter"), "parameter"),
			wrong[i].path);
		call_finish();
	}
	call_begin(false, OTHER_UID + 1);
	call_run(method_issue_ticket, ids[0]);
	assert_string_equal(
		text(reply(0, "org.varlink.service.PermissionDenied"), "right"), "ticket");
	call_finish();
	call_begin(false, OTHER_UID);
	call_run(method_issue_ticket, ids[1]);
	assert_string_equal(text(reply(0, ERROR("NoSuchDisplay")), "id"), "vm2");
	call_finish();
	display->handover.context.view_only = true;
	call_begin(false, OTHER_UID);
	call_run(method_issue_ticket, "{\"id\":\"vm1\",\"mode\":\"control\"}");
	reply(0, "org.varlink.service.PermissionDenied");
	call_finish();
	manager.issue_error = -EDQUOT;
	call_begin(false, OTHER_UID);
	call_run(method_issue_ticket, ids[0]);
	assert_string_equal(text(reply(0, ERROR("LimitReached")), "limit"), "ticketsPerDisplay");
	call_finish();
	display->runtime.state = DISPLAY_LOST;
	call_begin(false, OTHER_UID);
	call_run(method_issue_ticket, ids[0]);
	assert_string_equal(text(reply(0, ERROR("NotLive")), "state"), "lost");
	assert_int_equal(manager.seconds, 60);
}

static void test_update_changes_what_it_says(void **state)
{
	struct display *display = add_display("vm1", 1000);
	struct context *context = &display->handover.context;
	const json_t *got;

	strcpy(context->machine, "m");
	context->viewers_maximum = 5;
	context->labels[0] = (struct label){strdup("k"), strdup("v")};
	context->labels_used = 1;
	call_begin(false, 1000);
	call_run(method_update,
		"{\"id\":\"vm1\",\"context\":{\"name\":\"new\",\"sharing\":\"forceShared\","
		"\"framesPerSecondMaximum\":9,\"bytesPerSecondMaximum\":4294967295,"
		"\"id\":\"vm1\",\"machine\":\"m\",\"viewOnly\":false}}");
	got = json_object_get(reply(0, NULL), "context");
	assert_string_equal(text(got, "name"), "new");
	assert_string_equal(text(got, "sharing"), "forceShared");
	assert_string_equal(text(json_object_get(got, "labels"), "k"), "v");
	assert_string_equal(context->name, "new");
	assert_int_equal(context->frames_maximum, 9);
	assert_int_equal(context->bytes_maximum, 4294967295u);
	assert_int_equal(context->viewers_maximum, 5);
	assert_true(context->has_sharing && context->sharing == SHARING_FORCE_SHARED);
	call_finish();
	call_begin(false, 1000);
	call_run(method_update, "{\"id\":\"vm1\",\"context\":{\"labels\":{\"a\":\"b\"}}}");
	reply(0, NULL);
	assert_int_equal(context->labels_used, 1);
	assert_string_equal(context->labels[0].key, "a");
	assert_string_equal(context->name, "new");
	call_finish();
	call_begin(false, 1000);
	call_run(method_update, "{\"id\":\"vm1\",\"context\":{\"labels\":{}}}");
	assert_null(json_object_get(json_object_get(reply(0, NULL), "context"), "labels"));
}

static void test_update_is_refused(void **state)
{
	static const struct {
		const char *parameters, *path;
	} wrong[] = {
		{"{\"id\":\"vm1\"}", "context"},
		{"{\"id\":\"vm1\",\"context\":1}", "context"},
		{"{\"id\":\"vm1\",\"context\":{\"id\":\"vm2\"}}", "context.id"},
		{"{\"id\":\"vm1\",\"context\":{\"head\":1,\"labels\":{\"a\":\"b\"}}}",
			"context.head"},
		{"{\"id\":\"vm1\",\"context\":{\"machine\":\"x\"}}", "context.machine"},
		{"{\"id\":\"vm1\",\"context\":{\"viewOnly\":true}}", "context.viewOnly"},
		{"{\"id\":\"vm1\",\"context\":{\"sharing\":\"always\"}}", "context.sharing"},
		{"{\"id\":\"vm1\",\"context\":{\"labels\":{\"a\":\"b\",\"c\":1}}}",
			"context.labels.c"},
	};

	add_display("vm1", OTHER_UID);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		call_begin(false, OTHER_UID);
		call_run(method_update, wrong[i].parameters);
		assert_string_equal(
			text(reply(0, "org.varlink.service.InvalidParameter"), "parameter"),
			wrong[i].path);
		call_finish();
	}
	call_begin(false, OTHER_UID + 1);
	call_run(method_update, "{\"id\":\"vm1\",\"context\":{\"name\":\"mine\"}}");
	reply(0, "org.varlink.service.PermissionDenied");
	call_finish();
	call_begin(false, OTHER_UID + 1);
	call_run(method_update, "{\"id\":\"vm2\",\"context\":{\"name\":\"mine\"}}");
	reply(0, ERROR("NoSuchDisplay"));
	assert_string_equal(manager.displays[0].handover.context.name, "");
}

static void test_update_of_the_layout(void **state)
{
	static const char fr[] =
		"{\"id\":\"vm1\",\"context\":{\"keyboardLayout\":\"fr\",\"labels\":{\"a\":\"b\"}}}";
	struct display *display = add_display("vm1", 1000);
	struct context *context = &display->handover.context;

	call_begin(false, 1000);
	call_run(method_update,
		"{\"id\":\"vm1\",\"context\":{\"name\":\"new\",\"keyboardLayout\":\"nosuch\"}}");
	assert_string_equal(text(reply(0, "org.varlink.service.InvalidParameter"), "parameter"),
		"context.keyboardLayout");
	assert_string_equal(context->name, "");
	assert_string_equal(context->layout, "");
	call_finish();
	call_begin(false, 1000);
	call_run(method_update, "{\"id\":\"vm1\",\"context\":{\"keyboardLayout\":\"many\"}}");
	assert_non_null(strstr(text(reply(0, ERROR("Unavailable")), "reason"), "too many"));
	call_finish();
	/* One that was there from the beginning may be said again. */
	strcpy(context->layout, "nosuch");
	call_begin(false, 1000);
	call_run(method_update, "{\"id\":\"vm1\",\"context\":{\"keyboardLayout\":\"nosuch\"}}");
	reply(0, NULL);
	call_finish();
	waiting.wanted = true;
	call_begin(false, 1000);
	call_run(method_update, fr);
	assert_int_equal(json_array_size(call.replies), 0);
	waiting.fn(waiting.arg, NULL, 0);
	assert_string_equal(
		text(json_object_get(reply(0, NULL), "context"), "keyboardLayout"), "fr");
	assert_string_equal(context->labels[0].key, "a");
	call_finish();
	strcpy(context->layout, "us");
	call_begin(false, 1000);
	call_run(method_update, fr);
	call.gone(call.gone_arg);
	call_finish();
	assert_string_equal(context->layout, "us");
	waiting.wanted = false;
}

/* The layout that SendKeys waits for comes, or the display ends before. */
static void test_typing_waits(void **state)
{
	static const char keys[] = "{\"id\":\"vm1\",\"text\":\"secret\"}";
	struct display *display = add_display("vm1", 1000);

	waiting.wanted = true;
	call_begin(false, 1000);
	call_run(method_send_keys, keys);
	display->runtime.state = DISPLAY_LOST; /* it lets go of its device */
	waiting.fn(waiting.arg, NULL, 0);
	assert_string_equal(text(reply(0, ERROR("NotLive")), "state"), "lost");
	call_finish();
	display->runtime.state = DISPLAY_LIVE;
	call_begin(false, 1000);
	call_run(method_send_keys, keys);
	/* As if another one had its id by then: nobody types there. */
	display_ends(display);
	reply(0, ERROR("NoSuchDisplay"));
	call_finish();
	call_begin(false, 1000);
	call_run(method_send_keys, keys);
	call.gone(call.gone_arg);
	call_finish();
	for (size_t i = 0; i < ARRAY_SIZE(display->on_end); i++)
		assert_null(display->on_end[i].fn);
	waiting.wanted = false;
}

static void input_lost(void *arg, size_t n, const char *why)
{
}

static void input_leds(void *arg)
{
}

static const struct inputs_events input_events = {.lost = input_lost, .leds = input_leds};

/* The other end of a keyboard that was set. */
static int set_keyboard(struct display *display)
{
	int pair[2];

	inputs_init(&display->inputs, manager.loop, &input_events, display);
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), errno);
	call_begin(false, 1000);
	call_give(pair[0]);
	call_run(method_set_input,
		"{\"id\":\"vm1\",\"input\":[{\"kind\":\"keyboard\",\"fileDescriptorIndex\":0}]}");
	reply(0, NULL);
	call_finish();
	return pair[1];
}

static void test_input_is_set_and_sent(void **state)
{
	struct display *display = add_display("vm1", 1000);
	_cleanup_fd_ int vmm = set_keyboard(display);
	const uint8_t want[] = {1, 0, 30, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	uint8_t bytes[64];
	const json_t *got;
	json_t *runtime;

	call_begin(false, 1000);
	call_run(method_send_input,
		"{\"id\":\"vm1\",\"events\":[{\"type\":1,\"code\":30,\"value\":1}]}");
	assert_int_equal(json_integer_value(json_object_get(reply(0, NULL), "dropped")), 0);
	assert_int_equal(recv(vmm, bytes, sizeof(bytes), MSG_DONTWAIT), sizeof(want));
	assert_memory_equal(bytes, want, sizeof(want));
	call_finish();
	runtime = runtime_json(display);
	got = json_array_get(json_object_get(runtime, "input"), 0);
	assert_string_equal(text(got, "kind"), "keyboard");
	assert_true(json_is_true(json_object_get(got, "connected")));
	assert_int_equal(json_array_size(json_object_get(got, "leds")), 0);
	assert_int_equal(json_integer_value(json_object_get(got, "eventsSent")), 1);
	assert_null(json_object_get(got, "xMaximum"));
	json_decref(runtime);
	/* None takes them away. */
	call_begin(false, 1000);
	call_run(method_set_input, "{\"id\":\"vm1\",\"input\":[]}");
	reply(0, NULL);
	assert_int_equal(display->inputs.used, 0);
}

static void test_input_is_refused(void **state)
{
	static const struct {
		const char *input, *path;
	} wrong[] = {
		{"1", "input"},
		{"[{\"kind\":\"keyboard\"}]", "input[0].fileDescriptorIndex"},
		{"[{\"kind\":\"joystick\",\"fileDescriptorIndex\":0}]", "input[0].kind"},
		{"[{\"kind\":\"touch\",\"fileDescriptorIndex\":0},"
		 "{\"kind\":\"touch\",\"fileDescriptorIndex\":1}]",
			"input[1].kind"},
		{"[{\"kind\":\"touch\",\"fileDescriptorIndex\":0,\"xMaximum\":0}]",
			"input[0].xMaximum"},
		{"[{\"kind\":\"keyboard\",\"fileDescriptorIndex\":0,\"yMaximum\":1}]",
			"input[0].yMaximum"},
	};

	add_display("vm1", 1000);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		char parameters[256];

		snprintf(parameters, sizeof(parameters), "{\"id\":\"vm1\",\"input\":%s}",
			wrong[i].input);
		call_begin(false, 1000);
		call_give(eventfd(0, EFD_CLOEXEC));
		call_give(eventfd(0, EFD_CLOEXEC));
		call_run(method_set_input, parameters);
		assert_string_equal(
			text(reply(0, "org.varlink.service.InvalidParameter"), "parameter"),
			wrong[i].path);
		call_finish();
	}
	call_begin(false, 1000);
	call_give(eventfd(0, EFD_CLOEXEC));
	call_run(method_set_input,
		"{\"id\":\"vm1\",\"input\":[{\"kind\":\"keyboard\",\"fileDescriptorIndex\":0}]}");
	reply(0, ERROR("DescriptorUnsuitable"));
	call_finish();
	call_begin(false, 1000);
	call_run(method_set_input, "{\"id\":\"vm2\",\"input\":[]}");
	reply(0, ERROR("NoSuchDisplay"));
}

static void test_events_are_refused(void **state)
{
	static const struct {
		const char *events, *path;
	} wrong[] = {
		{"[]", "events"},
		{"[{\"type\":1,\"code\":30}]", "events[0].value"},
		{"[{\"type\":1,\"code\":65536,\"value\":1}]", "events[0].code"},
		{"[{\"type\":1,\"code\":30,\"value\":2147483648}]", "events[0].value"},
		{"[{\"type\":1,\"code\":30,\"value\":1},{\"type\":1,\"code\":30,\"value\":3}]",
			"events[1].value"},
		{"[{\"type\":17,\"code\":0,\"value\":1}]", "events[0].type"},
		{"[{\"type\":1,\"code\":704,\"value\":1}]", "events[0].code"},
	};
	struct display *display = add_display("vm1", 1000);
	_cleanup_fd_ int vmm = set_keyboard(display);
	char bytes[8];

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		char parameters[256];

		snprintf(parameters, sizeof(parameters), "{\"id\":\"vm1\",\"events\":%s}",
			wrong[i].events);
		call_begin(false, 1000);
		call_run(method_send_input, parameters);
		assert_string_equal(
			text(reply(0, "org.varlink.service.InvalidParameter"), "parameter"),
			wrong[i].path);
		call_finish();
	}
	call_begin(false, 1000);
	call_run(method_send_input,
		"{\"id\":\"vm1\",\"events\":[{\"type\":3,\"code\":0,\"value\":1}]}");
	assert_string_equal(text(reply(0, ERROR("NoSuchInput")), "kind"), "absolutePointer");
	call_finish();
	display->handover.context.view_only = true;
	call_begin(false, 1000);
	call_run(method_send_input,
		"{\"id\":\"vm1\",\"events\":[{\"type\":1,\"code\":30,\"value\":1}]}");
	reply(0, "org.varlink.service.PermissionDenied");
	assert_int_equal(recv(vmm, bytes, sizeof(bytes), MSG_DONTWAIT), -1);
	inputs_finish(&display->inputs);
}

/* From "registered" on, until the display or the connection ends. */
static void test_power_is_asked_for(void **state)
{
	struct display *display;
	const json_t *got;

	call_begin(true, 1);
	give_some(1);
	call_run(method_register, "{\"deviceFileDescriptorIndex\":0}");
	display = add_display("display-1", 1);
	manager.ready(manager.ready_arg, display, 0, NULL);
	assert_non_null(display->power);
	display->power(display->power_arg, DISPLAY_POWER_REBOOT, "3-1");
	got = reply(1, NULL);
	assert_false(call.ended);
	assert_string_equal(text(got, "id"), "display-1");
	assert_string_equal(text(got, "event"), "powerRequested");
	assert_string_equal(text(got, "action"), "reboot");
	assert_string_equal(text(got, "viewer"), "3-1");
	assert_null(json_object_get(got, "runtime"));
	/* One that does not read keeps its display, whatever viewers wish for. */
	call.room = 2;
	display->power(display->power_arg, DISPLAY_POWER_REBOOT, "3-1");
	assert_int_equal(json_array_size(call.replies), 2);
	display_ends(display);
	assert_true(call.ended);
	assert_null(display->power);
	call_finish();
	call_begin(true, 1);
	give_some(1);
	call_run(method_register, "{\"deviceFileDescriptorIndex\":0}");
	manager.ready(manager.ready_arg, display, 0, NULL);
	assert_non_null(display->power);
	call.gone(call.gone_arg);
	assert_null(display->power);
}

static void test_listeners_say_what_they_offer(void **state)
{
	struct request_indexes indexes;
	struct fields_reader reader;
	struct handover handover;
	json_t *json;

	call_begin(false, 1);
	give_some(1);
	json = json_loads(
		"{\"deviceFileDescriptorIndex\":0,\"listen\":[{\"mode\":\"exclusive\","
		"\"address\":\"[::1]:1\",\"security\":[\"x509Plain\",\"none\",\"rsaAes256\"],"
		"\"transports\":[\"websocket\",\"rfb\"],\"origins\":[\"https://a.example\","
		"\"https://b.example\"]},{\"mode\":\"view\",\"address\":\"[::1]:2\"}]}",
		0, NULL);
	method_reader(&reader, &call);
	assert_int_equal(request_register(&reader, json, &handover, &indexes), 0);
	json_decref(json);
	assert_int_equal(handover.listeners[0].mode, VIEW_MODE_EXCLUSIVE);
	assert_int_equal(handover.listeners[0].security,
		LINK_OFFER_X509_PLAIN | LINK_OFFER_NONE | LINK_OFFER_RSA_AES_256);
	assert_int_equal(
		handover.listeners[0].transports, LINK_TRANSPORT_RFB | LINK_TRANSPORT_WEBSOCKET);
	assert_string_equal(handover.listeners[0].origins, "https://a.example https://b.example");
	assert_int_equal(handover.listeners[1].security, 0);
	assert_int_equal(handover.listeners[1].transports, 0);
	assert_string_equal(handover.listeners[1].origins, "");
	handover_finish(&handover);
}

/* 255 bytes with the spaces between, and not one more. */
static void test_origins_are_bounded(void **state)
{
	char origin[256], parameters[1024];

	memset(origin, 'a', sizeof(origin));
	origin[253] = '\0';
	for (int i = 0; i < 3; i++) {
		snprintf(parameters, sizeof(parameters),
			"{\"deviceFileDescriptorIndex\":0,\"listen\":[{\"mode\":\"view\","
			"\"address\":"
			"\"x\",\"origins\":[\"%s\",\"b\"%s]}]}",
			origin + (i == 2),
			i == 1	 ? ",\"c\""
			: i == 2 ? ",\"d\""
				 : "");
		call_begin(true, 1);
		give_some(1);
		call_run(method_register, parameters);
		if (i)
			assert_string_equal(
				text(reply(0, "org.varlink.service.InvalidParameter"), "parameter"),
				"listen[0].origins[2]");
		else
			assert_int_equal(strlen(manager.handover.listeners[0].origins), 255);
		if (!i)
			manager.ready(manager.ready_arg, NULL, -ECANCELED, NULL);
		call_finish();
	}
	call_begin(true, 1);
}

static void test_context_goes_round(void **state)
{
	struct context context = {.id = "vm1",
		.name = "n",
		.machine = "m",
		.has_head = true,
		.head = 3,
		.frames_maximum = 30,
		.bytes_maximum = 1000000,
		.has_sharing = true,
		.sharing = SHARING_ALLOW_EXCLUSIVE,
		.viewers_maximum = 2,
		.view_only = true,
		.layout = "fr(bepo)",
		.has_input_exclusive = true,
		.input_exclusive_seconds = 7,
		.labels = {{strdup("k"), strdup("v")}},
		.labels_used = 1};
	json_t *described = context_json(&context), *again, *parameters;
	struct request_indexes indexes;
	struct fields_reader reader;
	struct handover handover;

	call_begin(false, 1);
	give_some(1);
	method_reader(&reader, &call);
	parameters = json_pack("{s:i, s:O}", "deviceFileDescriptorIndex", 0, "context", described);
	assert_int_equal(request_register(&reader, parameters, &handover, &indexes), 0);
	again = context_json(&handover.context);
	assert_true(json_equal(described, again));
	assert_int_equal(json_object_size(again), 12);
	assert_true(handover.context.view_only);
	handover_finish(&handover);
	context_finish(&context);
	json_decref(parameters);
	json_decref(described);
	json_decref(again);
}

static void test_runtime_is_described(void **state)
{
	struct display_runtime runtime = {.state = DISPLAY_BLANK,
		.reason = "off",
		.viewers = 4,
		.change = DISPLAY_CHANGE_INTERRUPT,
		.width_maximum = 1920,
		.height_maximum = 1440,
		.lease_is_descriptor = true,
		.frames_captured = 9,
		.planes = {{.type = PLANE_PRIMARY}, {.type = PLANE_CURSOR,
							    .kind = PLANE_REGION,
							    .fourcc = 0x34325258,
							    .width = 64,
							    .height = 32,
							    .stride = 256,
							    .x = -3,
							    .y = 5,
							    .hot_x = 63,
							    .hot_y = 0}},
		.planes_used = 2};
	static const char *const endpoints[] = {"unix:/a\xff"};
	struct handover registrant = {.uid = 4294967294u, .gid = 2, .pid = 3};
	struct writer writer;
	json_t *json, *expected;

	writer_init(&writer);
	describe_runtime(&writer, &runtime, &registrant, endpoints, 1);
	json = writer_json(&writer);
	expected = json_loads(
		"{\"state\":\"blank\",\"stateReason\":\"off\",\"planes\":[{\"type\":\"cursor\","
		"\"source\":\"region\",\"width\":64,\"height\":32,\"stride\":256,"
		"\"format\":\"XRGB8888\",\"modifier\":\"0x0\",\"modifierName\":\"LINEAR\","
		"\"x\":-3,\"y\":5,\"hotSpot\":{\"x\":63,\"y\":0}}],\"viewers\":4,"
		"\"change\":\"interrupt\",\"sizeMaximum\":{\"width\":1920,\"height\":1440},"
		"\"lease\":\"descriptor\","
		"\"registrant\":{\"uid\":4294967294,\"gid\":2,\"pid\":3},"
		"\"endpoints\":[\"unix:/a?\"],\"framesCaptured\":9,\"framesPublished\":0}",
		0, NULL);
	assert_non_null(expected);
	assert_true(json_equal(json, expected));
	json_decref(json);
	json_decref(expected);
	call_begin(false, 1);
}

static json_t *described_plane(struct plane plane)
{
	struct display_runtime runtime = {.planes = {plane}, .planes_used = 1};
	struct handover registrant = {0};
	struct writer writer;
	json_t *json, *got;

	writer_init(&writer);
	describe_runtime(&writer, &runtime, &registrant, NULL, 0);
	json = writer_json(&writer);
	got = json_incref(json_array_get(json_object_get(json, "planes"), 0));

	assert_null(json_object_get(json, "sizeMaximum"));
	json_decref(json);
	assert_non_null(got);
	return got;
}

static void test_plane_is_described(void **state)
{
	struct plane cursor = {.type = PLANE_CURSOR,
		.kind = PLANE_DMABUF,
		.fourcc = 0x34325241,
		.modifier = 0x0100000000000001,
		.width = 64,
		.height = 64};
	static const uint32_t nonsense[] = {64, 65, PLANE_HOT_UNKNOWN};
	json_t *json;

	call_begin(false, 1);
	json = described_plane(cursor);
	assert_string_equal(text(json, "modifier"), "0x100000000000001");
	assert_string_equal(text(json, "modifierName"), "INTEL_X_TILED");
	assert_non_null(json_object_get(json, "hotSpot"));
	json_decref(json);
	for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
		cursor.hot_x = nonsense[i];
		json = described_plane(cursor);
		assert_null(json_object_get(json, "hotSpot"));
		json_decref(json);
	}
	cursor.hot_x = 0;
	cursor.type = PLANE_PRIMARY;
	json = described_plane(cursor);
	assert_null(json_object_get(json, "hotSpot"));
	json_decref(json);
}

/* The text that the reply hands out, which cannot be changed any more. */
static const char *handed_out(char *into, size_t size)
{
	const json_t *parameters = reply(0, NULL);
	int fd = call.out[json_integer_value(json_object_get(parameters, "fileDescriptorIndex"))];
	json_int_t bytes = json_integer_value(json_object_get(parameters, "bytes"));

	assert_in_range(bytes, 0, size - 1);
	assert_int_equal(pread(fd, into, size, 0), bytes);
	into[bytes] = '\0';
	assert_true(pwrite(fd, "x", 1, 0) < 0);
	assert_int_equal(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE, F_SEAL_WRITE);
	return into;
}

static void test_texts_are_handed_out(void **state)
{
	static const struct {
		void (*method)(struct varlink_call *call, json_t *parameters, void *arg);
		const char *parameters, *text;
	} cases[] = {
		{method_get_metrics, "{}", "open"},
		{method_get_metrics, "{\"format\":\"openMetrics\"}", "open"},
		{method_get_metrics, "{\"format\":\"text\"}", "classic"},
		{method_dump, "{}", "vm1;vm2;"},
		{method_dump, "{\"id\":\"vm2\"}", "vm2;"},
	};
	char into[64];

	add_display("vm1", 1);
	add_display("vm2", 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		call_begin(false, 1);
		call_run(cases[i].method, cases[i].parameters);
		assert_string_equal(handed_out(into, sizeof(into)), cases[i].text);
		call_finish();
	}
	call_begin(false, 1);
	call_run(method_dump, "{\"id\":\"vm3\"}");
	reply(0, "org.vfiodisplay.Display.NoSuchDisplay");
	call_finish();
	call_begin(false, 1);
	call_run(method_get_metrics, "{\"format\":\"json\"}");
	assert_string_equal(
		text(reply(0, "org.varlink.service.InvalidParameter"), "parameter"), "format");
}

static void test_capabilities(void **state)
{
	json_t *json = control_capabilities();

	call_begin(false, 1);
	call_run(method_get_capabilities, "{}");
	assert_true(json_equal(reply(0, NULL), json));
	assert_true(json_array_size(json_object_get(json, "capabilities")) > 0);
	json_decref(json);
	call_finish();
	call_begin(false, 1);
	call_run(method_get_capabilities, "{\"all\":true}");
	assert_string_equal(
		text(reply(0, "org.varlink.service.InvalidParameter"), "parameter"), "all");
}

static void test_ping(void **state)
{
	call_begin(false, 4711);
	call_run(method_ping, "{}");
	reply(0, NULL);
	call_finish();
	call_begin(false, 4711);
	call_run(method_ping, "{\"x\":1}");
	reply(0, "org.varlink.service.InvalidParameter");
}

static void test_set_log_level(void **state)
{
	static const struct {
		const char *parameters;
		bool debug, info, notice, warning;
	} levels[] = {
		{"{\"level\":0}", false, false, false, false},
		{"{\"level\":4}", false, false, false, true},
		{"{\"level\":5}", false, false, true, true},
		{"{\"level\":7}", true, true, true, true},
		{"{\"level\":6}", false, true, true, true},
	};
	static const char *const wrong[] = {
		"{}", "{\"level\":8}", "{\"level\":-1}", "{\"level\":\"6\"}"};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		call_begin(false, 0);
		call_run(method_set_log_level, levels[i].parameters);
		reply(0, NULL);
		call_finish();
		assert_int_equal(log_enabled(LOG_LEVEL_DEBUG), levels[i].debug);
		assert_int_equal(log_enabled(LOG_LEVEL_INFO), levels[i].info);
		assert_int_equal(log_enabled(LOG_LEVEL_NOTICE), levels[i].notice);
		assert_int_equal(log_enabled(LOG_LEVEL_WARNING), levels[i].warning);
		assert_true(log_enabled(LOG_LEVEL_ERR));
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		call_begin(false, 0);
		call_run(method_set_log_level, wrong[i]);
		assert_string_equal(
			text(reply(0, "org.varlink.service.InvalidParameter"), "parameter"),
			"level");
		call_finish();
	}
	call_begin(false, 4711);
	call_run(method_set_log_level, "{\"level\":0}");
	reply(0, "org.varlink.service.PermissionDenied");
	assert_true(log_enabled(LOG_LEVEL_INFO));
}

static void test_reload(void **state)
{
	call_begin(false, 4711);
	call_run(method_reload, "{}");
	reply(0, "org.varlink.service.PermissionDenied");
	assert_int_equal(manager.reloads, 0);
	call_finish();
	call_begin(false, 0);
	call_run(method_reload, "{}");
	reply(0, NULL);
	assert_int_equal(manager.reloads, 1);
	call_finish();
	manager.reload_result = -EINVAL;
	call_begin(false, geteuid());
	call_run(method_reload, "{}");
	assert_string_equal(text(reply(0, "org.vfiodisplay.Display.Unavailable"), "reason"),
		"key /k: is empty");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_register_reads_all),
		TEST(test_leave_is_never_assumed),
		TEST(test_register_names_the_wrong_field),
		TEST(test_register_needs_its_descriptors),
		TEST(test_labels_are_bounded),
		TEST(test_register_needs_a_lease),
		TEST(test_register_with_lease),
		TEST(test_connection_is_the_lease),
		TEST(test_connection_ends_before_ready),
		TEST(test_lease_outlives_connection),
		TEST(test_unregistered_is_told),
		TEST(test_registered_again),
		TEST(test_register_refused),
		TEST(test_device_refused_later),
		TEST(test_unregister),
		TEST(test_unregister_belongs_to_owners),
		TEST(test_detach),
		TEST(test_list),
		TEST(test_list_one),
		TEST(test_list_viewers),
		TEST(test_attach_returns_a_socket),
		TEST(test_attach_takes_a_socket),
		TEST(test_attach_refused),
		TEST(test_capture),
		TEST(test_capture_refused),
		TEST(test_ticket_is_issued),
		TEST(test_ticket_is_refused),
		TEST(test_update_changes_what_it_says),
		TEST(test_update_is_refused),
		TEST(test_update_of_the_layout),
		TEST(test_typing_waits),
		TEST(test_power_is_asked_for),
		TEST(test_input_is_set_and_sent),
		TEST(test_input_is_refused),
		TEST(test_events_are_refused),
		TEST(test_listeners_say_what_they_offer),
		TEST(test_origins_are_bounded),
		TEST(test_context_goes_round),
		TEST(test_runtime_is_described),
		TEST(test_plane_is_described),
		cmocka_unit_test(test_display_interface),
		cmocka_unit_test(test_service_interface),
		cmocka_unit_test(test_errors),
		TEST(test_texts_are_handed_out),
		TEST(test_capabilities),
		TEST(test_ping),
		TEST(test_reload),
		TEST(test_set_log_level),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
