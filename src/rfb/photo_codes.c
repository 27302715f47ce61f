/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * A picture of 256x128 in a video has about as many bytes of tables as of data, when it has the four tables of T.81's Annex K. One code
 * for light and colour, without what the quantisation leaves no room for, is a half to a third of that. It is also the better code: Annex K
 * has four bits for "the rest is nothing", which is what is said most in such pictures. To count first and make codes for each picture
 * would spare a tenth more and take twice the time.
 *
 * The lengths are those of Huffman's codes for counts from the scenes of bench/peers, a web page and two photographs at
 * all ten levels, each of these with the same weight.
 *
 * No coefficient of 8x8 samples from -128 to 127 is beyond 1024, for the transform keeps lengths and a block's is 8 * 128 at most. What is left
 * after the division is below that; a symbol for more never comes, and need not be there. (One that came all the same would not be noticed by
 * libjpeg-turbo.)
 */
#include "rfb/photo_codes.h"

#include <stdbool.h>

#include "base/mem.h"

#define LENGTH_MAX	16
#define SIZE_MAX_FIRST	11 /* bits of what is coded: T.81 F.1.2.1, 8-bit samples */
#define SIZE_MAX_OTHERS 10
#define MOST		1025 /* with what rounding may add */
#define END		0x00 /* the rest is zero */
#define ZEROS		0xf0 /* sixteen of them */

/* Bits of the codes for zeros in front, 0 to 15 of them, and the size of what comes then, 1 to 10. */
static const uint8_t lengths[16][SIZE_MAX_OTHERS] = {
	{2, 3, 4, 5, 6, 7, 8, 10, 12, 16},
	{3, 6, 7, 8, 10, 12, 13, 16, 16, 16},
	{5, 8, 10, 11, 13, 15, 16, 16, 16, 16},
	{6, 8, 10, 12, 13, 15, 16, 16, 16, 16},
	{7, 10, 12, 14, 14, 16, 16, 16, 16, 16},
	{7, 10, 11, 13, 13, 15, 16, 16, 16, 16},
	{8, 12, 15, 15, 15, 16, 16, 16, 16, 16},
	{8, 12, 13, 14, 16, 16, 16, 16, 16, 16},
	{9, 13, 16, 16, 16, 16, 16, 16, 16, 16},
	{9, 11, 13, 14, 16, 16, 16, 16, 16, 16},
	{9, 14, 16, 16, 16, 16, 16, 16, 16, 16},
	{10, 13, 15, 16, 16, 16, 16, 16, 16, 16},
	{10, 15, 16, 16, 16, 16, 16, 16, 16, 16},
	{10, 14, 16, 16, 16, 16, 16, 16, 16, 16},
	{11, 16, 16, 16, 16, 16, 16, 16, 16, 16},
	{12, 16, 16, 16, 16, 16, 16, 16, 16, 16},
};
#define LENGTH_END   2
#define LENGTH_ZEROS 9

/* Where in rows of eight each coefficient is, in the order in which they are coded: T.81 figure A.6. */
static const uint8_t zigzag[PHOTO_COEFFICIENTS] = {0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11,
	4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50,
	43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47,
	55, 62, 63};

/* The largest number that a division leaves. */
static uint32_t left_of(uint16_t divisor)
{
	return (MOST + divisor / 2) / divisor;
}

static unsigned int bits_of(uint32_t number)
{
	unsigned int bits = 0;

	for (; number; number >>= 1)
		bits++;
	return bits;
}

static void clear(struct photo_code *code)
{
	memset(code, 0, sizeof(*code));
}

void photo_codes_first(const uint16_t divisors[PHOTO_COEFFICIENTS], struct photo_code *ret_code)
{
	/* What is coded is the difference of two. */
	unsigned int size = MIN(bits_of(2 * left_of(divisors[0])), (unsigned int)SIZE_MAX_FIRST);

	clear(ret_code);
	for (unsigned int i = 0; i <= size; i++) { /* each half as likely as the one below */
		ret_code->counts[i + 1] = 1;
		ret_code->values[i] = i;
	}
}

/* After how many zeros a coefficient is so large, at most; -1: never. */
static int zeros_before(const uint16_t divisors[PHOTO_COEFFICIENTS], unsigned int size)
{
	for (int i = PHOTO_COEFFICIENTS; i-- > 1;)
		if (bits_of(left_of(divisors[zigzag[i]])) >= size)
			return i - 1;
	return -1;
}

void photo_codes_others(const uint16_t divisors[PHOTO_COEFFICIENTS], struct photo_code *ret_code)
{
	int zeros_most[SIZE_MAX_OTHERS];
	uint8_t *value = ret_code->values;

	clear(ret_code);
	for (unsigned int size = 1; size <= SIZE_MAX_OTHERS; size++)
		zeros_most[size - 1] = zeros_before(divisors, size);
	for (unsigned int length = 1; length <= LENGTH_MAX; length++) {
		const uint8_t *first = value;

		if (length == LENGTH_END)
			*value++ = END;
		if (length == LENGTH_ZEROS)
			*value++ = ZEROS;
		for (int zeros = 0; zeros < 16; zeros++)
			for (unsigned int size = 1; size <= SIZE_MAX_OTHERS; size++)
				if (lengths[zeros][size - 1] == length &&
					zeros <= zeros_most[size - 1])
					*value++ = zeros << 4 | size;
		ret_code->counts[length] = value - first;
	}
}
