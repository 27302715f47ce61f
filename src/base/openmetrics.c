/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/openmetrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>

static const struct {
	const char *word, *classic, *suffix;
} types[] = {
	[OPENMETRICS_GAUGE] = {"gauge", "gauge", ""},
	[OPENMETRICS_COUNTER] = {"counter", "counter", "_total"},
	[OPENMETRICS_INFO] = {"info", "gauge", "_info"},
	[OPENMETRICS_HISTOGRAM] = {"histogram", "histogram", ""},
};

void openmetrics_family(struct openmetrics *m, const char *name, enum openmetrics_type type,
	const char *unit, const char *help)
{
	/* The older form knows no suffix that belongs to a type: there it is part of the name. */
	const char *suffix = m->classic ? types[type].suffix : "";

	m->name = name;
	m->type = type;
	fprintf(m->out, "# TYPE %s%s%s %s\n", OPENMETRICS_PREFIX, name, suffix,
		m->classic ? types[type].classic : types[type].word);
	if (unit && !m->classic)
		fprintf(m->out, "# UNIT %s%s %s\n", OPENMETRICS_PREFIX, name, unit);
	fprintf(m->out, "# HELP %s%s%s %s\n", OPENMETRICS_PREFIX, name, suffix, help);
}

/* How many bytes of @text are one character of UTF-8 (RFC 3629); 0: none are. */
static size_t character(const unsigned char *text)
{
	size_t n = text[0] < 0x80			? 1
		   : text[0] >= 0xc2 && text[0] < 0xe0	? 2
		   : (text[0] & 0xf0) == 0xe0		? 3
		   : text[0] >= 0xf0 && text[0] <= 0xf4 ? 4
							: 0;

	for (size_t i = 1; i < n; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than need be, halves of pairs, and what is beyond the last character. */
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
		(text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return n;
}

static void put_value(FILE *out, const char *value)
{
	const unsigned char *c = (const unsigned char *)value;

	while (*c) {
		size_t n = character(c);

		if (*c == '\\' || *c == '"')
			fprintf(out, "\\%c", *c);
		else if (n == 0 || *c < ' ' || *c == 0x7f)
			putc('?', out);
		else
			fwrite(c, 1, n, out);
		c += n ? n : 1;
	}
}

void openmetrics_sample(struct openmetrics *m, uint64_t value, ...)
{
	const char *label, *between = "{";
	va_list labels;

	fprintf(m->out, "%s%s%s", OPENMETRICS_PREFIX, m->name, types[m->type].suffix);
	va_start(labels, value);
	while ((label = va_arg(labels, const char *))) {
		fprintf(m->out, "%s%s=\"", between, label);
		put_value(m->out, va_arg(labels, const char *));
		putc('"', m->out);
		between = ",";
	}
	va_end(labels);
	fprintf(m->out, "%s %" PRIu64 "\n", *between == ',' ? "}" : "", value);
}

void openmetrics_times(struct openmetrics *m, const struct measure_times *times)
{
	uint64_t count = 0;

	for (unsigned int n = 0; n < MEASURE_BUCKETS; n++) {
		char bound[32] = "+Inf";

		count += times->buckets[n];
		if (n < MEASURE_BUCKETS - 1) /* with a point, as OpenMetrics wants it: 1.0 */
			snprintf(bound, sizeof(bound), n < 12 ? "%.5g" : "%.1f",
				(double)measure_bound(n) / 1e9);
		fprintf(m->out, "%s%s_bucket{le=\"%s\"} %" PRIu64 "\n", OPENMETRICS_PREFIX, m->name,
			bound, count);
	}
	fprintf(m->out, "%s%s_sum %.9f\n", OPENMETRICS_PREFIX, m->name,
		(double)times->sum_ns / 1e9);
	fprintf(m->out, "%s%s_count %" PRIu64 "\n", OPENMETRICS_PREFIX, m->name, count);
}

void openmetrics_end(struct openmetrics *m)
{
	if (!m->classic)
		fputs("# EOF\n", m->out);
}
