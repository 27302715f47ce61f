/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/config_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/limits.h"
#include "base/mem.h"

/* A socket's path has to fit, with its NUL. */
#define SOCKET_PATH_CHARS (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static const char *const level_words[] = {"err", "warning", "notice", "info", "debug"};
static const char *const import_words[] = {"auto", "always", "never"};
static const char *const offer_words[] = {"none", "vncauth", "tlsNone", "tlsVnc", "tlsPlain",
	"x509None", "x509Vnc", "x509Plain", "rsaAes", "rsaAes256"};
static const char *const transport_words[] = {"rfb", "websocket", "secureWebsocket"};
static const char *const shared_words[] = {"ignore", "allow-exclusive", "force-shared"};
static const char *const mode_words[] = {"", "view", "control", "exclusive"};

#define OFFER_LAST (ARRAY_SIZE(offer_words) - 1)

static_assert(ARRAY_SIZE(level_words) == LOG_LEVEL_DEBUG + 1, "a word for each level");
static_assert(ARRAY_SIZE(import_words) == IMPORT_NEVER + 1, "a word for each policy");
static_assert(ARRAY_SIZE(shared_words) == CONFIG_SHARED_FORCE + 1, "a word for each policy");

static const struct config_key keys[] = {
	{"control", "socket", KEY_PATH, offsetof(struct config, control_socket), 0,
		SOCKET_PATH_CHARS, 0, NULL},
	{"control", "monitor", KEY_PATH, offsetof(struct config, monitor_socket), 0,
		SOCKET_PATH_CHARS, 0, NULL},
	{"control", "policy", KEY_PATH, offsetof(struct config, policy), 0, LIMIT_CONFIG_LINE, 0,
		NULL},
	{"viewers", "unix-sockets", KEY_SWITCH, offsetof(struct config, unix_sockets), 0, 1, 1,
		NULL},
	{"viewers", "unix-directory", KEY_PATH, offsetof(struct config, unix_directory), 0,
		SOCKET_PATH_CHARS - 2, 0, NULL},
	{"viewers", "password-file", KEY_PATH, offsetof(struct config, password_file), 0,
		LIMIT_CONFIG_LINE, 0, NULL},
	{"viewers", "passwords", KEY_PATH, offsetof(struct config, passwords), 0, LIMIT_CONFIG_LINE,
		0, NULL},
	{"viewers", "pam-service", KEY_LIST, offsetof(struct config, pam_service), 0, 64, 0, NULL},
	{"viewers", "certificate", KEY_PATH, offsetof(struct config, certificate), 0,
		LIMIT_CONFIG_LINE, 0, NULL},
	{"viewers", "key", KEY_PATH, offsetof(struct config, key), 0, LIMIT_CONFIG_LINE, 0, NULL},
	{"viewers", "client-ca", KEY_PATH, offsetof(struct config, client_ca), 0, LIMIT_CONFIG_LINE,
		0, NULL},
	{"viewers", "rsa-key", KEY_PATH, offsetof(struct config, rsa_key), 0, LIMIT_CONFIG_LINE, 0,
		NULL},
	{"viewers", "security", KEY_SET, offsetof(struct config, security), 0, OFFER_LAST, 0,
		offer_words},
	{"viewers", "security-local", KEY_SET, offsetof(struct config, security_local), 0,
		OFFER_LAST, 0, offer_words},
	{"viewers", "insecure", KEY_SWITCH, offsetof(struct config, insecure), 0, 1, 0, NULL},
	{"viewers", "transports", KEY_SET, offsetof(struct config, transports), 0,
		ARRAY_SIZE(transport_words) - 1, 0, transport_words},
	{"viewers", "origins", KEY_LIST, offsetof(struct config, origins), 0, 255, 0, NULL},
	{"viewers", "shared", KEY_WORD, offsetof(struct config, shared), 0, CONFIG_SHARED_FORCE,
		CONFIG_SHARED_IGNORE, shared_words},
	{"viewers", "linger-seconds", KEY_NUMBER, offsetof(struct config, linger_seconds), 0, 3600,
		60, NULL},
	{"viewers", "bytes-per-second-maximum", KEY_NUMBER, offsetof(struct config, bytes_maximum),
		0, UINT32_MAX, 0, NULL},
	{"viewers", "viewers-maximum", KEY_NUMBER, offsetof(struct config, viewers_maximum), 1,
		LIMIT_VIEWERS_MAX, LIMIT_VIEWERS, NULL},
	{"viewers", "frames-per-second-maximum", KEY_NUMBER,
		offsetof(struct config, frames_maximum), 1, 240, 60, NULL},
	{"viewers", "h264", KEY_SWITCH, offsetof(struct config, h264), 0, 1, 1, NULL},
	{"viewers", "grace-seconds", KEY_NUMBER, offsetof(struct config, grace_seconds), 0, 3600,
		10, NULL},
	{"viewers", "stall-seconds", KEY_NUMBER, offsetof(struct config, stall_seconds), 1, 3600,
		LIMIT_STALL_MS / 1000, NULL},
	{"gate", "listen", KEY_LIST, offsetof(struct config, gate_listen), 0, LIMIT_CONFIG_LINE, 0,
		NULL},
	{"gate", "mode", KEY_WORD, offsetof(struct config, gate_mode), 1, 3, 2, mode_words},
	{"gate", "security", KEY_SET, offsetof(struct config, gate_security), 0, OFFER_LAST, 0,
		offer_words},
	{"input", "keyboard-layout", KEY_LIST, offsetof(struct config, keyboard_layout), 0,
		LIMIT_LAYOUT_CHARS, 0, NULL},
	{"input", "exclusive-seconds", KEY_NUMBER, offsetof(struct config, input_exclusive_seconds),
		0, LIMIT_INPUT_IDLE, 0, NULL},
	{"capture", "timer-fast-ms", KEY_NUMBER, offsetof(struct config, timer_fast_ms), 4, 1000,
		16, NULL},
	{"capture", "timer-slow-ms", KEY_NUMBER, offsetof(struct config, timer_slow_ms), 10, 10000,
		80, NULL},
	{"capture", "timer-still-ms", KEY_NUMBER, offsetof(struct config, timer_still_ms), 10,
		10000, 500, NULL},
	{"capture", "safety-ms", KEY_NUMBER, offsetof(struct config, safety_ms), 100, 60000, 1000,
		NULL},
	{"capture", "scan-share", KEY_NUMBER, offsetof(struct config, scan_share), 1, 6400, 50,
		NULL},
	{"capture", "render-node", KEY_PATH, offsetof(struct config, render_node), 0,
		LIMIT_CONFIG_LINE, 0, NULL},
	{"capture", "import", KEY_WORD, offsetof(struct config, import), 0, IMPORT_NEVER,
		IMPORT_AUTO, import_words},
	{"metrics", "listen", KEY_LIST, offsetof(struct config, metrics_listen), 0, 128, 0, NULL},
	{"metrics", "insecure", KEY_SWITCH, offsetof(struct config, metrics_insecure), 0, 1, 0,
		NULL},
	{"log", "level", KEY_WORD, offsetof(struct config, log_level), 0, LOG_LEVEL_DEBUG,
		LOG_LEVEL_INFO, level_words},
};

static_assert(ARRAY_SIZE(keys) == CONFIG_KEYS, "as many as are counted");
static_assert(sizeof(enum log_level) == sizeof(uint32_t), "a word is stored as a number");
static_assert(sizeof(enum import_policy) == sizeof(uint32_t), "a word is stored as a number");

const struct config_key *const config_keys = keys;

char **config_key_text(struct config *config, const struct config_key *key)
{
	return (char **)((char *)config + key->offset);
}

void config_key_store(struct config *config, const struct config_key *key, uint32_t value)
{
	char *at = (char *)config + key->offset;

	switch (key->type) {
	case KEY_SWITCH:
		*(bool *)at = value;
		break;
	case KEY_NUMBER:
	case KEY_WORD:
	case KEY_SET:
		memcpy(at, &value, sizeof(value));
		break;
	case KEY_PATH:
	case KEY_LIST:
		break;
	}
}

void config_init(struct config *config)
{
	*config = (struct config){0};
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		config_key_store(config, &config_keys[i], config_keys[i].preset);
}

void config_finish(struct config *config)
{
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		if (config_keys[i].type == KEY_PATH || config_keys[i].type == KEY_LIST) {
			free(*config_key_text(config, &config_keys[i]));
			*config_key_text(config, &config_keys[i]) = NULL;
		}
}

const char *config_offer(size_t n)
{
	return n < ARRAY_SIZE(offer_words) ? offer_words[n] : NULL;
}

const char *config_transport(size_t n)
{
	return n < ARRAY_SIZE(transport_words) ? transport_words[n] : NULL;
}

bool config_key(
	size_t n, const char **ret_section, const char **ret_name, char *ret_preset, size_t size)
{
	const struct config_key *key;

	if (n >= CONFIG_KEYS)
		return false;
	key = &config_keys[n];
	switch (key->type) {
	case KEY_PATH:
	case KEY_LIST:
	case KEY_SET:
		snprintf(ret_preset, size, "%s", "");
		break;
	case KEY_SWITCH:
		snprintf(ret_preset, size, "%s", key->preset ? "yes" : "no");
		break;
	case KEY_NUMBER:
		snprintf(ret_preset, size, "%" PRIu32, key->preset);
		break;
	case KEY_WORD:
		snprintf(ret_preset, size, "%s", key->words[key->preset]);
		break;
	}
	*ret_section = key->section;
	*ret_name = key->name;
	return true;
}
