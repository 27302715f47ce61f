/* SPDX-License-Identifier: GPL-2.0-or-later */
/* openmetrics.h - writes a text of metrics: OpenMetrics 1.0, or the older form of Prometheus (text format 0.0.4) for who does not ask for the new one.
 *
 * A family is announced once, its samples follow at once. Label values are any text: what is not UTF-8, and control characters,
 * are masked. Errors of the stream are the caller's to look for at its end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/measure.h"

#define OPENMETRICS_PREFIX "vfio_displayd_"

enum openmetrics_type { OPENMETRICS_GAUGE, OPENMETRICS_COUNTER, OPENMETRICS_INFO, OPENMETRICS_HISTOGRAM };

struct openmetrics {
	FILE *out; /* borrowed */
	bool classic; /* the older form */
	const char *name;
	enum openmetrics_type type;
};

/* @name: without prefix, "_total" and "_info"; outlives the family, like all texts here. @unit: "seconds", "bytes", also the name's end; or NULL. */
void openmetrics_family(struct openmetrics *metrics, const char *name, enum openmetrics_type type, const char *unit, const char *help);
/* Then pairs of a label and its value, and NULL. */
void openmetrics_sample(struct openmetrics *metrics, uint64_t value, ...) __attribute__((sentinel));
/* A histogram has one sample, in seconds. */
void openmetrics_times(struct openmetrics *metrics, const struct measure_times *times);
void openmetrics_end(struct openmetrics *metrics);
