/* SPDX-License-Identifier: GPL-2.0-or-later */
/* send-keys: chords, and text in pieces that one call takes. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/session.h"
#include "ctl/table.h"
#include "ctl/verbs.h"

enum { TEXT = 256 };

const struct option_row send_keys_options[] = {
	{"text", TEXT, 0, "TEXT", NULL,
		"type this, in the guest's keyboard layout; -: what stdin says"},
	{0},
};

/* So many bytes at @text are at most LIMIT_TYPE_CHARS characters, and whole ones. */
static size_t piece_of(const char *text)
{
	size_t characters = 0, n = 0;

	for (; text[n]; n++)
		if ((text[n] & 0xc0) != 0x80 && ++characters > LIMIT_TYPE_CHARS)
			break;
	return n;
}

static int send_piece(struct ctl *ctl, const char *id, json_t *keys, json_t *text)
{
	struct varlink_result result;
	int status;

	status = session_call(ctl, id, "SendKeys",
		json_pack("{s:s, s:O*, s:o*}", "id", id, "keys", keys, "text", text), &result);
	if (status != CTL_OK)
		return status;
	if (ctl->json)
		json_line(result.parameters);
	varlink_result_finish(&result);
	return CTL_OK;
}

static int send_text(struct ctl *ctl, const char *id, const char *text)
{
	int status = CTL_OK;

	while (*text && status == CTL_OK) {
		size_t n = piece_of(text);
		json_t *piece = json_stringn(text, n);

		if (!piece)
			return complain_usage("send-keys", "the text is no UTF-8");
		status = send_piece(ctl, id, NULL, piece);
		text += n;
	}
	return status;
}

/* All of it. NULL: it cannot be read, or has a NUL in it. */
static char *read_stdin(void)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t n = getdelim(&text, &room, '\0', stdin);

	if (n >= 0 && !memchr(text, '\0', (size_t)n))
		return text;
	if (n < 0 && feof(stdin) && !ferror(stdin)) {
		free(text);
		return strdup("");
	}
	free(text);
	return NULL;
}

static int type(struct ctl *ctl, const char *id, const char *text)
{
	_cleanup_free_ char *read = NULL;

	if (strcmp(text, "-") != 0)
		return send_text(ctl, id, text);
	read = read_stdin();
	if (read)
		return send_text(ctl, id, read);
	complain(id, "stdin cannot be read as text");
	return CTL_FAILED;
}

int verb_send_keys(struct ctl *ctl, int argc, char **argv)
{
	json_t *keys = json_array();
	const char *text = NULL;
	int status;

	while (option_next(ctl, send_keys_options, argc, argv, &status))
		text = optarg;
	if (status == CTL_OK && argc - optind < (text ? 1 : 2))
		status = complain_usage("send-keys",
			"takes one display's id, and keys (ctrl-alt-del, super-l, f11) or --text");
	for (int i = optind + 1; i < argc && status == CTL_OK; i++)
		if (json_array_append_new(keys, json_string(argv[i])) < 0)
			status = complain_usage("send-keys", "%s is no UTF-8", argv[i]);
	if (status == CTL_OK && json_array_size(keys))
		status = send_piece(ctl, argv[optind], keys, NULL);
	if (status == CTL_OK && text)
		status = type(ctl, argv[optind], text);
	json_decref(keys);
	return status;
}
