/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "admission.h"

#include <errno.h>

#include "credentials.h"
#include "display.h"
#include "frame/wall.h"

static void on_answer(void *arg, const struct credentials_answer *answer)
{
	wall_verdict(display_wall(arg), answer->check, answer->mode, answer->label, -EBADF);
}

static void on_check(
	void *arg, struct display *display, uint64_t check, const struct link_message *message)
{
	credentials_check(arg, display_context(display)->id, check, message, on_answer, display);
}

void admission_begin(struct display *display, struct credentials *credentials)
{
	display_on_check(display, credentials_challenge(credentials), on_check, credentials);
}

void admission_end(struct display *display, struct credentials *credentials)
{
	credentials_cancel(credentials, display);
	if (!display_is_left(display))
		credentials_revoke(credentials, display_context(display)->id);
}
