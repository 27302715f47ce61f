/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/png.h"
#include "ctl/session.h"
#include "ctl/table.h"
#include "ctl/verbs.h"

struct picture {
	int fd; /* the daemon's memfd */
	uint32_t width, height, stride;
};

static int read_row(void *arg, uint32_t y, uint8_t *row)
{
	const struct picture *picture = arg;
	size_t size = (size_t)picture->width * 4, done = 0;

	while (done < size) {
		ssize_t n = pread(picture->fd, row + done, size - done,
			(off_t)y * picture->stride + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		done += (size_t)n;
	}
	return 0;
}

/* What the daemon says is checked like anybody else's word. */
static int picture_from(const char *id, struct varlink_result *result, struct picture *ret)
{
	json_int_t index = -1, width = 0, height = 0, stride = 0;
	const char *format = "";

	if (json_unpack(result->parameters, "{s:I, s:I, s:I, s:I, s:s}", "fileDescriptorIndex",
		    &index, "width", &width, "height", &height, "stride", &stride, "format",
		    &format) < 0 ||
		index < 0 || index >= (json_int_t)result->fds_used || width < 1 ||
		width > LIMIT_WIDTH || height < 1 || height > LIMIT_HEIGHT || stride < width * 4 ||
		stride > INT_MAX || strcmp(format, "XRGB8888") != 0) {
		complain(id, "vfio-displayd answered what this version does not understand");
		return -1;
	}
	ret->fd = take_fd(&result->fds[index]);
	ret->width = (uint32_t)width;
	ret->height = (uint32_t)height;
	ret->stride = (uint32_t)stride;
	return 0;
}

/* A file appears whole or not at all: it is written beside its place and renamed. */
static int write_beside(const char *path, const struct picture *picture)
{
	char temporary[PATH_MAX];
	_cleanup_fd_ int fd = -EBADF;
	mode_t mask = umask(0);
	int r;

	umask(mask);
	r = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
	if (r >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = png_save(fd, picture->width, picture->height, read_row, (void *)picture);
	if (r >= 0 && fchmod(fd, 0666 & ~mask) < 0)
		r = -errno;
	/* Some file systems say only here that the disk is full. */
	if (r >= 0 && fsync(fd) < 0)
		r = -errno;
	if (r >= 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}

static int write_file(const char *path, const struct picture *picture)
{
	_cleanup_free_ char *real = NULL;
	_cleanup_fd_ int fd = -EBADF;
	struct stat st;

	if (strcmp(path, "-") == 0)
		return png_save(1, picture->width, picture->height, read_row, (void *)picture);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		/* A device or a pipe is written to, not replaced. */
		fd = open(path, O_WRONLY | O_CLOEXEC);
		return fd < 0 ? -errno
			      : png_save(fd, picture->width, picture->height, read_row,
					(void *)picture);
	}
	real = realpath(path, NULL); /* the file behind a link, where there is one */
	return write_beside(real ? real : path, picture);
}

static int capture(const struct ctl *ctl, const char *id, const char *path)
{
	struct picture picture = {.fd = -EBADF};
	struct varlink_result result;
	int r;

	r = session_call(ctl, id, "Capture", json_pack("{s:s}", "id", id), &result);
	if (r != CTL_OK)
		return r;
	r = picture_from(id, &result, &picture);
	if (r == 0 && ctl->json && strcmp(path, "-") != 0)
		json_line(result.parameters);
	varlink_result_finish(&result);
	if (r < 0)
		return CTL_FAILED;
	r = write_file(path, &picture);
	fd_close(picture.fd);
	if (r < 0) {
		complain(id, "cannot write the picture to %s: %s",
			strcmp(path, "-") == 0 ? "standard output" : path, strerror(-r));
		return CTL_FAILED;
	}
	return CTL_OK;
}

const struct option_row capture_options[] = {
	{"output", 1, 'o', "FILE", WORDS_FILES, "where the picture goes; - is standard output"},
	{0},
};

int verb_capture(struct ctl *ctl, int argc, char **argv)
{
	const char *path = NULL;
	int status;

	while (option_next(ctl, capture_options, argc, argv, &status))
		path = optarg;
	if (status != CTL_OK)
		return status;
	if (argc - optind != 1 || !path)
		return complain_usage(
			"capture", "takes one display's id and -o FILE ('-' is standard output)");
	if (strcmp(path, "-") == 0 && isatty(1))
		return complain_usage(
			"capture", "a picture does not go to a terminal; name a file with -o");
	return capture(ctl, argv[optind], path);
}
