/* SPDX-License-Identifier: GPL-2.0-or-later */
/* passwords.h - a file of users: "user:hash[:mode[:display,...]]", hash as crypt(3) has it or the word "pam".
 *
 * Read anew each time: what counts is what is in it now. Whether a user exists must not show in the time that an answer takes, so
 * that one who does not is hashed for all the same, as costly as the file's first one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum passwords_verdict {
	PASSWORDS_WRONG,
	PASSWORDS_RIGHT,
	PASSWORDS_PAM,	   /* PAM is to say whether the password is right */
	PASSWORDS_UNKNOWN, /* there is no such user, and nothing was hashed */
};

/* *ret_mode (enum link_mode, at most so much), with RIGHT and PAM. A display that the user may not see is WRONG, with a right
 * password too. -errno: the file cannot be read, -EACCES: others could have written or read it, -EFBIG; each is logged. */
int passwords_check(const char *path, const char *user, const char *secret, const char *display,
	enum passwords_verdict *ret, uint32_t *ret_mode);
/* The same of the file's content, which is changed. */
enum passwords_verdict passwords_check_text(char *text, const char *user, const char *secret, const char *display,
	uint32_t *ret_mode);
/* Hashes and forgets: for a user whom nobody knows. @text: the file's content, NULL: there is none. */
void passwords_waste(const char *text, const char *secret);
