/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pam.h - asks PAM whether this is the user's password, and whether the account may be used now. */
#pragma once

#include <stdbool.h>

struct pam_question {
	const char *service;
	const char *directory; /* of services, NULL: PAM's own */
	const char *user, *secret;
	const char *display; /* modules find it as VFIO_DISPLAY in PAM's environment */
	const char *peer;    /* and this as PAM_RHOST */
};

/* False where there is no PAM in this build, too. Blocks as long as the modules like. */
bool pam_check(const struct pam_question *question);
