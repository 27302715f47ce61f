/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dump.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "display.h"
#include "frame/wall.h"
#include "input/hands.h"
#include "input/inputs.h"
#include "input/sink.h"
#include "manager.h"
#include "plane/format.h"

static const char *const kinds[] = {
	[PLANE_NONE] = "nothing",
	[PLANE_REGION] = "region",
	[PLANE_DMABUF] = "dma-buf",
	[PLANE_SURFACE] = "surface",
};

static void put_planes(FILE *out, const struct display_runtime *runtime)
{
	static const char *const names[] = {"primary", "cursor"};
	char format[16], modifier[64];

	for (size_t i = 0; i < ARRAY_SIZE(runtime->planes) && i < runtime->planes_used; i++) {
		const struct plane *plane = &runtime->planes[i];

		fprintf(out, "  %s plane: %s, %ux%u, %s %s, %u bytes a row, at %d,%d\n", names[i],
			kinds[plane->kind], plane->width, plane->height,
			format_name(plane->fourcc, format),
			modifier_name(plane->modifier, modifier), plane->stride, plane->x,
			plane->y);
	}
	if (!runtime->planes_used)
		fputs("  no plane is on\n", out);
}

static void put_thread(FILE *out, struct display *display, const struct display_runtime *runtime)
{
	struct display_doings doings;

	display_doings(display, &doings);
	fprintf(out, "  registered %" PRIu64 " s ago, lease: %s\n", doings.registered_ms / 1000,
		runtime->lease_is_descriptor ? "a descriptor" : "the connection");
	fprintf(out, "  capture thread: %s; changes by %s\n", doings.thread,
		display_change_name(runtime->change));
	if (doings.call)
		fprintf(out, "  driver: has not answered %s for %" PRIu64 " ms\n", doings.call,
			doings.call_ms);
	else
		fputs("  driver: asked nothing\n", out);
	fprintf(out,
		"  looks: %" PRIu64 " at the whole picture, %" PRIu64 " at a part of it, %" PRIu64
		" at some rows (%" PRIu64 " since), %" PRIu64 " shown, %" PRIu64 " tiles changed\n",
		runtime->frames_captured - runtime->frames_patched, runtime->frames_patched,
		runtime->frames_probed, runtime->probed_since, runtime->frames_published,
		runtime->blocks_damaged);
	fprintf(out, "  viewers: %u in, %u want pictures\n", runtime->viewers, doings.watchers);
}

static void put_wall(FILE *out, const struct wall *wall)
{
	const struct wall_viewer *viewers;
	const char *endpoints[LIMIT_LISTENERS];
	size_t n = wall_viewers(wall, &viewers);

	for (size_t i = 0; i < n; i++) {
		const struct wall_viewer *viewer = &viewers[i];
		const char *mode = link_mode_word(viewer->mode);

		fprintf(out,
			"  viewer %s: %s from %s%s%s, %s, %" PRIu64
			" bytes, %u pictures behind%s\n",
			viewer->name, mode ? mode : "?", viewer->peer, viewer->label[0] ? ", " : "",
			viewer->label,
			viewer->encoding[0] ? viewer->encoding : "nothing encoded yet",
			viewer->bytes_sent, viewer->frames_behind,
			viewer->ready ? "" : ", not in yet");
	}
	n = wall_endpoints(wall, endpoints, ARRAY_SIZE(endpoints));
	for (size_t i = 0; i < n; i++)
		fprintf(out, "  listens at %s\n", endpoints[i]);
}

static void put_inputs(FILE *out, const struct inputs *inputs)
{
	for (size_t i = 0; i < inputs->used; i++) {
		const struct sink *sink = inputs->slots[i]->sink;

		fprintf(out,
			"  %s: %s, %" PRIu64 " events, %" PRIu64 " thrown away, blocked %" PRIu64
			" times\n",
			input_kind_name(inputs->slots[i]->kind.kind),
			sink_connected(sink) ? "connected" : "lost", sink_sent(sink),
			sink_dropped(sink), sink_blocked(sink));
	}
}

/* Not one of the keys, but how many. */
static void put_hands(FILE *out, struct display *display)
{
	struct hands *hands = display_hands(display);
	struct hands_counts counts;

	if (!hands)
		return;
	counts = hands_counts(hands);
	fprintf(out,
		"  keyboard \"%s\": %" PRIu64 " keys that it lacks, %" PRIu64
		" events while another viewer had it, %" PRIu64 " thrown away\n",
		display_layout(display), counts.unknown, counts.refused, counts.dropped);
}

static void put_display(FILE *out, struct display *display)
{
	const struct handover *handover = display_registrant(display);
	const struct context *context = display_context(display);
	struct wall *wall = display_wall(display);
	struct display_runtime runtime;

	display_runtime(display, &runtime);
	fprintf(out, "display %s: %s%s%s\n", context->id, display_state_word(runtime.state),
		runtime.reason[0] ? ", " : "", runtime.reason);
	fprintf(out, "  \"%s\", machine \"%s\", %s of uid %u, gid %u, pid %d\n", context->name,
		context->machine, handover->source == SOURCE_VFIO ? "VFIO device" : "surface",
		(unsigned int)handover->uid, (unsigned int)handover->gid, (int)handover->pid);
	put_planes(out, &runtime);
	put_thread(out, display, &runtime);
	if (wall)
		put_wall(out, wall);
	put_inputs(out, display_inputs(display));
	put_hands(out, display);
}

int dump_text(struct manager *manager, const char *id, bool (*may)(void *arg, const char *id),
	void *arg, char **ret_text, size_t *ret_size)
{
	struct display *display = NULL;
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_size);
	size_t n = 0;
	int r;

	if (!out)
		return -ENOMEM;
	while ((display = manager_next(manager, display))) {
		const char *name = display_context(display)->id;

		if ((id && strcmp(id, name) != 0) || (may && !may(arg, name)))
			continue;
		put_display(out, display);
		n++;
	}
	fprintf(out, "%zu display%s; systemd keeps %u descriptors", n, n == 1 ? "" : "s",
		manager_stored(manager));
	if (manager_untold(manager))
		fprintf(out, ", and has not heard of %u changes yet", manager_untold(manager));
	fputc('\n', out);
	r = ferror(out) ? -ENOMEM : 0;
	if (fclose(out) != 0)
		r = -ENOMEM;
	if (r < 0)
		free(text);
	else
		*ret_text = text;
	return r;
}

void dump_log(struct manager *manager)
{
	_cleanup_free_ char *text = NULL;
	unsigned int lines = 0;
	char *rest = NULL;
	size_t size;

	if (dump_text(manager, NULL, NULL, NULL, &text, &size) < 0) {
		log_err(NULL, "out of memory: no state is written");
		return;
	}
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (lines++ == LIMIT_DUMP_LINES) {
			log_notice(NULL, "more displays than lines: the method Dump has them all");
			return;
		}
		log_notice(NULL, "%s", line);
	}
}
