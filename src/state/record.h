/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record.h - a text that outlives a crash at any moment: a memfd, of which systemd holds a copy (store.h), written in place. Main thread.
 *
 * It has two slots. A text is written to the one that is not current, and then made current by one aligned store, so that whoever opens it
 * later finds the old text or the new one, never half of either.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { RECORD_WORDS = 64 };

struct record;

/* -ENOMEM, -EMFILE. */
int record_create(struct record **ret);
/* One that was made by an earlier daemon; @fd is consumed in every case. -EPROTONOSUPPORT: of another version; -EBADMSG: it is no record, or
 * damaged; -ENOMEM. */
int record_open(int fd, struct record **ret);
void record_destroy(struct record *record); /* takes NULL */
int record_fd(const struct record *record);
/* -EMSGSIZE: LIMIT_RECORD_BYTES; the old text stays. */
int record_write(struct record *record, const char *text, size_t size);
/* RECORD_WORDS words beside the text, 0 in a new record, for what changes too often to be written down: whoever opens it later finds each word
 * as it was last stored. Good until record_destroy(). */
uint64_t *record_words(struct record *record);
/* The text, good until the next call; "", 0 in a new record. */
const char *record_text(const struct record *record, size_t *ret_size);
