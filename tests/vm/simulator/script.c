// SPDX-License-Identifier: GPL-2.0
/* Calls that wait and fail as they are told. */
#include <linux/jiffies.h>

#include "sim.h"

/* Whether one more call is due. */
static bool take(u32 *count)
{
	if (!*count)
		return false;
	if (*count != VDSIM_FOREVER)
		--*count;
	return true;
}

void vdsim_release_blocked(struct vdsim *sim)
{
	WRITE_ONCE(sim->generation, sim->generation + 1);
	wake_up_all(&sim->released);
}

/* Waits for the time or the release. An unkillable wait is an idle one: it is meant, so the kernel need not warn of it. */
static int wait_released(struct vdsim *sim, u32 generation, u32 ms, bool killable)
{
	long left = ms == VDSIM_FOREVER ? MAX_SCHEDULE_TIMEOUT : msecs_to_jiffies(ms);

	if (!killable)
		wait_event_idle_timeout(
			sim->released, READ_ONCE(sim->generation) != generation, left);
	else if (wait_event_killable_timeout(
			 sim->released, READ_ONCE(sim->generation) != generation, left) < 0)
		return -EINTR;
	return 0;
}

static int block(struct vdsim *sim, u32 generation, u32 ms, u32 flags)
{
	bool exclusive = flags & VDSIM_BLOCK_EXCLUSIVE,
	     killable = !(flags & VDSIM_BLOCK_UNKILLABLE);
	int r;

	vdsim_count(sim, blocked);
	if (exclusive && mutex_lock_killable(&sim->exclusive))
		return -EINTR;
	atomic_inc(&sim->blocked);
	r = wait_released(sim, generation, ms, killable);
	atomic_dec(&sim->blocked);
	if (exclusive)
		mutex_unlock(&sim->exclusive);
	if (r)
		vdsim_count(sim, interrupted);
	return r;
}

int vdsim_exclusive_wait(struct vdsim *sim)
{
	if (mutex_lock_killable(&sim->exclusive))
		return -EINTR;
	mutex_unlock(&sim->exclusive);
	return 0;
}

int vdsim_script(struct vdsim *sim, unsigned int which)
{
	struct vdsim_script *script = &sim->control.script[which];
	u32 answer = 0, ms = 0, flags, generation;
	bool may_block = which != VDSIM_SCRIPT_MMAP && which != VDSIM_SCRIPT_DMABUF_MMAP;
	int r;

	mutex_lock(&sim->lock);
	if (!take(&script->skip)) {
		if (may_block && take(&script->block_count))
			ms = script->block_ms;
		if (take(&script->count))
			answer = script->answer;
	}
	flags = script->block_flags;
	generation = sim->generation;
	mutex_unlock(&sim->lock);
	if (ms) {
		r = block(sim, generation, ms, flags);
		if (r)
			return r;
	}
	return answer < VDSIM_ANSWER_UNTOUCHED ? -(int)answer : answer;
}
