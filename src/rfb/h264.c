/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: x264 is held to what a decoder of any viewer does and what a picture on a wire needs: no picture waits for another one
 * ("zerolatency"), none is an I picture but where it is asked for, and all runs in the thread that asks, which the sandbox and the memory of a
 * display's program want. The quantiser is told for each picture: x264 would look at a small copy of each one first to choose it, which takes a third
 * of all the time, and quality is ours to choose (rfb/quality.h). Colours are said to be what rfb/planes.h makes.
 */
#include "rfb/h264.h"

#include <errno.h>

#include "base/mem.h"
#include "rfb/planes.h"

#ifdef HAVE_X264
#include <x264.h>

/* Quantisers. Like JPEG at a middle quality; what is still ends exact anyway. */
#define QUANTISER      24
#define QUANTISER_STEP 3 /* a quarter fewer bytes */
#define QUANTISER_KEY  3 /* less for keys, on which all others build */

/* ITU-T H.264, table E-3 to E-5. */
#define PRIMARIES_BT709	  1
#define TRANSFER_SRGB	  13
#define MATRIX_SMPTE_170M 6

struct h264 {
	x264_t *encoder;
	x264_picture_t picture; /* its planes are `room` */
	uint32_t width, height;
	uint8_t *room; /* owned */
};

bool h264_there(void)
{
	return true;
}

static void settle(x264_param_t *param, uint32_t width, uint32_t height)
{
	x264_param_default_preset(param, "superfast", "zerolatency");
	param->i_width = width;
	param->i_height = height;
	param->i_csp = X264_CSP_NV12;
	param->i_threads = 1;
	param->b_sliced_threads = 0;
	param->b_deterministic = 1;
	param->i_log_level = X264_LOG_NONE;
	param->b_vfr_input = 0;
	param->i_fps_num = 30;
	param->i_fps_den = 1;
	param->i_keyint_max = X264_KEYINT_MAX_INFINITE;
	param->i_scenecut_threshold = 0;
	param->b_repeat_headers = 1;
	param->b_annexb = 1;
	param->b_aud = 0;
	param->rc.i_rc_method = X264_RC_CQP;
	param->rc.i_qp_constant = QUANTISER;
	param->vui.b_fullrange = 0;
	param->vui.i_colorprim = PRIMARIES_BT709;
	param->vui.i_transfer = TRANSFER_SRGB;
	param->vui.i_colmatrix = MATRIX_SMPTE_170M;
	x264_param_apply_profile(param, "baseline");
}

int h264_create(uint32_t width, uint32_t height, struct h264 **ret)
{
	struct h264 *h264 = new0(struct h264);
	size_t stride = ALIGN_UP((size_t)width, 64);
	x264_param_t param;

	if (!h264)
		return -ENOMEM;
	settle(&param, width, height);
	h264->width = width;
	h264->height = height;
	h264->room = malloc(stride * height + stride * height / 2);
	h264->encoder = h264->room ? x264_encoder_open(&param) : NULL;
	if (!h264->encoder) {
		h264_destroy(h264);
		return -ENOMEM;
	}
	x264_picture_init(&h264->picture);
	h264->picture.img.i_csp = X264_CSP_NV12;
	h264->picture.img.i_plane = 2;
	h264->picture.img.i_stride[0] = h264->picture.img.i_stride[1] = stride;
	h264->picture.img.plane[0] = h264->room;
	h264->picture.img.plane[1] = h264->room + stride * height;
	*ret = h264;
	return 0;
}

void h264_destroy(struct h264 *h264)
{
	if (!h264)
		return;
	if (h264->encoder)
		x264_encoder_close(h264->encoder);
	free(h264->room);
	free(h264);
}

static int quantiser(bool key, unsigned int step)
{
	return QUANTISER + QUANTISER_STEP * MIN(step, (unsigned int)H264_STEPS) -
	       (key ? QUANTISER_KEY : 0);
}

int h264_encode(struct h264 *h264, const uint32_t *pixels, size_t stride, bool key,
	unsigned int step, const uint8_t **ret_bytes, size_t *ret_size)
{
	const x264_image_t *image = &h264->picture.img;
	const struct planes planes = {
		.pixels = pixels,
		.stride = stride,
		.width = h264->width,
		.height = h264->height,
		.bright = image->plane[0],
		.colour = image->plane[1],
		.bright_stride = image->i_stride[0],
		.colour_stride = image->i_stride[1],
	};
	x264_picture_t out;
	x264_nal_t *nals;
	int count, size;

	planes_fill(&planes);
	h264->picture.i_qpplus1 = quantiser(key, step) + 1;
	h264->picture.i_type = key ? X264_TYPE_IDR : X264_TYPE_P;
	size = x264_encoder_encode(h264->encoder, &nals, &count, &h264->picture, &out);
	h264->picture.i_pts++;
	/* Nothing: it keeps the picture for later, which it has been told not to. */
	if (size <= 0 || (key && !out.b_keyframe))
		return -EIO;
	*ret_bytes = nals[0].p_payload;
	*ret_size = size;
	return 0;
}

#else

bool h264_there(void)
{
	return false;
}

int h264_create(uint32_t width, uint32_t height, struct h264 **ret)
{
	(void)width, (void)height, (void)ret;
	return -ENOTSUP;
}

void h264_destroy(struct h264 *h264)
{
	(void)h264;
}

int h264_encode(struct h264 *h264, const uint32_t *pixels, size_t stride, bool key,
	unsigned int step, const uint8_t **ret_bytes, size_t *ret_size)
{
	(void)h264, (void)pixels, (void)stride, (void)key, (void)step, (void)ret_bytes;
	(void)ret_size;
	return -EIO;
}
#endif
