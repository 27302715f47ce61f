/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/questions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct link_message *find(struct questions *questions, uint32_t viewer)
{
	for (size_t i = 0; i < questions->used; i++)
		if (questions->at[i].check.viewer == viewer)
			return &questions->at[i];
	return NULL;
}

int questions_note(struct questions *questions, const struct link_message *check)
{
	struct link_message *at = find(questions, check->check.viewer);

	if (!at && questions->used == LIMIT_KNOCKING)
		return -EAGAIN;
	if (!questions->at)
		questions->at = calloc(LIMIT_KNOCKING, sizeof(*questions->at));
	if (!questions->at)
		return -ENOMEM;
	if (!at)
		at = &questions->at[questions->used++];
	*at = *check;
	return 0;
}

void questions_forget(struct questions *questions, uint32_t viewer)
{
	struct link_message *at = find(questions, viewer), *last;

	if (!at)
		return;
	last = &questions->at[--questions->used];
	if (at != last)
		*at = *last;
	explicit_bzero(last, sizeof(*last));
	if (!questions->used)
		questions_finish(questions);
}

void questions_finish(struct questions *questions)
{
	for (size_t i = 0; i < questions->used; i++)
		explicit_bzero(&questions->at[i], sizeof(questions->at[i]));
	free(questions->at);
	*questions = (struct questions){0};
}
