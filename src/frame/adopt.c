/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * A program that an earlier broker has started has that broker's messages in its queue, and its own answers to them are in ours: a grant, a
 * viewer that came, a question. Instead of guessing what the other one had read, everything is begun anew. RESUME is behind all old
 * messages there; what comes here before RESUMED is thrown away, but for what viewers type, and from RESUMED on the program tells how things are. What it says
 * about viewers is held against what was noted before it was told of them: nobody can be more than an earlier broker has allowed.
 *
 * Between the note and the message the broker may have died. Then the note says more than the program knows, which does no harm: a viewer
 * that is not there leaves the roster when the last HERE has come, and one that was allowed in and asks again hears it again.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "frame/child.h"
#include "frame/wall_internal.h"

void wall_note(struct wall *wall)
{
	if (wall->keeper)
		wall->keeper->changed(wall->keeper_arg);
}

void wall_note_program(struct wall *wall)
{
	if (wall->keeper)
		wall->keeper->program(wall->keeper_arg, wall->link,
			wall->child ? child_pidfd(wall->child) : -EBADF);
}

void wall_keep(struct wall *wall, const struct wall_keeper *keeper, void *arg)
{
	wall->keeper = keeper;
	wall->keeper_arg = arg;
	if (wall->link < 0)
		return;
	wall_note(wall);
	wall_note_program(wall);
}

void wall_kept(const struct wall *wall, struct wall_kept *ret)
{
	ret->version = LINK_VERSION;
	ret->last_number = wall->last_number;
	roster_keep(&wall->roster, &ret->roster);
}

size_t wall_listeners(const struct wall *wall, const struct listener **ret)
{
	*ret = wall->listeners.at;
	return wall->listeners.used;
}

struct wall_before wall_before(struct wall *wall)
{
	struct wall_before before;

	pthread_mutex_lock(&wall->lock);
	before = wall->before;
	pthread_mutex_unlock(&wall->lock);
	return before;
}

static bool is_link(int fd)
{
	int type = 0, domain = 0;
	socklen_t size = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

/* STOP has been the same in every version. */
static void dismiss(int link, struct child *child)
{
	struct link_message stop = {.type = LINK_STOP};

	link_send(link, &stop, -EBADF);
	child_leave(child);
}

/* RESUME before anything that the capture thread has to say. */
static int resume(struct wall *wall, int link, struct child *child)
{
	int r;

	if (getrandom(&wall->turn, sizeof(wall->turn), GRND_NONBLOCK) != sizeof(wall->turn))
		wall->turn = loop_now_ms();
	wall->resuming = true;
	pthread_mutex_lock(&wall->lock);
	wall->link = link;
	wall->child = child;
	r = wall_greet(wall, &wall->turn);
	pthread_mutex_unlock(&wall->lock);
	if (r == 0)
		r = loop_fd_add(
			wall->loop, wall->link, LOOP_READ, wall_on_link, wall, &wall->link_source);
	return r;
}

int wall_adopt(struct wall *wall, int link, int pidfd, const struct wall_kept *kept)
{
	_cleanup_fd_ int end = fd_move_high(link);
	struct child *child;
	int r;

	r = child_adopt(wall->loop, pidfd, wall_on_child_ended, wall, &child);
	if (r < 0)
		return r;
	if (wall->link >= 0 || !is_link(end))
		r = -EBADF;
	else if (kept->version != LINK_VERSION)
		r = -EPROTONOSUPPORT;
	else
		r = roster_adopt(&wall->roster, &kept->roster);
	if (r < 0) {
		dismiss(end, child);
		return r;
	}
	fcntl(end, F_SETFD, FD_CLOEXEC);
	wall_programs_begin(kept->roster.serial);
	wall->last_number = MAX(wall->last_number, kept->last_number);
	r = resume(wall, take_fd(&end), child);
	if (r < 0) {
		wall_end(wall, "it could not be taken over");
		return r;
	}
	listeners_watch(&wall->listeners, false);
	loop_timer_once(wall->timer, LIMIT_START_MS);
	return 0;
}

static void settle(struct wall *wall)
{
	wall->resuming = wall->resumed = false;
	roster_settle(&wall->roster);
	wall_note(wall);
	log_info(wall->options.id, "its RFB program goes on, with %u viewers",
		roster_ready(&wall->roster));
}

bool wall_hear_resumed(struct wall *wall, const struct link_message *m)
{
	if (wall->resumed) {
		if (m->type != LINK_HERE || !roster_here(&wall->roster, m))
			return false;
		if (--wall->here == 0)
			settle(wall);
		return true;
	}
	/* Said to the old broker, which did not read it. The rest comes again. */
	if (m->type == LINK_INPUT)
		wall_hear_input(wall, m);
	if (m->type != LINK_RESUMED || m->resumed.turn != wall->turn)
		return true; /* to somebody else */
	loop_timer_stop(wall->timer);
	wall->ready = wall->resumed = true;
	wall->here = m->resumed.viewers;
	pthread_mutex_lock(&wall->lock);
	wall->before =
		(struct wall_before){m->resumed.generation, m->resumed.width, m->resumed.height};
	pthread_mutex_unlock(&wall->lock);
	if (!wall->here)
		settle(wall);
	return true;
}

void wall_abandon(struct wall *wall)
{
	struct child *child;
	int link;

	wall->keeper = NULL;
	wall->closed = true;
	loop_timer_stop(wall->timer);
	listeners_abandon(&wall->listeners);
	if (wall->link < 0)
		return;
	loop_source_free(take_ptr(wall->link_source));
	pthread_mutex_lock(&wall->lock);
	link = take_fd(&wall->link);
	child = take_ptr(wall->child);
	wall->frame = NULL;
	pthread_mutex_unlock(&wall->lock);
	fd_close(link);
	child_release(child);
	wall->roster.used = wall->roster.checks_used = 0;
	wall->watchers = 0;
	wall->events.ended(wall->arg);
}
