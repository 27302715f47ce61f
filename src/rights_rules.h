/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rights_rules.h - inside rights: the policy as rights_file.c reads it and rights.c applies it. */
#pragma once

#include "base/limits.h"
#include "rights.h"

struct rule_subject {
	bool group;
	id_t id;
};

/* One line: these rights, for those whom it names (nobody named: everybody), on ids that its pattern matches. */
struct rule {
	uint32_t rights;		      /* bits 1 << enum right, with all that they include */
	unsigned int subjects, subjects_used; /* in rights::subjects */
	char pattern[LIMIT_ID_CHARS + 1];
};

struct rights {
	char *path;	  /* NULL: no file */
	bool some_hidden; /* not all users can be told apart here */
	struct rule rules[LIMIT_POLICY_RULES];
	size_t rules_used;
	struct rule_subject subjects[LIMIT_POLICY_SUBJECTS];
	size_t subjects_used;
};

/* What a right includes, itself among it. */
uint32_t right_bits(enum right right);
/* @pattern: characters of ids, "*" for any number of any, "?" for one. */
bool rule_matches_id(const char *pattern, const char *id);
