// SPDX-License-Identifier: GPL-2.0
/* A dma-buf that shows a piece of video memory. It holds the display, not the device. */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/scatterlist.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include "sim.h"

struct buffer {
	struct vdsim *sim;
	struct vdsim_object *object;
	u32 id;
	u32 flags;
	u32 map_error;
	u64 offset;
	size_t size;
};

static int buffer_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attachment)
{
	struct buffer *buffer = dmabuf->priv;

	atomic_inc(&buffer->sim->attachments);
	atomic_inc(&vdsim_alive[VDSIM_ALIVE_ATTACHMENTS]);
	return 0;
}

static void buffer_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attachment)
{
	struct buffer *buffer = dmabuf->priv;

	atomic_dec(&buffer->sim->attachments);
	atomic_dec(&vdsim_alive[VDSIM_ALIVE_ATTACHMENTS]);
}

static void pages_put(struct page **pages, unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		put_page(pages[i]);
	atomic_sub(count, &vdsim_alive[VDSIM_ALIVE_PAGES]);
}

static int pages_get(struct buffer *buffer, struct page **pages, unsigned long count)
{
	struct address_space *mapping = buffer->sim->memory->f_mapping;

	for (unsigned long i = 0; i < count; i++) {
		pages[i] = shmem_read_mapping_page(mapping, (buffer->offset >> PAGE_SHIFT) + i);
		if (IS_ERR(pages[i])) {
			int r = PTR_ERR(pages[i]);

			pages_put(pages, i);
			return r;
		}
		atomic_inc(&vdsim_alive[VDSIM_ALIVE_PAGES]);
	}
	return 0;
}

static struct sg_table *buffer_map(
	struct dma_buf_attachment *attachment, enum dma_data_direction direction)
{
	struct buffer *buffer = attachment->dmabuf->priv;
	unsigned long count = PAGE_ALIGN(buffer->size) >> PAGE_SHIFT;
	struct page **pages = kvmalloc_array(count, sizeof(*pages), GFP_KERNEL);
	struct sg_table *table = kzalloc(sizeof(*table), GFP_KERNEL);
	int r = pages && table ? pages_get(buffer, pages, count) : -ENOMEM;

	if (r)
		goto fail;
	r = sg_alloc_table_from_pages(table, pages, count, 0, count << PAGE_SHIFT, GFP_KERNEL);
	if (r)
		goto fail_pages;
	r = dma_map_sgtable(attachment->dev, table, direction, 0);
	if (r)
		goto fail_table;
	kvfree(pages);
	return table;

fail_table:
	sg_free_table(table);
fail_pages:
	pages_put(pages, count);
fail:
	kvfree(pages);
	kfree(table);
	return ERR_PTR(r);
}

static void buffer_unmap(struct dma_buf_attachment *attachment, struct sg_table *table,
	enum dma_data_direction direction)
{
	struct sg_page_iter iterator;

	dma_unmap_sgtable(attachment->dev, table, direction, 0);
	for_each_sgtable_page(table, &iterator, 0)
	{
		struct page *page = sg_page_iter_page(&iterator);

		set_page_dirty(page);
		pages_put(&page, 1);
	}
	sg_free_table(table);
	kfree(table);
}

static int buffer_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct buffer *buffer = dmabuf->priv;
	int r = vdsim_script(buffer->sim, VDSIM_SCRIPT_DMABUF_MMAP);

	if (!r)
		r = -(int)buffer->map_error;
	if (!r)
		r = vdsim_memory_map(buffer->sim, vma,
			buffer->offset + ((u64)vma->vm_pgoff << PAGE_SHIFT), VDSIM_VIEW_DMABUF);
	if (r > 0)
		r = -EINVAL;
	if (r)
		vdsim_count(buffer->sim, map_error);
	else
		vdsim_count(buffer->sim, map);
	vdsim_log(buffer->sim, VDSIM_DID_DMABUF_MMAP, buffer->id, r, vma->vm_end - vma->vm_start);
	return r;
}

static void buffer_free(struct buffer *buffer)
{
	struct vdsim *sim = buffer->sim;

	kfree(buffer);
	atomic_dec(&sim->dmabufs);
	atomic_dec(&vdsim_alive[VDSIM_ALIVE_DMABUFS]);
	vdsim_put(sim);
}

static void buffer_release(struct dma_buf *dmabuf)
{
	struct buffer *buffer = dmabuf->priv;

	vdsim_log(buffer->sim, VDSIM_DID_DMABUF_RELEASE, buffer->id, 0, 0);
	vdsim_object_closed(buffer->sim, buffer->object);
	buffer_free(buffer);
}

static const struct dma_buf_ops buffer_operations = {
	.attach = buffer_attach,
	.detach = buffer_detach,
	.map_dma_buf = buffer_map,
	.unmap_dma_buf = buffer_unmap,
	.mmap = buffer_mmap,
	.release = buffer_release,
};

struct dma_buf *vdsim_dmabuf_export(struct vdsim *sim, struct vdsim_object *object)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	struct buffer *buffer;

	if (!object->length || !PAGE_ALIGNED(object->offset) ||
		object->offset >> VDSIM_REGION_SHIFT || object->length >> VDSIM_REGION_SHIFT)
		return ERR_PTR(-EINVAL);
	buffer = kmalloc(sizeof(*buffer), GFP_KERNEL);
	if (!buffer)
		return ERR_PTR(-ENOMEM);
	*buffer = (struct buffer){
		.sim = sim,
		.object = object,
		.id = object->id,
		.flags = object->flags,
		.map_error = object->map_error,
		.offset = object->offset,
		.size = object->length,
	};
	vdsim_get(sim);
	atomic_inc(&sim->dmabufs);
	atomic_inc(&vdsim_alive[VDSIM_ALIVE_DMABUFS]);
	info.ops = &buffer_operations;
	info.size = buffer->size;
	info.flags = O_CLOEXEC | (buffer->flags & VDSIM_FRAME_READ_ONLY ? O_RDONLY : O_RDWR);
	info.priv = buffer;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf))
		buffer_free(buffer);
	else
		object->open++;
	return dmabuf;
}
