/*
 * Doors: where requests come in. Connections that the program had made to others come back as ended
 * (open_tcp.h), and until it has read those ends it takes them for good: a request that comes in at
 * once would be sent over one. So the doors stay shut until every such connection that it watches
 * in an epoll set was closed by it.
 *
 * A door is a listening socket in an epoll set, or a thread in accept(2). Shut, the socket is in
 * the set with an event that never comes, and the thread stays in the restorer: whoever connects
 * waits in the socket's queue, and nothing of the program can tell. A thread of the restorer's (the
 * doorman) looks every half millisecond, sets the events that they were, and ends. Programs close
 * what has ended within the first millisecond that they run; for one that does not, the doors open
 * after DOORS_LOOKS looks without a change, if nothing of it runs or wants to, or if it had
 * DOORS_PROCESSOR_NS of the processors, and after DOORS_MOST_NS in any case, counted from when the
 * caller says that the program runs (restore_let_in), or from the release. On a crowded machine an
 * event loop may wait seconds for its turn, or for a collection that waits for its own.
 *
 * What the program itself has set for a listening socket meanwhile stays: the doorman asks
 * /proc/self/fdinfo just before whether the set still has the event that never comes. What the
 * program sets in the microseconds between is lost.
 *
 * Where nothing of the kind is watched, or nothing listens, nothing of this happens. Not held are
 * threads that wait for a listening socket in poll(2) or select(2), and sockets of EPOLLEXCLUSIVE
 * sets, which epoll_ctl(2) can't change.
 */
#include "restore/plan.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>

_Static_assert(RST_SHUT == EPOLLMSG, "the restorer has no epoll.h");

#define DOORS_LOOKS	   500u /* a quarter of a second, or more */
#define DOORS_PROCESSOR_NS 2000000000ull
#define DOORS_MOST_NS	   30000000000ull
#define DOORMAN_STACK	   4096u

static const struct m_socket *socket_of(const struct manifest *m, uint32_t file)
{
	const struct m_file *f = &m->files[file];

	return f->kind == M_FILE_SOCKET ? &m->sockets[f->target] : NULL;
}

/* One that the program has made, and whose end it would be told. */
static bool is_ended(const struct manifest *m, const struct manifest_ports *listening,
		     const struct m_epoll_target *target)
{
	const struct m_socket *s = socket_of(m, target->target_file);

	return s && (s->state == M_SOCKET_CLOSED_BY_PEER || s->state == M_SOCKET_RESET) &&
	       (target->events & (EPOLLIN | EPOLLRDHUP)) && !manifest_accepted(m, listening, s);
}

bool plan_door(const struct plan *plan, const struct m_epoll_target *target)
{
	const struct m_socket *s = socket_of(plan->m, target->target_file);

	if (!plan->doors_shut || !s || s->state != M_SOCKET_LISTEN || !(target->events & EPOLLIN) ||
	    (target->events & EPOLLEXCLUSIVE))
		return false;
	return manifest_file_of_fd(plan->m, target->fd) == target->target_file &&
	       manifest_fd_of_file(plan->m, target->file) != MANIFEST_NONE;
}

bool plan_accepts(const struct plan *plan, const struct m_thread *t)
{
	const struct user_regs_struct *regs = (const void *)t->regs;
	const struct m_socket *s;
	uint32_t file;

	if (!plan->doors_shut || (regs->rax != SYS_accept && regs->rax != SYS_accept4))
		return false;
	file = manifest_file_of_fd(plan->m, (uint32_t)regs->rdi);
	s = file == MANIFEST_NONE ? NULL : socket_of(plan->m, file);
	return s && s->state == M_SOCKET_LISTEN;
}

static uint64_t put_ended(struct plan *plan, uint64_t *ret_count)
{
	struct manifest_ports listening;
	struct pollfd *ended = plan_alloc(plan, (plan->m->n_epoll_targets + 1) * sizeof(*ended), 8);
	uint64_t n = 0;

	manifest_listening(plan->m, &listening);
	for (uint32_t i = 0; ended && i < plan->m->n_epoll_targets; i++) {
		const struct m_epoll_target *target = &plan->m->epoll_targets[i];

		if (is_ended(plan->m, &listening, target))
			ended[n++] = (struct pollfd){(int)target->fd, POLLRDHUP, 0};
	}
	*ret_count = n;
	return (uint64_t)ended;
}

static int fill_open(struct plan *plan, struct jsnap_error *err)
{
	size_t first = plan->n_ops;

	for (uint32_t i = 0; i < plan->m->n_epoll_targets; i++) {
		const struct m_epoll_target *target = &plan->m->epoll_targets[i];
		const struct epoll_event event = {.events = target->events,
						  .data.u64 = target->data};
		void *copy;

		if (!plan_door(plan, target))
			continue;
		copy = plan_put(plan, &event, sizeof(event));
		if (!copy)
			return plan_out_of_region(err);
		/* Any number of the set will do. The program may have taken it out by then. */
		plan_op(plan, SYS_epoll_ctl, RST_IGNORE, PLAN_SETTING, target->fd,
			PLAN_ARGS(manifest_fd_of_file(plan->m, target->file), EPOLL_CTL_MOD,
				  target->fd, (uint64_t)copy));
	}
	plan->head->doors.open = plan_list(plan, first);
	return 0;
}

static bool has_accepting_thread(const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->m->n_threads; i++)
		if (plan_accepts(plan, &plan->m->threads[i]))
			return true;
	return false;
}

int plan_fill_doors(struct plan *plan, struct jsnap_error *err)
{
	struct rst_doors *doors = &plan->head->doors;
	uint64_t *top;
	char *stack;
	int r;

	doors->ended = put_ended(plan, &doors->n_ended);
	if (!doors->ended)
		return plan_out_of_region(err);
	plan->doors_shut = doors->n_ended > 0;
	r = fill_open(plan, err);
	if (r < 0)
		return r;
	plan->doors_shut &= doors->open.count > 0 || has_accepting_thread(plan);
	if (!plan->doors_shut)
		return 0;
	stack = plan_alloc(plan, DOORMAN_STACK, 16);
	if (!stack)
		return plan_out_of_region(err);
	/* Popped first; the stack is 16-aligned then. */
	top = (uint64_t *)(stack + DOORMAN_STACK - 8);
	*top = (uint64_t)plan->head;
	doors->doorman = (uint64_t)top;
	doors->looks = DOORS_LOOKS;
	doors->processor_ns = DOORS_PROCESSOR_NS;
	doors->most_ns = DOORS_MOST_NS;
	if (plan->options->await_let_in) {
		doors->gate = (uint64_t)plan_alloc(plan, sizeof(uint32_t), sizeof(uint32_t));
		if (!doors->gate)
			return plan_out_of_region(err);
	}
	return 0;
}
