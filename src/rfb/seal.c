/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/seal.h"

#include <errno.h>

#include "rfb/wire.h"

int seal_init(struct seal *seal, const uint8_t *key, size_t key_size)
{
	*seal = (struct seal){0};
	return eax_init(&seal->eax, key, key_size);
}

void seal_finish(struct seal *seal)
{
	eax_finish(&seal->eax);
}

static void count(struct seal *seal)
{
	for (int i = 0; i < EAX_BLOCK && ++seal->number[i] == 0; i++)
		;
}

int seal_close(struct seal *seal, const uint8_t *data, size_t size, uint8_t *ret)
{
	int r;

	if (size > SEAL_SENT)
		return -EMSGSIZE;
	wire_put_u16(ret, size);
	r = eax_encrypt(&seal->eax, seal->number, ret, SEAL_HEAD, data, size, ret + SEAL_HEAD,
		ret + SEAL_HEAD + size);
	count(seal);
	return r;
}

int seal_open(struct seal *seal, const uint8_t *data, size_t size, size_t maximum, uint8_t *ret,
	size_t *ret_size)
{
	const uint8_t head[SEAL_HEAD] = {size > 0 ? data[0] : 0, size > 1 ? data[1] : 0};
	size_t inside = wire_u16(head);
	int r;

	if (size < SEAL_HEAD)
		return 0;
	if (inside > maximum)
		return -EMSGSIZE;
	if (size < inside + SEAL_EXTRA)
		return 0;
	r = eax_decrypt(&seal->eax, seal->number, head, SEAL_HEAD, data + SEAL_HEAD, inside,
		data + SEAL_HEAD + inside, ret);
	if (r < 0)
		return r;
	count(seal);
	*ret_size = inside;
	return inside + SEAL_EXTRA;
}
