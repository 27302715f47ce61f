/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rsa-viewer.h - a viewer's half of RSA-AES's key exchange, for tests: written from rfbproto's text with other calls than rfb/rsaaes.c. */
#pragma once

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rsa_viewer {
	EVP_PKEY *key; /* owned */
	EVP_PKEY *server_key; /* owned */
	uint8_t public[4 + 2 * 1024], server_public[4 + 2 * 1024];
	size_t public_size, server_public_size;
	uint8_t random[32], server_random[32];
};

EVP_PKEY *rsa_viewer_make_key(unsigned int bits);
void rsa_viewer_init(struct rsa_viewer *viewer, unsigned int bits);
void rsa_viewer_finish(struct rsa_viewer *viewer);
/* What the server has sent: its public key. */
void rsa_viewer_see_key(struct rsa_viewer *viewer, const uint8_t *key, size_t size);
/* The line with the viewer's random; returns its size. */
size_t rsa_viewer_random(struct rsa_viewer *viewer, bool strong, uint8_t *ret);
void rsa_viewer_see_random(struct rsa_viewer *viewer, bool strong, const uint8_t *line, size_t size);
/* @viewers: the one that the viewer sends and seals with. Return sizes. */
size_t rsa_viewer_hash(const struct rsa_viewer *viewer, bool strong, bool viewers, uint8_t ret[32]);
size_t rsa_viewer_session_key(const struct rsa_viewer *viewer, bool strong, bool viewers, uint8_t ret[32]);
