/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The program on the other side runs a GPU's driver from Mesa, some megabytes of code that read what a guest has a hand in. It
 * holds a render node and the dma-bufs of one display, no device and no viewer. It is trusted with nothing more than what is in
 * those dma-bufs:
 *
 * - The surface's memory is made here and sealed against every change of its size, so reading it cannot run off its end, and
 *   where the pixels are was decided here. What the program writes there at the wrong time is a wrong picture and no more,
 *   as with a guest that draws while it is read.
 * - An answer is a number and a step. Anything else ends the program.
 * - Every wait has an end, after which the program is killed. The next one is started less and less often. The thread that waits is the display's own; so that the end of a
 *   lease is not delayed, `stopping` is asked meanwhile.
 *
 * A buffer that the driver refuses is asked for again once a second only: its fd is kept, so that costs the guest's driver
 * nothing, and a refusal in the middle of a mode switch is not for ever.
 */
#include "capture/import.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "capture/import_link.h"
#include "handover/descriptor.h"
#include "vfio-displayd/surface.h"

#define SURFACE_START 4096u /* where pixels begin */
#define SLICE_MS      50    /* how often `stopping` is asked */

_Static_assert(PLANE_CURSOR + 1 == IMPORT_SURFACES, "a surface for each type of plane");

struct picture {
	void *base; /* mapped read-only; NULL: none */
	size_t size;
	int fd;	   /* owned */
	bool sent; /* this program has it */
};

struct given {
	bool sent;
	struct import_buffer buffer;
	uint64_t retry_at; /* refused: not again before; 0: not refused */
	enum import_step step;
	uint32_t error;
};

struct importer {
	struct importer_options options;
	int socket, pidfd; /* -EBADF: no program runs */
	bool ready;
	uint64_t started_at; /* of the last program */
	uint64_t rest_until; /* no other program before */
	uint64_t rest_ms;    /* from its start, how long; 0: none has ended yet */
	uint32_t turn;
	struct picture pictures[IMPORT_SURFACES];
	struct given given[LIMIT_DMABUFS];
	char reason[160];
};

int importer_create(const struct importer_options *options, struct importer **ret)
{
	struct importer *importer = new0(struct importer);

	if (!importer)
		return -ENOMEM;
	importer->options = *options;
	importer->socket = importer->pidfd = -EBADF;
	for (size_t i = 0; i < IMPORT_SURFACES; i++)
		importer->pictures[i].fd = -EBADF;
	*ret = importer;
	return 0;
}

__attribute__((format(printf, 3, 4))) static int fail(
	struct importer *importer, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(importer->reason, sizeof(importer->reason), format, args);
	va_end(args);
	return error;
}

/* After a program that was at fault. One that never lasts is started less and less often. */
static void rest(struct importer *importer)
{
	uint64_t now = loop_now_ms();
	uint64_t rest_ms = MAX(2 * importer->rest_ms, (uint64_t)LIMIT_RESPAWN_MS);

	if (now - importer->started_at >= LIMIT_IMPORT_REST_MS)
		rest_ms = LIMIT_RESPAWN_MS;
	importer->rest_ms = MIN(rest_ms, (uint64_t)LIMIT_IMPORT_REST_MS);
	importer->rest_until = importer->started_at + importer->rest_ms;
}

static void end_program(struct importer *importer)
{
	if (importer->pidfd >= 0 && !spawn_end(importer->pidfd, LIMIT_IMPORT_END_MS))
		log_warn(importer->options.id, "the import program does not end: the kernel holds "
					       "it, and the dma-bufs that it has");
	importer->pidfd = -EBADF;
	fd_closep(&importer->socket);
	importer->ready = false;
	for (size_t i = 0; i < LIMIT_DMABUFS; i++)
		importer->given[i].sent = false;
	for (size_t i = 0; i < IMPORT_SURFACES; i++)
		importer->pictures[i].sent = false;
}

/* Says why, in the journal and for viewers. */
static int condemn(struct importer *importer, const char *why)
{
	log_warn(importer->options.id, "the import program %s", why);
	end_program(importer);
	rest(importer);
	return fail(importer, -EIO, "the import program %s", why);
}

static void picture_close(struct picture *picture)
{
	if (picture->base)
		munmap(picture->base, picture->size);
	fd_close(picture->fd);
	*picture = (struct picture){.fd = -EBADF};
}

void importer_destroy(struct importer *importer)
{
	if (!importer)
		return;
	end_program(importer);
	for (size_t i = 0; i < IMPORT_SURFACES; i++)
		picture_close(&importer->pictures[i]);
	fd_close(importer->options.node);
	free(importer);
}

const char *importer_absent(const struct importer *importer)
{
	const struct importer_options *options = &importer->options;

	if (options->policy == IMPORT_NEVER)
		return "the CPU cannot read this dma-buf, and importing it is switched off: see "
		       "import in vfio-displayd.conf";
	if (!options->program)
		return "the CPU cannot read this dma-buf, and this vfio-displayd was built without "
		       "its import program (--with-gbm)";
	if (options->node < 0 && !options->node_path)
		return "the CPU cannot read this dma-buf and no render node is given: register "
		       "one, or set render-node in vfio-displayd.conf";
	return NULL;
}

bool importer_is_first_choice(const struct importer *importer)
{
	return importer->options.policy == IMPORT_ALWAYS && !importer_absent(importer);
}

const char *importer_reason(const struct importer *importer)
{
	return importer->reason;
}

/* ---- The program ---- */

static int open_node(struct importer *importer)
{
	const char *path = importer->options.node_path;
	_cleanup_fd_ int fd = -EBADF;
	const char *wrong;

	if (importer->options.node >= 0)
		return 0;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return fail(importer, -EIO, "the render node %.64s cannot be opened: %s", path,
			strerror(errno));
	wrong = descriptor_render(fd);
	if (wrong)
		return fail(importer, -EIO, "%.64s %s", path, wrong);
	importer->options.node = fd_move_high(take_fd(&fd));
	return 0;
}

static int say_hello(struct importer *importer)
{
	struct import_message message = {.type = IMPORT_HELLO, .version = IMPORT_VERSION};

	message.hello.log_level = log_level();
	snprintf(message.hello.id, sizeof(message.hello.id), "%s", importer->options.id);
	return import_send(importer->socket, &message, importer->options.node);
}

static int start_program(struct importer *importer)
{
	char *arguments[] = {(char *)"vfio-displayd-import", NULL};
	uint64_t now = loop_now_ms();
	int pair[2], r;
	pid_t pid;

	if (now < importer->rest_until)
		return -EIO; /* the reason why the last one ended still holds */
	r = open_node(importer);
	if (r < 0)
		return r;
	importer->started_at = now;
	importer->rest_until = now + LIMIT_RESPAWN_MS;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(
			importer, -EIO, "no socket for the import program: %s", strerror(errno));
	pair[0] = fd_move_high(pair[0]);
	pair[1] = fd_move_high(pair[1]);
	r = spawn_program(importer->options.program, arguments, pair[1], &pid, &importer->pidfd);
	fd_close(pair[1]);
	if (r < 0) {
		fd_close(pair[0]);
		return fail(importer, -EIO, "%.80s cannot be started: %s",
			importer->options.program, strerror(-r));
	}
	importer->socket = pair[0];
	r = say_hello(importer);
	return r < 0 ? condemn(importer, "ended at once") : 0;
}

/* The next message, within @ms; everything else ends the program but -ETIMEDOUT, which is the caller's. */
static int wait_message(struct importer *importer, uint64_t ms, struct import_message *ret)
{
	uint64_t end = loop_now_ms() + ms, now;
	int fd, r;

	while ((r = import_receive(importer->socket, false, ret, &fd)) == -EAGAIN) {
		struct pollfd pollfd = {.fd = importer->socket, .events = POLLIN};

		if (importer->options.stopping && importer->options.stopping(importer->options.arg))
			return fail(importer, -EIO, "the display ends");
		now = loop_now_ms();
		if (now >= end)
			return -ETIMEDOUT;
		poll(&pollfd, 1, (int)MIN(end - now, (uint64_t)SLICE_MS));
	}
	if (r == -EPIPE)
		return condemn(importer, "ended by itself");
	return r < 0 ? condemn(importer, "said something that has no meaning and was ended") : 0;
}

/* Between two copies it has nothing to say. It ends there when it was not asked for anything for a while, which is as good as
 * never started, but for the rate at which it is started. */
static int still_there(struct importer *importer)
{
	struct import_message message;
	int fd = -EBADF, r;

	if (importer->socket < 0 || !importer->ready)
		return 0;
	r = import_receive(importer->socket, false, &message, &fd);
	if (r == -EAGAIN)
		return 0;
	if (r != -EPIPE)
		return condemn(importer, "said something that has no meaning and was ended");
	log_info(importer->options.id, "the import program has ended");
	end_program(importer);
	fail(importer, -EIO, "the import program ended by itself");
	return 0;
}

/* 0: it runs and has said so. Loading a driver can take a while, which need not be waited for in one look. */
static int have_program(struct importer *importer)
{
	struct import_message message;
	int r = still_there(importer);

	if (r == 0 && importer->socket < 0)
		r = start_program(importer);
	if (r < 0 || importer->ready)
		return r;
	r = wait_message(importer, LIMIT_IMPORT_LOOK_MS, &message);
	if (r == -ETIMEDOUT) {
		if (loop_now_ms() - importer->started_at >= LIMIT_START_MS)
			return condemn(importer, "was not ready in time and was ended");
		return fail(importer, -EIO, "the import program is starting");
	}
	if (r < 0)
		return r;
	if (message.type != IMPORT_READY)
		return condemn(importer, "said something that has no meaning and was ended");
	importer->ready = true;
	return 0;
}

static int tell(struct importer *importer, const struct import_message *message, int fd)
{
	int r = import_send(importer->socket, message, fd);

	return r < 0 ? condemn(importer, "does not listen and was ended") : 0;
}

/* ---- Where pixels go ---- */

static void write_header(
	struct vfio_displayd_surface *header, const struct plane *plane, uint32_t stride)
{
	struct vfio_displayd_surface_plane *to = &header->planes[VFIO_DISPLAYD_SURFACE_PRIMARY];

	header->magic = VFIO_DISPLAYD_SURFACE_MAGIC;
	header->version = VFIO_DISPLAYD_SURFACE_VERSION;
	to->start = SURFACE_START;
	to->format = plane->fourcc;
	to->width = plane->width;
	to->height = plane->height;
	to->stride = stride;
	to->size = (uint64_t)stride * plane->height;
}

/* A surface that fits @plane exactly: so a smaller mode also gives memory back. */
static int have_picture(struct importer *importer, const struct plane *plane, uint32_t stride)
{
	struct picture *picture = &importer->pictures[plane->type];
	size_t size = ALIGN_UP(SURFACE_START + (size_t)stride * plane->height, (size_t)4096);
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct vfio_displayd_surface header = {0};
	void *base;

	if (picture->base && picture->size == size)
		return 0;
	picture_close(picture);
	write_header(&header, plane, stride);
	picture->fd =
		fd_move_high(memfd_create("vfio-display-import", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	if (picture->fd < 0 || ftruncate(picture->fd, (off_t)size) < 0 ||
		pwrite(picture->fd, &header, sizeof(header), 0) != sizeof(header) ||
		fcntl(picture->fd, F_ADD_SEALS, seals) < 0)
		return fail(
			importer, -EIO, "no memory for an imported picture: %s", strerror(errno));
	base = mmap(NULL, size, PROT_READ, MAP_SHARED, picture->fd, 0);
	if (base == MAP_FAILED)
		return fail(
			importer, -EIO, "no memory for an imported picture: %s", strerror(errno));
	picture->base = base;
	picture->size = size;
	return 0;
}

static int send_picture(struct importer *importer, unsigned int number)
{
	struct picture *picture = &importer->pictures[number];
	struct import_message message = {.type = IMPORT_SURFACE};
	int r;

	if (picture->sent)
		return 0;
	message.surface.surface = number;
	message.surface.size = picture->size;
	r = tell(importer, &message, picture->fd);
	picture->sent = r == 0;
	return r;
}

/* ---- Buffers ---- */

static int send_buffer(struct importer *importer, const struct import_buffer *buffer, int dmabuf)
{
	struct given *given = &importer->given[buffer->index];
	struct import_message message = {.type = IMPORT_GIVE, .give = *buffer};
	int r;

	if (given->sent && memcmp(&given->buffer, buffer, sizeof(*buffer)) == 0)
		return 0;
	r = tell(importer, &message, dmabuf);
	if (r < 0)
		return r;
	given->buffer = *buffer;
	given->sent = true;
	return 0;
}

void importer_drop(struct importer *importer, unsigned int index)
{
	struct import_message message = {.type = IMPORT_DROP};
	struct given *given = &importer->given[index];

	message.drop.index = index;
	if (given->sent)
		tell(importer, &message, -EBADF);
	*given = (struct given){0};
}

static int refused(struct importer *importer, const struct given *given)
{
	const char *what = given->step == IMPORT_NO_IMPORT ? "does not take this dma-buf"
			   : given->step == IMPORT_NO_MAP  ? "cannot read this dma-buf"
							   : "misreads this dma-buf";

	return fail(importer, -ENODEV,
		"the render node's driver %s%s%s%s: is it of the device's own GPU?", what,
		given->error ? " (" : "", given->error ? strerror((int)given->error) : "",
		given->error ? ")" : "");
}

static int wait_done(struct importer *importer, struct given *given)
{
	struct import_message message;
	int r = wait_message(importer, LIMIT_IMPORT_COPY_MS, &message);

	if (r == -ETIMEDOUT)
		return condemn(importer, "has not copied a picture in time and was ended");
	if (r < 0) {
		/* Waited for in vain, it would answer this copy when the next one is out. */
		if (importer->socket >= 0)
			end_program(importer);
		return r;
	}
	if (message.type != IMPORT_DONE || message.done.turn != importer->turn)
		return condemn(importer, "said something that has no meaning and was ended");
	given->step = message.done.step;
	given->error = message.done.error;
	if (given->step == IMPORT_DONE_WELL)
		return 0;
	given->retry_at = loop_now_ms() + LIMIT_IMPORT_RETRY_MS;
	return refused(importer, given);
}

int importer_copy(struct importer *importer, unsigned int index, int dmabuf,
	const struct plane *plane, uint32_t row, struct imported *ret)
{
	struct import_message message = {.type = IMPORT_COPY};
	struct given *given = &importer->given[index];
	uint32_t stride = ALIGN_UP(row, 64u);
	struct import_buffer buffer = {
		.index = index,
		.fourcc = plane->fourcc,
		.modifier = plane->modifier,
		.width = plane->width,
		.height = plane->height,
		.stride = plane->stride,
		.offset = (uint32_t)plane->offset,
	};
	int r;

	if (plane->offset > INT32_MAX)
		return fail(importer, -ENODEV, "the plane begins too far inside its dma-buf");
	if (given->retry_at > loop_now_ms() && memcmp(&given->buffer, &buffer, sizeof(buffer)) == 0)
		return refused(importer, given);
	given->retry_at = 0;
	r = have_picture(importer, plane, stride);
	if (r == 0)
		r = have_program(importer);
	if (r == 0)
		r = send_picture(importer, plane->type);
	if (r == 0)
		r = send_buffer(importer, &buffer, dmabuf);
	if (r < 0)
		return r;
	message.copy = (struct import_copy){
		.turn = ++importer->turn,
		.index = index,
		.surface = plane->type,
		.start = SURFACE_START,
		.stride = stride,
		.row_bytes = row,
		.rows = plane->height,
	};
	r = tell(importer, &message, -EBADF);
	if (r == 0)
		r = wait_done(importer, given);
	if (r < 0)
		return r;
	ret->pixels = (const uint8_t *)importer->pictures[plane->type].base + SURFACE_START;
	ret->stride = stride;
	return 0;
}
