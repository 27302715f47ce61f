/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rsaaes.h - the key exchange of the security types RA2 (5) and RA2_256 (129) (rfbproto, "RSA-AES Security Type"). Sans I/O. What
 * comes after it is sealed, see rfb/seal.h.
 *
 * The wire, S: from us, C: from the viewer; all numbers big-endian; || puts two texts together:
 *	S  public key: u32 bits | modulus | exponent, each (bits + 7) / 8 bytes
 *	C  public key, likewise; its size is its own
 *	S  u16 size | random bytes under C's key, RSA with PKCS #1 v1.5; size is (C's bits + 7) / 8
 *	C  u16 size | random bytes under S's key, likewise
 * The random bytes are 16 for RA2 and 32 for RA2_256: rfbproto says 16 for both, but TigerVNC, where these types come from, has as many as
 * the key is long.
 * From here on every byte goes through seals. With H = SHA-1 and 16 bytes of it for RA2, H = SHA-256 and all 32 for RA2_256:
 *	C seals with the first bytes of H(S's random || C's random), S with those of H(C's random || S's random)
 *	S  H(S's public key || C's public key), both as they were sent, bits included: 20 or 32 bytes
 *	C  H(C's public key || S's public key)
 *	S  u8 subtype: 1: user and password, 2: password alone
 *	C  u8 size | user | u8 size | password; with subtype 2 the user is empty
 *	S  SecurityResult, and so on, for ever: RA2 and RA2_256 stay sealed
 * We send each S line as one sealed message.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RSAAES_BITS_MIN	  1024u /* of a viewer's modulus; ours has RSAAES_OWN_BITS_MIN or more */
#define RSAAES_BITS_MAX	  8192u
#define RSAAES_OWN_BITS_MIN 2048u
#define RSAAES_PUBLIC_MAX (4 + 2 * RSAAES_BITS_MAX / 8)
#define RSAAES_RANDOM_MAX 32u
#define RSAAES_HASH_MAX	  32u

struct evp_pkey_st;
struct rsaaes_key; /* ours, counted */
struct rsaaes;

/* @pair: a private key; a reference is taken. -EINVAL: not an RSA key of a size in range. */
int rsaaes_key_create(struct evp_pkey_st *pair, struct rsaaes_key **ret);
struct rsaaes_key *rsaaes_key_ref(struct rsaaes_key *key);
/* Takes NULL. */
void rsaaes_key_unref(struct rsaaes_key *key);

/* @strong: RA2_256. Takes a reference of @key. */
int rsaaes_create(struct rsaaes_key *key, bool strong, struct rsaaes **ret);
/* Takes NULL. */
void rsaaes_destroy(struct rsaaes *rsaaes);
/* Our public key as it is sent. */
const uint8_t *rsaaes_public(const struct rsaaes *rsaaes, size_t *ret_size);
/* Bytes of the viewer's public key, whose first four are @length; 0: out of range. */
size_t rsaaes_viewer_key_size(const uint8_t length[4]);
/* The viewer's public key, whole; writes the line that follows it, at most 2 + RSAAES_BITS_MAX / 8 bytes. -EPROTO: no key, or one that
 * costs more than a key should. */
int rsaaes_viewer_key(struct rsaaes *rsaaes, const uint8_t *key, size_t size, uint8_t *ret, size_t *ret_size);
/* Bytes of the viewer's random line. */
size_t rsaaes_random_size(const struct rsaaes *rsaaes);
/* -EPROTO: another size than that. A text that is not one is not told from one that is: its hash will be wrong. */
int rsaaes_viewer_random(struct rsaaes *rsaaes, const uint8_t *line);
/* After both randoms. @ret_size: of each key. */
void rsaaes_session_keys(const struct rsaaes *rsaaes, uint8_t ret_viewer[32], uint8_t ret_ours[32], size_t *ret_size);
size_t rsaaes_hash_size(const struct rsaaes *rsaaes);
void rsaaes_our_hash(const struct rsaaes *rsaaes, uint8_t ret[RSAAES_HASH_MAX]);
/* In constant time. */
bool rsaaes_viewer_hash_is(const struct rsaaes *rsaaes, const uint8_t *hash);
