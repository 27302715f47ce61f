/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_keys.h - the table of the configuration's keys, for config.c, which reads files by it. What the keys mean is in config.h. */
#pragma once

#include "base/config.h"

enum config_key_type {
	KEY_PATH,
	KEY_SWITCH,
	KEY_NUMBER,
	KEY_WORD,
	KEY_SET,  /* words of a table, as bits; 0: the default */
	KEY_LIST, /* any words, kept as a text with one space between; NULL: none */
};

struct config_key {
	const char *section, *name;
	enum config_key_type type;
	size_t offset;	    /* in struct config */
	uint32_t low, high; /* a number's range; a path's or list's longest length in high */
	uint32_t preset;
	const char *const *words; /* of KEY_WORD for low to high, of KEY_SET for bit 0 to high */
};

enum { CONFIG_KEYS = 40 };

extern const struct config_key *const config_keys; /* CONFIG_KEYS of them */

/* Where a KEY_PATH or KEY_LIST is kept. */
char **config_key_text(struct config *config, const struct config_key *key);
/* A value of any other type; those two are left alone. */
void config_key_store(struct config *config, const struct config_key *key, uint32_t value);
