/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "login/pam.h"

#include "base/log.h"

#ifdef HAVE_PAM

#include <security/pam_appl.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

/* To be freed by PAM, which wipes it. */
static char *answer_to(const struct pam_message *message, const struct pam_question *question)
{
	if (message->msg_style == PAM_PROMPT_ECHO_OFF)
		return strdup(question->secret);
	return message->msg_style == PAM_PROMPT_ECHO_ON ? strdup(question->user) : NULL;
}

/* There is nobody to ask: one prompt that hides what is typed is for the password, the rest goes nowhere. */
static int converse(
	int count, const struct pam_message **messages, struct pam_response **ret, void *arg)
{
	struct pam_response *responses;

	if (count <= 0 || count > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	responses = calloc(count, sizeof(*responses));
	if (!responses)
		return PAM_BUF_ERR;
	for (int i = 0; i < count; i++)
		responses[i].resp = answer_to(messages[i], arg);
	*ret = responses;
	return PAM_SUCCESS;
}

/* The RFB program makes guessing slow; a sleep here would only keep others waiting. */
static void no_delay(int result, unsigned int microseconds, void *arg)
{
}

static void describe(pam_handle_t *handle, const struct pam_question *question)
{
	char display[sizeof("VFIO_DISPLAY=") + LIMIT_ID_CHARS];

	snprintf(display, sizeof(display), "VFIO_DISPLAY=%s", question->display);
	pam_set_item(handle, PAM_FAIL_DELAY, no_delay);
	pam_set_item(handle, PAM_RHOST, question->peer);
	pam_set_item(handle, PAM_TTY, "vfio-displayd");
	pam_putenv(handle, display);
}

bool pam_check(const struct pam_question *question)
{
	const struct pam_conv conversation = {converse, (void *)question};
	pam_handle_t *handle = NULL;
	int r;

	r = pam_start_confdir(
		question->service, question->user, &conversation, question->directory, &handle);
	if (r != PAM_SUCCESS) {
		log_err(NULL, "PAM service %s: %s", question->service, pam_strerror(handle, r));
		return false;
	}
	describe(handle, question);
	r = pam_authenticate(handle, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	if (r == PAM_SUCCESS)
		r = pam_acct_mgmt(handle, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	/* Wrong passwords are for the broker to tell; a service that is broken would show itself as nothing else. */
	if (r != PAM_SUCCESS && r != PAM_AUTH_ERR && r != PAM_USER_UNKNOWN && r != PAM_PERM_DENIED)
		log_notice(NULL, "PAM service %s: %s", question->service, pam_strerror(handle, r));
	pam_end(handle, r);
	return r == PAM_SUCCESS;
}

#else

bool pam_check(const struct pam_question *question)
{
	return false;
}

#endif
