/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What came back from systemd as a display's record: nothing in it breaks the start of the daemon. What is believed is written and read
 * again as the same.
 */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "memo.h"
#include "state/record.h"

static int take(void *arg, const char *name)
{
	return strstr(name, ".0") ? -ENOENT : memfd_create("taken", MFD_CLOEXEC);
}

static void record(const uint8_t *data, size_t size)
{
	int fd = memfd_create("record", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct record *fresh, *opened;
	off_t whole;
	size_t n;

	if (record_create(&fresh) < 0)
		abort();
	whole = lseek(record_fd(fresh), 0, SEEK_END);
	record_destroy(fresh);
	/* The first byte says whether it has the length of a record. */
	if (ftruncate(fd, data[0] & 1 ? whole : (off_t)size) < 0 ||
		pwrite(fd, data + 1, size - 1, 0) < 0 ||
		(data[0] & 2 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0))
		abort();
	if (record_open(fd, &opened) < 0)
		return;
	record_text(opened, &n);
	if (n > LIMIT_RECORD_BYTES || record_write(opened, "new", 3) < 0)
		abort();
	record_destroy(opened);
}

static void memo(const char *text, size_t size)
{
	static struct memo first, second;
	struct handover handover, again;
	char *written;
	size_t n;

	if (memo_read(text, size, take, NULL, &first, &handover) < 0)
		return;
	written = memo_write(&first, &handover, &n);
	if (!written || memo_read(written, n, take, NULL, &second, &again) < 0)
		abort();
	if (strcmp(handover.context.id, again.context.id) != 0 ||
		handover.listeners_used != again.listeners_used ||
		handover.inputs_used != again.inputs_used || handover.uid != again.uid ||
		first.wall.roster.used != (first.link[0] && first.program[0]
							  ? second.wall.roster.used
							  : first.wall.roster.used))
		abort();
	free(written);
	handover_finish(&handover);
	handover_finish(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 1 && data[0] < 4)
		record(data, size);
	else
		memo((const char *)data, size);
	return 0;
}
