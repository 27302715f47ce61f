/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * The library's own interface and not TurboJPEG's, which looks into the environment for each picture. It writes into the
 * caller's room and is left with a jump when that is full, or when anything else is wrong. What it takes for a picture from
 * malloc(), it gives back with jpeg_finish_compress() or jpeg_abort_compress().
 */
#include "rfb/photo.h"

#include <errno.h>

#include "base/mem.h"

#ifdef HAVE_JPEG

#include <setjmp.h>
#include <stdio.h>
#include <jpeglib.h>

#include "rfb/photo_codes.h"

#define ROWS_AT_ONCE 16
#define LINE	     (64 / sizeof(uint32_t)) /* pixels of what the cache takes at once */

struct photo {
	struct jpeg_compress_struct library;
	struct jpeg_error_mgr errors;
	struct jpeg_destination_mgr room;
	jmp_buf out;
	struct look {
		int quality, subsampling;
		bool small;
	} look; /* what the library is set to; quality 0: nothing */
};

bool photo_there(void)
{
	return true;
}

_Noreturn static void leave(j_common_ptr library)
{
	struct photo *photo = library->client_data;

	longjmp(photo->out, 1);
}

static void say_nothing(j_common_ptr library)
{
}

static void emit_nothing(j_common_ptr library, int level)
{
}

static void begin_room(j_compress_ptr library)
{
}

static boolean room_is_full(j_compress_ptr library)
{
	leave((j_common_ptr)library);
}

static void end_room(j_compress_ptr library)
{
}

int photo_create(struct photo **ret)
{
	struct photo *photo = new0(struct photo);

	if (!photo)
		return -ENOMEM;
	photo->library.err = jpeg_std_error(&photo->errors);
	photo->library.client_data = photo;
	photo->errors.error_exit = leave;
	photo->errors.output_message = say_nothing;
	photo->errors.emit_message = emit_nothing;
	photo->room = (struct jpeg_destination_mgr){.init_destination = begin_room,
		.empty_output_buffer = room_is_full,
		.term_destination = end_room};
	if (setjmp(photo->out)) {
		photo_destroy(photo);
		return -ENOMEM;
	}
	jpeg_create_compress(&photo->library);
	photo->library.dest = &photo->room;
	*ret = photo;
	return 0;
}

void photo_destroy(struct photo *photo)
{
	if (!photo)
		return;
	jpeg_destroy_compress(&photo->library);
	free(photo);
}

/* In the places that the library has for the tables of what is light. */
static void set_codes(struct jpeg_compress_struct *library)
{
	uint16_t divisors[PHOTO_COEFFICIENTS];
	struct photo_code first, others;
	JHUFF_TBL *dc = library->dc_huff_tbl_ptrs[0], *ac = library->ac_huff_tbl_ptrs[0];

	for (size_t i = 0; i < PHOTO_COEFFICIENTS; i++)
		divisors[i] = MIN(library->quant_tbl_ptrs[0]->quantval[i],
			library->quant_tbl_ptrs[1]->quantval[i]);
	photo_codes_first(divisors, &first);
	photo_codes_others(divisors, &others);
	memcpy(dc->bits, first.counts, sizeof(dc->bits));
	memcpy(dc->huffval, first.values, sizeof(dc->huffval));
	memcpy(ac->bits, others.counts, sizeof(ac->bits));
	memcpy(ac->huffval, others.values, sizeof(ac->huffval));
	for (int i = 0; i < library->num_components; i++)
		library->comp_info[i].dc_tbl_no = library->comp_info[i].ac_tbl_no = 0;
}

static void set(struct photo *photo, const struct look *look)
{
	struct jpeg_compress_struct *library = &photo->library;

	if (look->quality == photo->look.quality && look->subsampling == photo->look.subsampling &&
		look->small == photo->look.small)
		return;
	photo->look.quality = 0;
	library->input_components = 4;
	library->in_color_space = JCS_EXT_BGRX;
	jpeg_set_defaults(library);
	jpeg_set_colorspace(library, look->subsampling == 3 ? JCS_GRAYSCALE : JCS_YCbCr);
	jpeg_set_quality(library, look->quality, TRUE);
	library->dct_method = JDCT_ISLOW; /* with vectors as fast as the one that is called fast */
	library->optimize_coding = look->small; /* writes over the codes, which are not asked for */
	library->comp_info[0].h_samp_factor =
		look->subsampling == 1 || look->subsampling == 2 ? 2 : 1;
	library->comp_info[0].v_samp_factor = look->subsampling == 1 ? 2 : 1;
	if (!look->small)
		set_codes(library);
	photo->look = *look;
}

/* Rows of pixels in the frame are far apart, so that nobody fetches the next ones by himself. */
static void fetch_rows(const uint32_t *pixels, size_t stride, uint32_t width, uint32_t height)
{
	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < width; x += LINE)
			__builtin_prefetch(pixels + y * stride + x);
}

static void write_rows(struct jpeg_compress_struct *library, const uint32_t *pixels, size_t stride)
{
	JSAMPROW rows[ROWS_AT_ONCE];

	while (library->next_scanline < library->image_height) {
		uint32_t used = MIN(
			library->image_height - library->next_scanline, (JDIMENSION)ROWS_AT_ONCE);

		for (uint32_t i = 0; i < used; i++)
			rows[i] = (JSAMPROW)(pixels + (library->next_scanline + i) * stride);
		fetch_rows(pixels + (library->next_scanline + used) * stride, stride,
			library->image_width,
			MIN(library->image_height - library->next_scanline - used,
				(JDIMENSION)ROWS_AT_ONCE));
		jpeg_write_scanlines(library, rows, used);
	}
}

size_t photo_bytes(struct photo *photo, const uint32_t *pixels, size_t stride, uint32_t width,
	uint32_t height, int quality, int subsampling, bool small, uint8_t *ret, size_t room)
{
	struct jpeg_compress_struct *library = &photo->library;

	photo->room.next_output_byte = ret;
	photo->room.free_in_buffer = room;
	if (setjmp(photo->out)) {
		jpeg_abort_compress(library);
		return 0;
	}
	set(photo, &(struct look){quality, subsampling, small});
	library->image_width = width;
	library->image_height = height;
	jpeg_start_compress(library, TRUE);
	write_rows(library, pixels, stride);
	jpeg_finish_compress(library);
	return photo->room.next_output_byte - ret;
}

#else

struct photo {
	int nothing;
};

bool photo_there(void)
{
	return false;
}

int photo_create(struct photo **ret)
{
	struct photo *photo = new0(struct photo);

	if (!photo)
		return -ENOMEM;
	*ret = photo;
	return 0;
}

void photo_destroy(struct photo *photo)
{
	free(photo);
}

size_t photo_bytes(struct photo *photo, const uint32_t *pixels, size_t stride, uint32_t width,
	uint32_t height, int quality, int subsampling, bool small, uint8_t *ret, size_t room)
{
	return 0;
}

#endif
