/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may change about a display while it runs, and what of it the RFB program is told: main thread. */
#include <errno.h>

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"
#include "bulletin.h"
#include "display_internal.h"
#include "frame/wall.h"

_Static_assert((int)SHARING_IGNORE == (int)LINK_SHARING_IGNORE &&
		       (int)CONFIG_SHARED_IGNORE == (int)LINK_SHARING_IGNORE,
	"one set of numbers");
_Static_assert((int)SHARING_ALLOW_EXCLUSIVE == (int)LINK_SHARING_ALLOW_EXCLUSIVE &&
		       (int)CONFIG_SHARED_ALLOW_EXCLUSIVE == (int)LINK_SHARING_ALLOW_EXCLUSIVE,
	"one set of numbers");
_Static_assert((int)SHARING_FORCE_SHARED == (int)LINK_SHARING_FORCE_SHARED &&
		       (int)CONFIG_SHARED_FORCE == (int)LINK_SHARING_FORCE_SHARED,
	"one set of numbers");
_Static_assert((int)DISPLAY_POWER_SHUTDOWN == (int)LINK_POWER_SHUTDOWN &&
		       (int)DISPLAY_POWER_REBOOT == (int)LINK_POWER_REBOOT &&
		       (int)DISPLAY_POWER_RESET == (int)LINK_POWER_RESET,
	"one set of numbers");

struct link_policy amend_policy(const struct display *d)
{
	const struct context *context = &d->handover.context;
	const struct config *config = d->config;

	return (struct link_policy){
		.viewers_maximum = context->viewers_maximum ?: config->viewers_maximum,
		.frames_maximum = context->frames_maximum ?: config->frames_maximum,
		.bytes_maximum = context->bytes_maximum ?: config->bytes_maximum,
		.sharing = context->has_sharing ? context->sharing : config->shared,
		.power = power_heard(&d->power),
		.h264 = config->h264,
	};
}

const char *amend_name(const struct display *d)
{
	const struct context *context = &d->handover.context;

	return context->name[0] ? context->name : context->id;
}

/* Who may do more than a display gives now goes, and may come back for less. */
static void take_control(struct display *d)
{
	const struct wall_viewer *viewers;
	size_t n = wall_viewers(d->wall, &viewers);

	for (size_t i = 0; i < n; i++)
		if (viewers[i].mode > LINK_MODE_VIEW)
			wall_detach(d->wall, viewers[i].name, "this display is view-only now");
}

void amend_tell(struct display *d)
{
	struct link_policy policy = amend_policy(d);

	if (d->ending)
		return;
	wall_policy(d->wall, &policy);
	wall_name(d->wall, amend_name(d));
	if (d->handover.context.view_only)
		take_control(d);
}

void display_renew(struct display *d)
{
	amend_tell(d);
}

int display_on_power(struct display *d, display_power_fn fn, void *arg)
{
	int r = power_add(&d->power, fn, arg);

	if (r == 0)
		amend_tell(d);
	return r;
}

void display_off_power(struct display *d, display_power_fn fn, void *arg)
{
	power_remove(&d->power, fn, arg);
	amend_tell(d);
}

void display_on_check(struct display *d, const uint8_t *challenge, display_check_fn fn, void *arg)
{
	d->check = fn;
	d->check_arg = arg;
	wall_challenge(d->wall, challenge);
}

/* ---- The guest's keyboard and pointers ---- */

static void on_input_lost(void *arg, size_t n, const char *why)
{
	struct display *d = arg;
	const char *kind = input_kind_name(d->inputs.slots[n]->kind.kind);

	log_warn(d->handover.context.id, "its %s is lost: %s", kind, why);
	bulletin_input_lost(d, kind, why);
	hands_lost(d->hands, d->inputs.slots[n]->kind.kind);
	typing_pointer(d);
	if (d->keeper && !d->ending)
		d->keeper->inputs(d->keeper_arg, (int)n);
}

static void on_input_leds(void *arg)
{
	struct display *d = arg;

	hands_leds(d->hands);
	typing_leds(d);
}

static const struct inputs_events inputs_events = {.lost = on_input_lost, .leds = on_input_leds};

int amend_inputs_begin(struct display *d)
{
	int r;

	inputs_init(&d->inputs, d->loop, &inputs_events, d);
	r = hands_create(&d->inputs, &d->hands);
	if (r == 0)
		r = typists_create(d->loop, d->hands, &d->typists);
	return r < 0 ? r : inputs_set(&d->inputs, d->handover.inputs, d->handover.inputs_used);
}

const char *display_layout(const struct display *d)
{
	const char *name = d->handover.context.layout;

	return name[0] ? name : d->config->keyboard_layout ?: "us";
}

const char *display_layout_in_use(const struct display *d, const char **ret_why)
{
	int error = d->layout_error;

	*ret_why = layouts_why(error);
	return error ? "us" : display_layout(d);
}

static void on_layout(void *arg, const struct layout *layout, int error)
{
	struct display *d = arg;
	const char *used, *why;

	d->layout_error = error;
	used = display_layout_in_use(d, &why);
	if (why)
		log_warn(d->handover.context.id, "keyboard layout \"%s\": %s; \"%s\" is used",
			display_layout(d), why, used);
	hands_layout(d->hands, layout);
}

/* What the context says about who types, and on what. */
static void tell_hands(struct display *d)
{
	const struct context *context = &d->handover.context;
	struct layout_wish *old = d->layout_wish;
	uint32_t seconds = context->has_input_exclusive ? context->input_exclusive_seconds
							: d->config->input_exclusive_seconds;

	if (!d->hands)
		return;
	hands_share(d->hands, seconds * 1000);
	hands_layout(d->hands, NULL);
	d->layout_wish = NULL;
	d->layout_error = -EAGAIN;
	if (layouts_want(d->layouts, display_layout(d), on_layout, d, &d->layout_wish) < 0)
		on_layout(d, NULL, -ENOMEM);
	layout_wish_end(old); /* last, so that the same one stays */
}

void display_on_layouts(struct display *d, struct layouts *layouts)
{
	d->layouts = layouts;
	tell_hands(d);
}

/* What viewers hold goes up while there is somebody to tell. */
void amend_inputs_end(struct display *d)
{
	typists_destroy(take_ptr(d->typists));
	hands_destroy(d->hands);
	d->hands = NULL;
	layout_wish_end(take_ptr(d->layout_wish));
	inputs_finish(&d->inputs);
}

int display_want_layout(
	struct display *d, const char *name, layouts_fn fn, void *arg, struct layout_wish **ret)
{
	return layouts_want(d->layouts, name ? name : display_layout(d), fn, arg, ret);
}

struct typists *display_typists(struct display *d)
{
	return d->typists;
}

struct hands *display_hands(struct display *d)
{
	return d->hands;
}

struct inputs *display_inputs(struct display *d)
{
	return &d->inputs;
}

int display_set_inputs(struct display *d, struct handover_input *inputs, size_t n)
{
	int r = d->ending ? -ENODATA : inputs_set(&d->inputs, inputs, n);

	if (r < 0)
		return r;
	hands_replaced(d->hands);
	typing_pointer(d);
	if (d->keeper)
		d->keeper->inputs(d->keeper_arg, -1);
	return 0;
}

void display_update(struct display *d, struct context *context)
{
	context_finish(&d->handover.context);
	d->handover.context = *context;
	context->labels_used = 0;
	if (d->keeper && !d->ending)
		d->keeper->changed(d->keeper_arg);
	amend_tell(d);
	tell_hands(d);
	bulletin_display(BULLETIN_DISPLAY_UPDATED, d);
}
