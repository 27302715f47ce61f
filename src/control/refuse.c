/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/refuse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "base/mem.h"
#include "control/describe.h"
#include "control/fields.h"
#include "plane/format.h"
#include "varlink/server.h"

/* All there are: one that is not here cannot be sent, and a test holds them to the interface's text. */
#define ERRORS(X) \
	X(NoSuchDisplay) \
	X(NoSuchViewer) \
	X(DisplayExists) \
	X(DeviceUnsuitable) \
	X(DescriptorUnsuitable) \
	X(LeaseRequired) \
	X(AddressUnavailable) \
	X(FormatUnsupported) \
	X(NotLive) \
	X(NoSuchInput) \
	X(LimitReached) \
	X(Unavailable) \
	X(ShuttingDown)

#define NUMBER(name) NUMBER_##name,
#define NAME(name)   #name,
#define ERROR(name)  ((void)NUMBER_##name, "org.vfiodisplay.Display." #name)

enum { ERRORS(NUMBER) };

static const char *const errors[] = {ERRORS(NAME)};

const char *refuse_error(size_t n)
{
	return n < ARRAY_SIZE(errors) ? errors[n] : NULL;
}

void refuse_request(struct varlink_call *call, const struct fields_reader *reader, int error)
{
	if (error == -EBADF)
		refuse_descriptor(call, reader->bad_index, "did not come with this message");
	else if (error == -EINVAL)
		varlink_invalid_parameter(call, reader->path);
	else
		refuse_unavailable(call, "out of memory");
}

static void refuse_name(
	struct varlink_call *call, const char *error, const char *field, const char *name)
{
	varlink_error(
		call, error, name && name[0] ? json_pack("{s:s}", field, name) : json_object());
}

void refuse_no_such_display(struct varlink_call *call, const char *id)
{
	refuse_name(call, ERROR(NoSuchDisplay), "id", id);
}

void refuse_no_such_viewer(struct varlink_call *call, const char *viewer)
{
	refuse_name(call, ERROR(NoSuchViewer), "viewer", viewer);
}

void refuse_display_exists(struct varlink_call *call, const char *id)
{
	refuse_name(call, ERROR(DisplayExists), "id", id);
}

void refuse_device(struct varlink_call *call, const char *reason)
{
	varlink_error(call, ERROR(DeviceUnsuitable), json_pack("{s:s}", "reason", reason));
}

void refuse_descriptor(struct varlink_call *call, json_int_t index, const char *reason)
{
	varlink_error(call, ERROR(DescriptorUnsuitable),
		json_pack("{s:I, s:s}", "index", index, "reason", reason));
}

void refuse_lease_required(struct varlink_call *call)
{
	varlink_error(call, ERROR(LeaseRequired), NULL);
}

void refuse_address(struct varlink_call *call, const char *address, const char *reason)
{
	varlink_error(call, ERROR(AddressUnavailable),
		json_pack("{s:s, s:s}", "address", address, "reason", reason));
}

void refuse_format(struct varlink_call *call, uint32_t fourcc, uint64_t modifier)
{
	char format[16], text[24], name[64];

	varlink_error(call, ERROR(FormatUnsupported),
		json_pack("{s:s, s:s, s:s}", "format", format_name(fourcc, format), "modifier",
			describe_modifier(modifier, text), "modifierName",
			modifier_name(modifier, name)));
}

void refuse_not_live(struct varlink_call *call, const char *id, enum display_state state)
{
	varlink_error(call, ERROR(NotLive),
		json_pack("{s:s, s:s}", "id", id, "state", display_state_word(state)));
}

bool refuse_ending(struct varlink_call *call, struct display *display)
{
	struct display_runtime runtime;

	display_runtime(display, &runtime);
	if (!display_state_ends(runtime.state))
		return false;
	refuse_not_live(call, display_context(display)->id, runtime.state);
	return true;
}

void refuse_no_input(struct varlink_call *call, const char *id, const char *kind)
{
	varlink_error(call, ERROR(NoSuchInput), json_pack("{s:s, s:s}", "id", id, "kind", kind));
}

void refuse_limit(struct varlink_call *call, const char *limit, json_int_t value)
{
	varlink_error(
		call, ERROR(LimitReached), json_pack("{s:s, s:I}", "limit", limit, "value", value));
}

void refuse_unavailable(struct varlink_call *call, const char *reason)
{
	varlink_error(call, ERROR(Unavailable), json_pack("{s:s}", "reason", reason));
}

void refuse_shutting_down(struct varlink_call *call)
{
	varlink_error(call, ERROR(ShuttingDown), NULL);
}

/* What to do is said to the caller, who may be the one that can. */
static char *advice(const struct varlink_peer *peer, const char *id, enum right right)
{
	const char *name = right_name(right);
	char *text;
	int r;

	if (peer->monitor && right != RIGHT_OBSERVE)
		return strdup("this socket is for those who observe: use the control socket");
	r = asprintf(&text,
		"uid %u has not the right \"%s\"%s%s; %sroot can give it by a line \"allow %s "
		"uid=%u%s%s\" in the policy, see vfio-displayd-policy(5)",
		(unsigned int)peer->uid, name, id ? " on " : "", id ? id : "",
		right == RIGHT_MANAGE || right == RIGHT_TICKET
			? "who registered the display has it, and "
			: "",
		name, (unsigned int)peer->uid, id ? " id=" : "", id ? id : "");
	return r < 0 ? NULL : text;
}

void refuse_permission(
	struct varlink_call *call, const char *id, enum right right, const char *reason)
{
	const struct varlink_peer *peer = varlink_call_peer(call);
	_cleanup_free_ char *text = reason ? strdup(reason) : advice(peer, id, right);

	audit(AUDIT_DENIED,
		&(struct audit){.display = id, .right = right, .peer = peer, .reason = text},
		"refused to uid %u, pid %d: %s (%s)", (unsigned int)peer->uid, (int)peer->pid,
		right_name(right), reason ? reason : "no right");
	varlink_error(call, "org.varlink.service.PermissionDenied",
		json_pack("{s:s, s:s*}", "right", right_name(right), "reason", text));
}

void refuse_needs_more(struct varlink_call *call)
{
	varlink_error(call, "org.varlink.service.ExpectedMore", NULL);
}

void reply_or_refuse(struct varlink_call *call, json_t *parameters)
{
	if (parameters)
		varlink_reply(call, parameters);
	else
		refuse_unavailable(call, "out of memory");
}
