/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake-driver.h"

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <drm_fourcc.h>

#include "base/mem.h"

static bool all_zero(const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

static int next_error(int *errors)
{
	int error = errors[0];

	memmove(errors, errors + 1, (FAKE_ERRORS - 1) * sizeof(*errors));
	errors[FAKE_ERRORS - 1] = 0;
	return error;
}

static int fake_probe(struct fake_driver *driver, uint32_t flags)
{
	driver->probes++;
	if (flags == (VFIO_GFX_PLANE_TYPE_PROBE | VFIO_GFX_PLANE_TYPE_DMABUF))
		return driver->probe_dmabuf;
	if (flags == (VFIO_GFX_PLANE_TYPE_PROBE | VFIO_GFX_PLANE_TYPE_REGION))
		return driver->probe_region;
	return -EINVAL;
}

static int fake_query(struct fake_driver *driver, struct vfio_device_gfx_plane_info *info)
{
	size_t written = offsetof(struct vfio_device_gfx_plane_info, region_index) + 4;
	uint32_t type = driver->ignores_type ? VFIO_PLANE_PRIMARY : info->drm_plane_type;
	struct vfio_device_gfx_plane_info answer;
	int r;

	if (info->argsz != 64 ||
		!all_zero((uint8_t *)info + offsetof(struct vfio_device_gfx_plane_info, drm_format),
			sizeof(*info) - offsetof(struct vfio_device_gfx_plane_info, drm_format)))
		driver->dirty = true;
	if (info->flags & VFIO_GFX_PLANE_TYPE_PROBE)
		return fake_probe(driver, info->flags);
	driver->queries++;
	driver->cursor_queries += info->drm_plane_type == VFIO_PLANE_CURSOR;
	r = next_error(driver->query_errors);
	if (r < 0 || driver->query_silent)
		return r;
	answer = driver->planes[type % ARRAY_SIZE(driver->planes)];
	answer.argsz = info->argsz;
	answer.flags = info->flags;
	answer.drm_plane_type = info->drm_plane_type;
	memcpy(info, &answer, written);
	if (driver->short_struct)
		memset((uint8_t *)info + written, 0xa5, sizeof(*info) - written);
	return 0;
}

static int fake_info(struct fake_driver *driver, struct vfio_device_info *info)
{
	driver->infos++;
	if (driver->info < 0)
		return driver->info;
	info->num_regions = driver->num_regions;
	info->num_irqs = driver->num_irqs;
	return driver->info;
}

static int fake_irq(struct fake_driver *driver, struct vfio_irq_info *info)
{
	driver->irqs++;
	driver->forbidden += info->index < VFIO_PCI_NUM_IRQS;
	return driver->irq ? driver->irq(driver, info) : -EINVAL;
}

static int fake_set(struct fake_driver *driver, const struct vfio_irq_set *set)
{
	int event = -1;

	driver->sets++;
	driver->forbidden += set->index < VFIO_PCI_NUM_IRQS;
	driver->set_flags = set->flags;
	driver->set_index = set->index;
	driver->set_start = set->start;
	driver->set_count = set->count;
	if (driver->set_error < 0)
		return driver->set_error;
	if (set->flags & VFIO_IRQ_SET_DATA_EVENTFD) {
		memcpy(&event, set->data, sizeof(event));
		event = dup(event);
	}
	if (driver->event >= 0)
		close(driver->event);
	driver->event = event;
	return 0;
}

static int fake_ioctl(const struct vfio_ops *ops, int fd, unsigned long request, void *argument)
{
	struct fake_driver *driver = container_of((struct vfio_ops *)ops, struct fake_driver, ops);

	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		return fake_info(driver, argument);
	case VFIO_DEVICE_QUERY_GFX_PLANE:
		return fake_query(driver, argument);
	case VFIO_DEVICE_GET_GFX_DMABUF:
		driver->gets++;
		return driver->get ? driver->get(driver, *(uint32_t *)argument) : -ENOTTY;
	case VFIO_DEVICE_GET_REGION_INFO:
		driver->regions++;
		return driver->region ? driver->region(driver, argument) : -EINVAL;
	case VFIO_DEVICE_GET_IRQ_INFO:
		return fake_irq(driver, argument);
	case VFIO_DEVICE_SET_IRQS:
		return fake_set(driver, argument);
	default:
		driver->others++;
		return -ENOTTY;
	}
}

static void edid_log(struct fake_edid *edid, char what)
{
	size_t n = strlen(edid->log);

	if ((n && edid->log[n - 1] == what && what == 'b') || n + 1 >= sizeof(edid->log))
		return;
	edid->log[n] = what;
}

/* What GVT-g calls a good EDID, as far as it matters here. */
static bool edid_valid(const struct fake_edid *edid)
{
	uint8_t sum = 0;

	for (unsigned int i = 0; i < 128; i++)
		sum = (uint8_t)(sum + edid->blob[i]);
	return edid->regs.edid_size == 128 && edid->blob[1] == 0xff && sum == 0;
}

static int edid_set(struct fake_edid *edid, uint64_t at, uint32_t value)
{
	switch (at) {
	case offsetof(struct vfio_region_gfx_edid, link_state):
		if (value == VFIO_DEVICE_GFX_LINK_STATE_UP && edid->refuse_up) {
			edid->refuse_up--;
			return -ETIMEDOUT;
		}
		if (edid->gvt && value == VFIO_DEVICE_GFX_LINK_STATE_UP && !edid_valid(edid))
			return -EINVAL;
		edid->regs.link_state = value;
		edid_log(edid, value == VFIO_DEVICE_GFX_LINK_STATE_UP ? 'u' : 'd');
		return 0;
	case offsetof(struct vfio_region_gfx_edid, edid_size):
		if (value > edid->regs.edid_max_size)
			return -EINVAL;
		edid->regs.edid_size = value;
		edid_log(edid, 's');
		return 0;
	default:
		return -EPERM;
	}
}

/* Where in the region, or -errno. */
static int64_t edid_place(const struct fake_edid *edid, size_t size, off_t offset)
{
	int64_t at = offset - (int64_t)edid->offset;
	uint32_t room = edid->gvt ? edid->regs.edid_size : edid->regs.edid_max_size;

	if (!edid->index || at < 0 || at % 4 || size != 4)
		return -EINVAL;
	if (at < (int64_t)sizeof(edid->regs))
		return at;
	return at < edid->regs.edid_offset || at + 4 > (int64_t)edid->regs.edid_offset + room
		       ? -EINVAL
		       : at;
}

static ssize_t fake_pread(const struct vfio_ops *ops, int fd, void *data, size_t size, off_t offset)
{
	struct fake_driver *driver = container_of((struct vfio_ops *)ops, struct fake_driver, ops);
	struct fake_edid *edid = &driver->edid;
	int64_t at = edid_place(edid, size, offset);

	driver->accesses++;
	if (at < 0)
		return at;
	if (at < (int64_t)sizeof(edid->regs))
		memcpy(data, (uint8_t *)&edid->regs + at, size);
	else
		memcpy(data, edid->blob + at - edid->regs.edid_offset, size);
	return (ssize_t)size;
}

static ssize_t fake_pwrite(
	const struct vfio_ops *ops, int fd, const void *data, size_t size, off_t offset)
{
	struct fake_driver *driver = container_of((struct vfio_ops *)ops, struct fake_driver, ops);
	struct fake_edid *edid = &driver->edid;
	int64_t at = edid_place(edid, size, offset);
	uint32_t value;
	int r = 0;

	driver->accesses++;
	if (at < 0)
		return at;
	memcpy(&value, data, sizeof(value));
	if (edid->refuse && at == edid->refuse_at) {
		r = edid->refuse;
		edid->refuse = 0;
	} else if (at < (int64_t)sizeof(edid->regs)) {
		r = edid_set(edid, (uint64_t)at, value);
	} else {
		memcpy(edid->blob + at - edid->regs.edid_offset, data, size);
		edid_log(edid, 'b');
	}
	if (r < 0)
		edid_log(edid, 'x');
	return r < 0 ? r : (ssize_t)size;
}

void fake_driver_init(struct fake_driver *driver)
{
	*driver = (struct fake_driver){
		.probe_region = -EINVAL,
		.num_regions = VFIO_PCI_NUM_REGIONS,
		.num_irqs = VFIO_PCI_NUM_IRQS,
		.memory = -1,
		.event = -1,
	};
	driver->ops.ioctl = fake_ioctl;
	driver->ops.pread = fake_pread;
	driver->ops.pwrite = fake_pwrite;
}

void fake_driver_edid(struct fake_driver *driver, bool gvt, uint32_t max_size)
{
	driver->num_regions = 11;
	driver->region = fake_region_edid;
	driver->edid = (struct fake_edid){
		.index = 10,
		.offset = 10ull << 40,
		.gvt = gvt,
		.regs = {.edid_offset = 4096 / 2, .edid_max_size = max_size},
	};
}

int fake_region_edid(struct fake_driver *driver, struct vfio_region_info *info)
{
	struct {
		struct vfio_region_info base;
		struct vfio_region_info_cap_type type;
	} answer = {
		.base = {.argsz = sizeof(answer),
			.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
				 VFIO_REGION_INFO_FLAG_CAPS,
			.index = info->index,
			.cap_offset = sizeof(answer.base),
			.size = 4096,
			.offset = driver->edid.offset},
		.type = {.header = {.id = VFIO_REGION_INFO_CAP_TYPE, .version = 1},
			.type = VFIO_REGION_TYPE_GFX,
			.subtype = VFIO_REGION_SUBTYPE_GFX_EDID},
	};

	if (info->argsz > sizeof(answer))
		return -EINVAL;
	if (!driver->edid.index || info->index != driver->edid.index)
		return fake_region_plain(driver, info);
	memcpy(info, &answer, info->argsz);
	return 0;
}

void fake_driver_show(
	struct fake_driver *driver, uint32_t type, uint32_t width, uint32_t height, uint32_t token)
{
	driver->planes[type] = (struct vfio_device_gfx_plane_info){
		.drm_format = DRM_FORMAT_XRGB8888,
		.width = width,
		.height = height,
		.stride = width * 4,
		.size = width * height * 4,
		.dmabuf_id = token,
	};
}

int fake_get_memory(struct fake_driver *driver, uint32_t id)
{
	int fd;

	if (driver->get_error)
		return driver->get_error;
	fd = dup(driver->memory);
	return fd < 0 ? -errno : fd;
}

int fake_region_plain(struct fake_driver *driver, struct vfio_region_info *info)
{
	struct vfio_region_info answer = driver->region_info;

	if (info->argsz < sizeof(answer))
		return -EINVAL;
	answer.argsz = sizeof(answer);
	answer.index = info->index;
	*info = answer;
	return 0;
}

int fake_memory(uint64_t size)
{
	uint8_t block[4096];
	int fd = memfd_create("fake", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return -1;
	for (uint64_t at = 0; at < size; at += sizeof(block)) {
		size_t n = MIN(sizeof(block), size - at);

		for (size_t i = 0; i < n; i++)
			block[i] = (uint8_t)((at + i) / 4 % 251);
		if (pwrite(fd, block, n, (off_t)at) != (ssize_t)n)
			return -1;
	}
	return fd;
}

unsigned int fake_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}
