/* SPDX-License-Identifier: GPL-2.0-or-later */
/* eax.h - AES in EAX mode (Bellare, Rogaway, Wagner: The EAX Mode of Operation, 2004): one pass of AES-CTR to hide, three of
 * CMAC to prove. OpenSSL has both but not the mode.
 *
 *	N = CMAC(0^15 0 || nonce)   H = CMAC(0^15 1 || head)   C = data xor AES-CTR(from N)
 *	tag = N xor H xor CMAC(0^15 2 || C)
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define EAX_BLOCK 16 /* bytes of a nonce and of a tag */

struct evp_cipher_ctx_st;
struct evp_mac_ctx_st;

struct eax {
	struct evp_cipher_ctx_st *cipher; /* owned */
	struct evp_mac_ctx_st *mac;	  /* owned */
	uint8_t key[32];
	size_t key_size;
};

/* @key_size: 16 or 32. -EINVAL; -ENOMEM. eax_finish() is needed only after success. */
int eax_init(struct eax *eax, const uint8_t *key, size_t key_size);
/* Also of one that is all zeros. */
void eax_finish(struct eax *eax);
/* @ret has @size bytes and may be @data. Whoever uses a nonce twice gives both texts away. -EIO. */
int eax_encrypt(struct eax *eax, const uint8_t nonce[EAX_BLOCK], const uint8_t *head, size_t head_size,
	const uint8_t *data, size_t size, uint8_t *ret, uint8_t ret_tag[EAX_BLOCK]);
/* -EBADMSG: not from who has the key, or not all of it; nothing is written then. */
int eax_decrypt(struct eax *eax, const uint8_t nonce[EAX_BLOCK], const uint8_t *head, size_t head_size,
	const uint8_t *data, size_t size, const uint8_t tag[EAX_BLOCK], uint8_t *ret);
