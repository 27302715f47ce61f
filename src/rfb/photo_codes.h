/* SPDX-License-Identifier: GPL-2.0-or-later */
/* photo_codes.h - the Huffman codes of our JPEGs: one for first coefficients, one for all others, the same for light and for colour. Private to
 * photo.c. Pure.
 */
#pragma once

#include <stdint.h>

#define PHOTO_COEFFICIENTS 64

/* As DHT has it, ITU-T T.81 B.2.4.2. */
struct photo_code {
	uint8_t counts[17];  /* of codes with so many bits, 1 to 16 */
	uint8_t values[256]; /* what they stand for, the shortest first */
};

/* @divisors: of quantisation, in rows of eight; of several tables the smaller ones. Codes are there for all that can be
 * left of a coefficient, and for nothing else. */
void photo_codes_first(const uint16_t divisors[PHOTO_COEFFICIENTS], struct photo_code *ret_code);
void photo_codes_others(const uint16_t divisors[PHOTO_COEFFICIENTS], struct photo_code *ret_code);
