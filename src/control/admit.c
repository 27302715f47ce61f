/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * What an answer may tell: whether an id is taken is known to those who may observe that id, or register it, and to nobody else. So a
 * caller without the right is told PermissionDenied, and NoSuchDisplay instead only where it is one of those. A viewer's name
 * is made by the daemon and says nothing by itself: one of a display that the caller may not observe does not exist for it.
 */
#include <errno.h>
#include <string.h>

#include "control/methods.h"
#include "control/refuse.h"
#include "control/table.h"
#include "handover/context.h"
#include "manager.h"

_Static_assert(RIGHT_CONTROL - RIGHT_VIEW == VIEW_MODE_CONTROL - VIEW_MODE_VIEW &&
		       RIGHT_EXCLUSIVE - RIGHT_VIEW == VIEW_MODE_EXCLUSIVE - VIEW_MODE_VIEW,
	"one order");

/* "id", or "context.id". NULL: it was left out. -EINVAL: there is something that cannot be it. */
static int parameter(json_t *parameters, const char *path, const char **ret)
{
	const char *dot = strchr(path, '.');
	json_t *object = parameters, *value;
	char name[32];

	if (dot && (size_t)(dot - path) < sizeof(name)) {
		memcpy(name, path, dot - path);
		name[dot - path] = '\0';
		object = json_object_get(parameters, name);
		path = dot + 1;
	}
	value = json_object_get(object, path);
	if (value && !json_is_null(value) && !json_is_string(value))
		return -EINVAL;
	*ret = json_string_value(value);
	return 0;
}

/* A word that is no mode is left to the method to refuse. */
static enum right raise(enum right right, const char *mode)
{
	if (mode && strcmp(mode, "control") == 0)
		return RIGHT_CONTROL;
	if (mode && strcmp(mode, "exclusive") == 0)
		return RIGHT_EXCLUSIVE;
	return right;
}

bool method_may(const struct varlink_call *call, struct manager *manager, enum right right,
	const struct display *display)
{
	return rights_allow(manager_rights(manager), varlink_call_peer(call), right,
		display_context(display)->id, display_registrant(display)->uid);
}

void method_audit(enum audit_kind kind, const struct varlink_call *call,
	const struct display *display, const struct audit *more, const char *what)
{
	const struct varlink_peer *peer = varlink_call_peer(call);
	const struct context *context = display_context(display);
	struct audit fields = more ? *more : (struct audit){0};

	fields.display = context->id;
	fields.machine = context->machine[0] ? context->machine : NULL;
	fields.peer = peer;
	audit(kind, &fields, "%s by uid %u, pid %d%s%s", what, (unsigned int)peer->uid,
		(int)peer->pid, fields.label ? ": " : "", fields.label ? fields.label : "");
}

enum right method_mode_right(enum view_mode mode)
{
	return RIGHT_VIEW + (mode - VIEW_MODE_VIEW);
}

/* By the policy, or as the owner of any. */
static bool may_some(const struct varlink_call *call, struct manager *manager, enum right right)
{
	struct display *display = NULL;

	if (rights_allow_some(manager_rights(manager), varlink_call_peer(call), right))
		return true;
	while ((display = manager_next(manager, display)))
		if (method_may(call, manager, right, display))
			return true;
	return false;
}

static bool admit_viewer(
	struct varlink_call *call, struct manager *manager, enum right right, const char *viewer)
{
	struct display *display = manager_find_viewer(manager, viewer);

	if (display && method_may(call, manager, right, display))
		return true;
	if ((display && method_may(call, manager, RIGHT_OBSERVE, display)) ||
		!may_some(call, manager, right))
		refuse_permission(call, NULL, right, NULL);
	else
		refuse_no_such_viewer(call, viewer);
	return false;
}

static bool admit_id(
	struct varlink_call *call, struct manager *manager, enum right right, const char *id)
{
	const struct rights *rights = manager_rights(manager);
	const struct varlink_peer *peer = varlink_call_peer(call);
	const struct display *display = manager_find(manager, id);

	if (rights_allow(rights, peer, right, id,
		    display ? display_registrant(display)->uid : RIGHTS_NO_OWNER))
		return true;
	if (!display && right != RIGHT_REGISTER &&
		(rights_allow(rights, peer, RIGHT_OBSERVE, id, RIGHTS_NO_OWNER) ||
			rights_allow(rights, peer, RIGHT_REGISTER, id, RIGHTS_NO_OWNER)))
		refuse_no_such_display(call, id);
	else
		refuse_permission(call, id, right, NULL);
	return false;
}

static bool admit_without_id(
	struct varlink_call *call, struct manager *manager, enum right right, bool some)
{
	if (some ? may_some(call, manager, right)
		 : rights_allow(manager_rights(manager), varlink_call_peer(call), right, NULL,
			   RIGHTS_NO_OWNER))
		return true;
	refuse_permission(call, NULL, right, NULL);
	return false;
}

bool control_admit(struct varlink_call *call, const struct control_method *row, json_t *parameters,
	struct manager *manager)
{
	const char *id = NULL, *mode = NULL;
	enum right right = row->right;

	if (row->mode && parameter(parameters, row->mode, &mode) == 0)
		right = raise(right, mode);
	if (row->id && parameter(parameters, row->id, &id) < 0) {
		varlink_invalid_parameter(call, row->id);
		return false;
	}
	if (!id)
		return admit_without_id(call, manager, right, row->id && right != RIGHT_REGISTER);
	if (strcmp(row->id, "viewer") == 0)
		return admit_viewer(call, manager, right, id);
	if (!context_id_valid(id)) {
		varlink_invalid_parameter(call, row->id);
		return false;
	}
	return admit_id(call, manager, right, id);
}
