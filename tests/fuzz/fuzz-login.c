/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The login program's messages and its file of users. First byte: bit 0: the rest is a message, bit 1: which way; else it is a file, in
 * which a user with a known name is looked for.
 */
#include <crypt.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "frame/link.h"
#include "frame/login_link.h"
#include "login/passwords.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool truth)
{
	if (!truth)
		abort();
}

/* In libcrypt's place: the hash of "x" is its setting, so that a hash costs nothing and one password is right. */
char *crypt_r(const char *phrase, const char *setting, struct crypt_data *data)
{
	expect(strlen(phrase) <= LIMIT_SECRET_CHARS);
	memcpy(data->output, "*0", 3);
	if (strcmp(phrase, "x") == 0 && strlen(setting) < sizeof(data->output))
		memcpy(data->output, setting, strlen(setting) + 1);
	return data->output;
}

static void play_message(const uint8_t *data, size_t size, bool from_broker)
{
	struct login_message m = {0};

	memcpy(&m, data, MIN(size, sizeof(m)));
	if (login_check(&m, from_broker) < 0)
		return;
	if (from_broker)
		expect(m.type == LOGIN_ASK && m.ask.user[0] && m.ask.secret[0] &&
			strlen(m.ask.user) < sizeof(m.ask.user) &&
			strlen(m.ask.secret) < sizeof(m.ask.secret) &&
			strlen(m.ask.display) < sizeof(m.ask.display) &&
			strlen(m.ask.peer) < sizeof(m.ask.peer));
	else
		expect(m.type == LOGIN_READY || m.answer.mode <= LINK_MODE_EXCLUSIVE);
}

static void play_file(const uint8_t *data, size_t size)
{
	static const char *const secrets[] = {"x", "y"};

	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
		char *text = calloc(1, size + 1);
		enum passwords_verdict verdict;
		uint32_t mode = 99;

		expect(text);
		memcpy(text, data, size);
		passwords_waste(text, secrets[i]);
		verdict = passwords_check_text(text, "u", secrets[i], "vm1", &mode);
		expect(verdict != PASSWORDS_RIGHT || i == 0);
		expect((verdict == PASSWORDS_RIGHT || verdict == PASSWORDS_PAM) ==
			(mode >= LINK_MODE_VIEW && mode <= LINK_MODE_EXCLUSIVE));
		free(text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] & 1)
		play_message(data + 1, size - 1, data[0] & 2);
	else
		play_file(data + 1, size - 1);
	return 0;
}
