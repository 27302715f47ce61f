/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon tells as a text: in a field, or in a memfd where it may be long. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/session.h"
#include "ctl/table.h"
#include "ctl/verbs.h"

enum { TEXT_MAX = 64 << 20 };

/* To be freed. NULL: errno says why. */
static char *read_file(int fd)
{
	struct stat st;
	char *text;
	size_t size, done = 0;

	if (fstat(fd, &st) < 0)
		return NULL;
	size = st.st_size > 0 ? (size_t)MIN(st.st_size, (off_t)TEXT_MAX) : 0;
	text = calloc(1, size + 1);
	while (text && done < size) {
		ssize_t n = pread(fd, text + done, size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return text;
}

static char *text_in(const struct varlink_result *result)
{
	const char *text = json_string_value(json_object_get(result->parameters, "text"));
	json_int_t index = -1;

	if (text)
		return strdup(text);
	json_unpack((json_t *)result->parameters, "{s:I}", "fileDescriptorIndex", &index);
	errno = EBADMSG;
	return index >= 0 && index < (json_int_t)result->fds_used ? read_file(result->fds[index])
								  : NULL;
}

/* Lines for people: a terminal must not obey what is in them. */
static void print_lines(char *text)
{
	char *line;

	while ((line = strsep(&text, "\n"))) {
		if (!text && !line[0])
			break;
		text_print(stdout, line);
		putchar('\n');
	}
}

static int print_text(struct ctl *ctl, const char *about, const char *method, json_t *parameters)
{
	_cleanup_free_ char *text = NULL;
	struct varlink_result result;
	json_t *json;
	int status;

	status = session_call(ctl, about, method, parameters, &result);
	if (status != CTL_OK)
		return status;
	text = text_in(&result);
	varlink_result_finish(&result);
	if (!text) {
		complain(NULL, "vfio-displayd answered without a text: %s", strerror(errno));
		return CTL_FAILED;
	}
	if (!ctl->json) {
		print_lines(text);
		return CTL_OK;
	}
	json = json_pack("{s:s}", "text", text);
	json_line(json);
	json_decref(json);
	return CTL_OK;
}

const struct option_row metrics_options[] = {
	{"format", 1, 0, "FORMAT", "openMetrics text", "text is Prometheus' older one"},
	{0},
};

int verb_metrics(struct ctl *ctl, int argc, char **argv)
{
	const char *format = NULL;
	int status;

	while (option_next(ctl, metrics_options, argc, argv, &status))
		format = optarg;
	if (status != CTL_OK)
		return status;
	if (optind < argc)
		return complain_usage("metrics", "takes no arguments");
	return print_text(ctl, NULL, "GetMetrics", json_pack("{s:s*}", "format", format));
}

int verb_dump(struct ctl *ctl, int argc, char **argv)
{
	const char *id;
	int status;

	option_next(ctl, option_none, argc, argv, &status);
	if (status != CTL_OK)
		return status;
	if (argc - optind > 1)
		return complain_usage("dump", "takes one display's id or nothing");
	id = argv[optind];
	return print_text(ctl, id, "Dump", json_pack("{s:s*}", "id", id));
}
