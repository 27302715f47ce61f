/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * All samples of a family stand together, so what displays say is copied first, once, and each family walks through the copies.
 * Counters of a display begin with its registration; whoever adds them up over displays does it as for any target that restarts.
 */
#include "exposition.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/openmetrics.h"
#include "base/tally.h"
#include "credentials.h"
#include "display.h"
#include "frame/wall.h"
#include "input/inputs.h"
#include "input/sink.h"
#include "manager.h"
#include "plane/format.h"

struct row {
	struct display *display;
	const char *id;
	struct display_runtime runtime;
};

struct sheet {
	struct openmetrics metrics;
	struct manager *manager;
	struct row *rows; /* owned */
	size_t used;
};

static int sheet_fill(struct sheet *sheet)
{
	struct display *display = NULL;
	size_t n = 0;

	while ((display = manager_next(sheet->manager, display)))
		n++;
	sheet->rows = calloc(n ? n : 1, sizeof(*sheet->rows));
	if (!sheet->rows)
		return -ENOMEM;
	while ((display = manager_next(sheet->manager, display))) {
		struct row *row = &sheet->rows[sheet->used];

		row->display = display;
		row->id = display_context(display)->id;
		display_runtime(display, &row->runtime);
		sheet->used++;
	}
	return 0;
}

static void put_states(struct sheet *sheet)
{
	struct openmetrics *m = &sheet->metrics;
	uint64_t counts[DISPLAY_STATES] = {0};

	for (size_t i = 0; i < sheet->used; i++)
		counts[sheet->rows[i].runtime.state]++;
	openmetrics_family(m, "displays", OPENMETRICS_GAUGE, NULL, "Displays, by state.");
	for (size_t i = 0; i < DISPLAY_STATES; i++)
		openmetrics_sample(m, counts[i], "state", display_state_word(i), NULL);
}

static void put_infos(struct sheet *sheet)
{
	struct openmetrics *m = &sheet->metrics;

	openmetrics_family(m, "display", OPENMETRICS_INFO, NULL,
		"What is shown; without a format there is nothing.");
	for (size_t i = 0; i < sheet->used; i++) {
		const struct row *row = &sheet->rows[i];
		const struct plane *plane = &row->runtime.planes[0];
		char format[16] = "", modifier[64] = "";

		if (row->runtime.planes_used) {
			format_name(plane->fourcc, format);
			modifier_name(plane->modifier, modifier);
		}
		openmetrics_sample(m, 1, "id", row->id, "machine",
			display_context(row->display)->machine, "format", format, "modifier",
			modifier, NULL);
	}
}

static uint64_t captured(const struct display_runtime *runtime)
{
	return runtime->frames_captured;
}

static uint64_t probed(const struct display_runtime *runtime)
{
	return runtime->frames_probed;
}

static uint64_t published(const struct display_runtime *runtime)
{
	return runtime->frames_published;
}

static uint64_t damaged(const struct display_runtime *runtime)
{
	return runtime->blocks_damaged;
}

static void put_counts(struct sheet *sheet)
{
	static const struct {
		const char *name, *help;
		uint64_t (*of)(const struct display_runtime *runtime);
	} counts[] = {
		{"frames_captured",
			"Looks that brought the picture up to date, at all of its pixels or a "
			"part.",
			captured},
		{"frames_probed", "Looks at some rows of the picture.", probed},
		{"frames_published", "Pictures that viewers were shown.", published},
		{"damaged_tiles", "Tiles of 16x16 pixels that had changed.", damaged},
	};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		openmetrics_family(
			&sheet->metrics, counts[i].name, OPENMETRICS_COUNTER, NULL, counts[i].help);
		for (size_t n = 0; n < sheet->used; n++)
			openmetrics_sample(&sheet->metrics, counts[i].of(&sheet->rows[n].runtime),
				"id", sheet->rows[n].id, NULL);
	}
}

static void put_changes(struct sheet *sheet)
{
	openmetrics_family(&sheet->metrics, "display_changes", OPENMETRICS_COUNTER, NULL,
		"Looks that found something new, by what says when to look.");
	for (size_t n = 0; n < sheet->used; n++) {
		const struct display_runtime *runtime = &sheet->rows[n].runtime;

		for (int via = 0; via < DISPLAY_CHANGE_IDLE; via++)
			if (runtime->changes_found[via])
				openmetrics_sample(&sheet->metrics, runtime->changes_found[via],
					"id", sheet->rows[n].id, "via", display_change_name(via),
					NULL);
	}
}

static void put_viewers(struct sheet *sheet)
{
	struct openmetrics *m = &sheet->metrics;

	openmetrics_family(
		m, "viewers", OPENMETRICS_GAUGE, NULL, "Viewers that are in, by what they may.");
	for (size_t i = 0; i < sheet->used; i++) {
		const struct wall_viewer *viewers;
		struct wall *wall = display_wall(sheet->rows[i].display);
		size_t n = wall ? wall_viewers(wall, &viewers) : 0;
		uint64_t counts[LINK_MODE_EXCLUSIVE + 1] = {0};

		for (size_t v = 0; v < n; v++)
			if (viewers[v].ready)
				counts[viewers[v].mode]++;
		for (size_t mode = LINK_MODE_VIEW; mode <= LINK_MODE_EXCLUSIVE; mode++)
			openmetrics_sample(m, counts[mode], "id", sheet->rows[i].id, "mode",
				link_mode_word(mode), NULL);
	}
	openmetrics_family(m, "viewer_bytes", OPENMETRICS_COUNTER, NULL,
		"Bytes that were sent to viewers, by the encoding that they had; up to a second "
		"late.");
	for (size_t i = 0; i < sheet->used; i++) {
		const struct roster_bytes *bytes;
		struct wall *wall = display_wall(sheet->rows[i].display);
		size_t n = wall ? wall_bytes(wall, &bytes) : 0;

		for (size_t b = 0; b < n; b++)
			openmetrics_sample(m, bytes[b].bytes, "id", sheet->rows[i].id, "encoding",
				bytes[b].encoding[0] ? bytes[b].encoding : "none", NULL);
	}
}

static void put_inputs(struct sheet *sheet)
{
	static const struct {
		const char *name, *help;
		uint64_t (*of)(const struct sink *sink);
	} counts[] = {
		{"input_events", "Events that were taken for the guest.", sink_sent},
		{"input_dropped", "Events that were thrown away, since the VMM did not read.",
			sink_dropped},
		{"input_sink_blocked", "Times that the VMM stopped reading.", sink_blocked},
	};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		openmetrics_family(
			&sheet->metrics, counts[i].name, OPENMETRICS_COUNTER, NULL, counts[i].help);
		for (size_t n = 0; n < sheet->used; n++) {
			const struct inputs *inputs = display_inputs(sheet->rows[n].display);

			for (size_t slot = 0; slot < inputs->used; slot++)
				openmetrics_sample(&sheet->metrics,
					counts[i].of(inputs->slots[slot]->sink), "id",
					sheet->rows[n].id, "kind",
					input_kind_name(inputs->slots[slot]->kind.kind), NULL);
		}
	}
}

static void put_times(struct sheet *sheet)
{
	static const struct {
		const char *name, *help;
	} steps[MEASURE_STEPS] = {
		[MEASURE_CAPTURE] = {"capture_seconds",
			"A look at a display: its driver's answer, the picture, the cursor."},
		[MEASURE_SCAN] = {"damage_scan_seconds",
			"The part of it that hashes the picture and copies what changed."},
		[MEASURE_ENCODE] = {"encode_seconds", "Encoding one update for one viewer."},
		[MEASURE_WIRE] = {"change_to_wire_seconds",
			"From the look that found a change to the last byte of a viewer's update "
			"with its connection."},
		[MEASURE_INPUT] = {"input_seconds", "From when a viewer's key or pointer was read "
						    "until the guest's sink took it."},
	};
	struct measure_times times;

	for (unsigned int i = 0; i < MEASURE_STEPS; i++) {
		openmetrics_family(&sheet->metrics, steps[i].name, OPENMETRICS_HISTOGRAM, "seconds",
			steps[i].help);
		measure_read(i, &times);
		openmetrics_times(&sheet->metrics, &times);
	}
}

static void put_tally(struct sheet *sheet, enum tally_what what, const char *name, const char *help,
	const char *first, const char *second)
{
	const struct tally *tally = tally_read(what);

	openmetrics_family(&sheet->metrics, name, OPENMETRICS_COUNTER, NULL, help);
	for (size_t i = 0; i < tally->used; i++)
		openmetrics_sample(&sheet->metrics, tally->entries[i].count, first,
			tally->entries[i].first, second, tally->entries[i].second, NULL);
	if (tally->others)
		openmetrics_sample(
			&sheet->metrics, tally->others, first, "other", second, "", NULL);
}

static void put_number(struct sheet *sheet, const char *name, enum openmetrics_type type,
	const char *help, uint64_t value)
{
	openmetrics_family(&sheet->metrics, name, type, NULL, help);
	openmetrics_sample(&sheet->metrics, value, NULL);
}

static void put_daemon(struct sheet *sheet)
{
	struct credentials_counts counts = credentials_counts(manager_credentials(sheet->manager));

	openmetrics_family(&sheet->metrics, "build", OPENMETRICS_INFO, NULL, "This daemon.");
	openmetrics_sample(&sheet->metrics, 1, "version", PACKAGE_VERSION, NULL);
	put_number(sheet, "lease_lost", OPENMETRICS_COUNTER, "Leases of displays that ended.",
		measure_counted(MEASURE_LEASE_LOST));
	put_number(sheet, "rfb_programs_started", OPENMETRICS_COUNTER,
		"Programs for viewers that were started.",
		measure_counted(MEASURE_PROGRAM_STARTED));
	put_number(sheet, "rfb_programs_failed", OPENMETRICS_COUNTER,
		"Programs for viewers that ended before their time.",
		measure_counted(MEASURE_PROGRAM_FAILED));
	put_number(sheet, "viewer_resumed", OPENMETRICS_COUNTER,
		"Viewers that were in before this daemon started, and went on.",
		measure_counted(MEASURE_VIEWER_RESUMED));
	put_number(sheet, "input_lost", OPENMETRICS_COUNTER,
		"What viewers typed or pointed that was thrown away since the daemon did not read "
		"it.",
		measure_counted(MEASURE_INPUT_LOST));
	put_number(sheet, "areas_encoded", OPENMETRICS_COUNTER,
		"Parts of pictures that were encoded once for all viewers.",
		measure_counted(MEASURE_AREA_ENCODED));
	put_number(sheet, "areas_shared", OPENMETRICS_COUNTER,
		"How often a viewer was sent one that had been encoded for another.",
		measure_counted(MEASURE_AREA_SHARED));
	put_number(sheet, "film_pictures_encoded", OPENMETRICS_COUNTER,
		"Pictures of films that were encoded once for all viewers.",
		measure_counted(MEASURE_SHOT_ENCODED));
	put_number(sheet, "film_pictures_sent", OPENMETRICS_COUNTER,
		"How often a viewer was sent one.", measure_counted(MEASURE_SHOT_SENT));
	put_number(sheet, "film_viewers_late", OPENMETRICS_COUNTER,
		"How often a viewer was too late for the next one, and was sent pixels instead.",
		measure_counted(MEASURE_SHOT_LATE));
	put_number(sheet, "fdstore_fds", OPENMETRICS_GAUGE,
		"Descriptors that systemd keeps for the next start.",
		manager_stored(sheet->manager));
	openmetrics_family(&sheet->metrics, "credentials", OPENMETRICS_COUNTER, NULL,
		"Viewers that the daemon was asked about, by what decided.");
	openmetrics_sample(&sheet->metrics, counts.tickets, "decision", "ticket", NULL);
	openmetrics_sample(&sheet->metrics, counts.logins, "decision", "login", NULL);
	openmetrics_sample(&sheet->metrics, counts.refused, "decision", "refused", NULL);
	put_number(sheet, "varlink_connections", OPENMETRICS_GAUGE,
		"Connections to the control socket.", manager_connections(sheet->manager));
	put_tally(sheet, TALLY_CALLS, "varlink_calls",
		"Calls that were answered, by method and error.", "method", "error");
	put_tally(sheet, TALLY_REFUSALS, "register_errors",
		"Registrations that were refused, by error.", "error", NULL);
	put_tally(sheet, TALLY_DROPPED, "viewer_dropped", "Viewers that were sent off, by reason.",
		"reason", NULL);
	put_number(sheet, "scrapes", OPENMETRICS_COUNTER, "Texts like this one that were made.",
		measure_counted(MEASURE_SCRAPE));
}

int exposition_text(struct manager *manager, bool classic, char **ret_text, size_t *ret_size)
{
	struct sheet sheet = {.manager = manager, .metrics = {.classic = classic}};
	char *text = NULL;
	int r;

	measure_count(MEASURE_SCRAPE);
	r = sheet_fill(&sheet);
	if (r < 0)
		return r;
	sheet.metrics.out = open_memstream(&text, ret_size);
	if (sheet.metrics.out) {
		put_daemon(&sheet);
		put_times(&sheet);
		put_states(&sheet);
		put_infos(&sheet);
		put_changes(&sheet);
		put_counts(&sheet);
		put_viewers(&sheet);
		put_inputs(&sheet);
		openmetrics_end(&sheet.metrics);
		r = ferror(sheet.metrics.out) ? -ENOMEM : 0;
		r = fclose(sheet.metrics.out) == 0 ? r : -ENOMEM;
	} else {
		r = -ENOMEM;
	}
	free(sheet.rows);
	if (r < 0)
		free(text);
	else
		*ret_text = text;
	return r;
}
