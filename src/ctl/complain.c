/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/complain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/table.h"

#define INTERFACE	  "org.vfiodisplay.Display."
#define SERVICE_INTERFACE "org.varlink.service."

static void complainv(const char *about, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void complainv(const char *about, const char *format, va_list args)
{
	char line[1024];

	vsnprintf(line, sizeof(line), format, args);
	fputs("vfio-displayctl: ", stderr);
	if (about) {
		text_print(stderr, about[0] ? about : "''");
		fputs(": ", stderr);
	}
	text_print(stderr, line);
	fputc('\n', stderr);
}

void complain(const char *about, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complainv(about, format, args);
	va_end(args);
}

int complain_usage(const char *verb, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complainv(verb, format, args);
	va_end(args);
	return CTL_USAGE;
}

static void say_connect(const char *socket, int error)
{
	struct stat st;

	if (error == -ECONNREFUSED && stat(socket, &st) == 0 && !S_ISSOCK(st.st_mode))
		return complain(socket, "this is no socket; name vfio-displayd's with --socket");
	switch (error) {
	case -ENOENT:
		return complain(socket,
			"no such socket; is vfio-displayd running? Start it with 'systemctl start "
			"vfio-displayd.socket', or name its socket with --socket");
	case -ECONNREFUSED:
		return complain(
			socket, "nobody listens there; vfio-displayd has ended, start it again");
	case -EINVAL:
	case -ENAMETOOLONG:
		return complain(
			socket, "a socket's path has 1 to 107 bytes; name it with --socket");
	case -EACCES:
	case -EPERM:
		return complain(socket, "you may not connect; become a member of the group "
					"vfio-display, or be root");
	}
	complain(socket, "%s", strerror(-error));
}

int complain_connect(const char *socket, int error)
{
	say_connect(socket, error);
	return error == -EACCES || error == -EPERM ? CTL_DENIED
	       : error == -ENOMEM		   ? CTL_FAILED
						   : CTL_NO_DAEMON;
}

static void say_talk(const char *about, int error)
{
	switch (error) {
	case -EPIPE:
	case -ECONNRESET:
		return complain(about, "vfio-displayd closed the connection; its log says why "
				       "('journalctl -u vfio-displayd')");
	case -ETIMEDOUT:
		return complain(about, "vfio-displayd did not answer in time");
	case -EMSGSIZE:
		return complain(about, "that is too much for one message");
	case -ENOMEM:
		return complain(about, "out of memory");
	}
	complain(about, "talking to vfio-displayd: %s", strerror(-error));
}

int complain_talk(const char *about, int error)
{
	say_talk(about, error);
	return error == -EPIPE || error == -ECONNRESET || error == -ETIMEDOUT ? CTL_NO_DAEMON
									      : CTL_FAILED;
}

/* For %s: a text of the error's parameters, or "?". */
static const char *text_of(const json_t *parameters, const char *name)
{
	const char *text = json_string_value(json_object_get(parameters, name));

	return text ? text : "?";
}

static long long number_of(const json_t *parameters, const char *name)
{
	return json_integer_value(json_object_get(parameters, name));
}

static void say_no_display(const char *about, const char *method, const json_t *parameters)
{
	if (json_object_get(parameters, "id"))
		complain(about,
			"there is no such display; 'vfio-displayctl list' shows those that are");
	else
		complain(about, "no display is registered");
}

static void say_display_exists(const char *about, const char *method, const json_t *parameters)
{
	complain(about,
		"another registration has the id '%s'; choose another with --id, or unregister "
		"that one",
		text_of(parameters, "id"));
}

static void say_no_viewer(const char *about, const char *method, const json_t *parameters)
{
	complain(about, "there is no such viewer; 'vfio-displayctl viewers' shows those that are");
}

static void say_device(const char *about, const char *method, const json_t *parameters)
{
	complain(about, "this device cannot be shown: %s", text_of(parameters, "reason"));
}

static void say_descriptor(const char *about, const char *method, const json_t *parameters)
{
	complain(about, "descriptor %lld of the call is not fit: %s",
		number_of(parameters, "index"), text_of(parameters, "reason"));
}

static void say_lease(const char *about, const char *method, const json_t *parameters)
{
	complain(about, "a lease is missing; give one with --lease-fd or --lease-pid");
}

static void say_address(const char *about, const char *method, const json_t *parameters)
{
	complain(about, "cannot listen on %s: %s", text_of(parameters, "address"),
		text_of(parameters, "reason"));
}

static void say_format(const char *about, const char *method, const json_t *parameters)
{
	const char *name = json_string_value(json_object_get(parameters, "modifierName"));

	complain(about, "the picture cannot be read: its format is %s with modifier %s",
		text_of(parameters, "format"), name ? name : text_of(parameters, "modifier"));
}

static void say_not_live(const char *about, const char *method, const json_t *parameters)
{
	if (strcmp(method, "Capture") == 0)
		complain(about,
			"there is no picture now, the display is %s; 'vfio-displayctl describe' "
			"says why",
			text_of(parameters, "state"));
	else
		complain(about, "the display is being released (%s); try again when it is back",
			text_of(parameters, "state"));
}

static void say_limit(const char *about, const char *method, const json_t *parameters)
{
	complain(about, "the limit of %s is reached, it is %lld", text_of(parameters, "limit"),
		number_of(parameters, "value"));
}

static void say_unavailable(const char *about, const char *method, const json_t *parameters)
{
	complain(about, "not now: %s; try again", text_of(parameters, "reason"));
}

static void say_shutting_down(const char *about, const char *method, const json_t *parameters)
{
	complain(about, "vfio-displayd is shutting down; try again when it is back");
}

static void say_permission(const char *about, const char *method, const json_t *parameters)
{
	const char *reason = json_string_value(json_object_get(parameters, "reason"));

	if (reason)
		complain(about, "permission denied: %s", reason);
	else if (strcmp(method, "IssueTicket") == 0)
		complain(about,
			"permission denied: only who registered the display may do that, or root, "
			"and for a display that is view-only with --mode view");
	else if (strcmp(method, "Attach") == 0)
		complain(about, "permission denied: this display is view-only; add --view-only");
	else
		complain(about,
			"permission denied: only who registered the display may do that, or root");
}

/* By the last part of a parameter's path. */
static const struct {
	const char *name, *values;
} accepted[] = {
	{"address", "HOST:PORT, [HOST]:PORT, *:PORT or unix:/PATH"},
	{"bytesPerSecondMaximum", "1 to 4294967295"},
	{"code", "a code of linux/input-event-codes.h that keyboards or pointers have"},
	{"filter", "names of events, such as displayState; 'watch --event' completes them"},
	{"format", "openMetrics or text"},
	{"framesPerSecondMaximum", "1 to 240"},
	{"id", "1 to 64 letters, digits, '.', '_' and '-'"},
	{"inputExclusiveSeconds", "0 to 3600"},
	{"keyboardLayout", "a layout of xkeyboard-config, such as us, de or de(nodeadkeys)"},
	{"keys", "keys such as ctrl-alt-del, super-l, f11, or characters that the display's "
		 "keyboard layout has, and at most 64 of them"},
	{"kind", "keyboard, absolutePointer, relativePointer or touch, each once"},
	{"label", "1 to 128 bytes of text"},
	{"labels", "up to 32, with keys of 1 to 128 bytes and values of up to 128, together 2048"},
	{"machine", "1 to 128 bytes of text"},
	{"mode", "view, control or exclusive"},
	{"name", "1 to 128 bytes of text"},
	{"seconds", "1 to 3600"},
	{"security",
		"none, vncauth, tlsNone, tlsVnc, tlsPlain, x509None, x509Vnc, x509Plain, rsaAes or "
		"rsaAes256"},
	{"sharing", "ignore, allowExclusive or forceShared"},
	{"source", "vfio or surface"},
	{"text", "up to 1024 characters that the display's keyboard layout has, of which the one "
		 "counted there from 0 is none"},
	{"transports", "rfb, websocket or secureWebsocket"},
	{"type", "0 (SYN), 1 (keys), 2 (steps) or 3 (places)"},
	{"viewersMaximum", "1 to 128"},
};

/* NULL: not known here. @path: "listen[1].mode", "filter[0]", "context.labels.KEY". */
static const char *values_of(const char *path)
{
	const char *dot = strrchr(path, '.'), *name = dot ? dot + 1 : path;
	size_t length;

	if (strncmp(path, "context.labels", strlen("context.labels")) == 0)
		name = "labels";
	length = strcspn(name, "[");
	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++)
		if (strlen(accepted[i].name) == length &&
			strncmp(accepted[i].name, name, length) == 0)
			return accepted[i].values;
	return NULL;
}

static void say_invalid(const char *about, const char *method, const json_t *parameters)
{
	const char *parameter = text_of(parameters, "parameter");
	const char *values = values_of(parameter);

	if (values)
		complain(about, "vfio-displayd does not accept '%s'; it may be %s", parameter,
			values);
	else
		complain(about,
			"vfio-displayd does not accept '%s' there; org.vfiodisplay.Display(7) says "
			"what %s takes",
			parameter, method);
}

static void say_no_method(const char *about, const char *method, const json_t *parameters)
{
	complain(about, "this vfio-displayd has no method '%s'", text_of(parameters, "method"));
}

static void say_no_interface(const char *about, const char *method, const json_t *parameters)
{
	complain(about, "this vfio-displayd has no interface '%s'",
		text_of(parameters, "interface"));
}

static void say_more(const char *about, const char *method, const json_t *parameters)
{
	complain(about, "this method has several replies; add --more");
}

static void say_no_input(const char *about, const char *method, const json_t *parameters)
{
	complain(about, "no %s of the guest is connected; 'vfio-displayctl input' gives one",
		text_of(parameters, "kind"));
}

static const struct {
	const char *error;
	int status;
	void (*say)(const char *about, const char *method, const json_t *parameters);
} sentences[] = {
	{INTERFACE "NoSuchDisplay", CTL_NOT_FOUND, say_no_display},
	{INTERFACE "DisplayExists", CTL_EXISTS, say_display_exists},
	{INTERFACE "NoSuchInput", CTL_NOT_FOUND, say_no_input},
	{INTERFACE "NoSuchViewer", CTL_NOT_FOUND, say_no_viewer},
	{INTERFACE "DeviceUnsuitable", CTL_REFUSED, say_device},
	{INTERFACE "DescriptorUnsuitable", CTL_REFUSED, say_descriptor},
	{INTERFACE "LeaseRequired", CTL_REFUSED, say_lease},
	{INTERFACE "AddressUnavailable", CTL_EXISTS, say_address},
	{INTERFACE "FormatUnsupported", CTL_REFUSED, say_format},
	{INTERFACE "NotLive", CTL_NOT_NOW, say_not_live},
	{INTERFACE "LimitReached", CTL_NOT_NOW, say_limit},
	{INTERFACE "Unavailable", CTL_NOT_NOW, say_unavailable},
	{INTERFACE "ShuttingDown", CTL_NOT_NOW, say_shutting_down},
	{SERVICE_INTERFACE "PermissionDenied", CTL_DENIED, say_permission},
	{SERVICE_INTERFACE "InvalidParameter", CTL_REFUSED, say_invalid},
	{SERVICE_INTERFACE "MethodNotFound", CTL_REFUSED, say_no_method},
	{SERVICE_INTERFACE "MethodNotImplemented", CTL_REFUSED, say_no_method},
	{SERVICE_INTERFACE "InterfaceNotFound", CTL_REFUSED, say_no_interface},
	{SERVICE_INTERFACE "ExpectedMore", CTL_REFUSED, say_more},
};

int complain_error(
	const char *about, const char *method, const char *error, const json_t *parameters)
{
	_cleanup_free_ char *dump = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(sentences); i++) {
		if (strcmp(sentences[i].error, error) != 0)
			continue;
		sentences[i].say(about, method, parameters);
		return sentences[i].status;
	}
	dump = json_dumps(parameters, JSON_COMPACT);
	complain(about, "%s: %s %s", method, error, dump ? dump : "");
	return CTL_FAILED;
}
