/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-put-x: puts a file's pixels onto an X server's screen, all of them by XShmPutImage, when somebody says so.
 *
 *   bench-put-x FILE OFFSET WIDTH HEIGHT        told by 8 bytes at standard input; DISPLAY names the server
 */
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XShm.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

/* A window as large as the screen, with a pointer that is not to be seen. */
static Window make_window(Display *x, int width, int height)
{
	XSetWindowAttributes attributes = {.override_redirect = True, .background_pixmap = None};
	Window window = XCreateWindow(x, DefaultRootWindow(x), 0, 0, (unsigned int)width,
		(unsigned int)height, 0, CopyFromParent, InputOutput, CopyFromParent,
		CWOverrideRedirect | CWBackPixmap, &attributes);
	Pixmap none = XCreateBitmapFromData(x, window, (const char[]){0}, 1, 1);
	XColor black = {0};

	XDefineCursor(x, window, XCreatePixmapCursor(x, none, none, &black, &black, 0, 0));
	XMapWindow(x, window);
	XWarpPointer(x, None, window, 0, 0, 0, 0, width - 1, height - 1);
	XSync(x, False);
	return window;
}

static XImage *make_image(Display *x, XShmSegmentInfo *segment, int width, int height)
{
	XImage *image = XShmCreateImage(x, DefaultVisual(x, DefaultScreen(x)), 24, ZPixmap, NULL,
		segment, (unsigned int)width, (unsigned int)height);

	if (!image || image->bits_per_pixel != 32)
		return NULL;
	segment->shmid = shmget(
		IPC_PRIVATE, (size_t)image->bytes_per_line * (size_t)height, IPC_CREAT | 0600);
	segment->shmaddr = image->data = shmat(segment->shmid, NULL, 0);
	segment->readOnly = False;
	XShmAttach(x, segment);
	XSync(x, False);
	shmctl(segment->shmid, IPC_RMID, NULL);
	return image;
}

int main(int argc, char **argv)
{
	int width = argc == 5 ? (int)strtol(argv[3], NULL, 10) : 0,
	    height = argc == 5 ? (int)strtol(argv[4], NULL, 10) : 0;
	size_t offset = argc == 5 ? strtoul(argv[2], NULL, 10) : 0, stride = (size_t)width * 4;
	int fd = argc == 5 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	XShmSegmentInfo segment = {0};
	Display *x = XOpenDisplay(NULL);
	uint64_t words[64];
	const uint8_t *map;
	XImage *image;
	Window window;

	if (fd < 0 || !x)
		return EXIT_FAILURE;
	map = mmap(NULL, offset + stride * (size_t)height, PROT_READ, MAP_SHARED, fd, 0);
	window = make_window(x, width, height);
	image = make_image(x, &segment, width, height);
	if (map == MAP_FAILED || !image)
		return EXIT_FAILURE;
	do {
		for (int y = 0; y < height; y++)
			memcpy(image->data + (size_t)y * (size_t)image->bytes_per_line,
				map + offset + (size_t)y * stride, stride);
		XShmPutImage(x, window, DefaultGC(x, DefaultScreen(x)), image, 0, 0, 0, 0,
			(unsigned int)width, (unsigned int)height, False);
		XSync(x, False);
	} while (read(STDIN_FILENO, words, sizeof(words)) > 0);
	return EXIT_SUCCESS;
}
