/*
 * Many objects of many kinds at once, chosen by a seed (argv[2]), with descriptors at random
 * numbers, some of them duplicated: what a victim of one kind can't show, one kind in another's
 * way.
 */
#include "victim.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#define OBJECTS 120
#define PAGE	4096u

struct object {
	int kind, fd[2], copy; /* copy: another number of fd[0]; -1 */
	unsigned char *area;
	size_t size;
	unsigned mark; /* what it holds: any number */
};

static struct object objects[OBJECTS];
static int low, highest; /* numbers given so far are below `highest` */

static int pick(int n)
{
	return (int)(lrand48() % n);
}

/* To a number of its own, with or without O_CLOEXEC. */
static int scattered(int fd)
{
	int to = fcntl(fd, pick(2) ? F_DUPFD : F_DUPFD_CLOEXEC, low + pick(highest - low));

	SETUP(fd >= 0 && to >= 0);
	return to;
}

static int moved(int fd)
{
	int to = scattered(fd);

	close(fd);
	return to;
}

static void make_pipe(struct object *o)
{
	SETUP(pipe2(o->fd, pick(2) ? O_NONBLOCK : 0) == 0);
	SETUP(write(o->fd[1], &o->mark, sizeof(o->mark)) == sizeof(o->mark));
	o->fd[0] = moved(o->fd[0]);
	o->fd[1] = moved(o->fd[1]);
}

static void make_pair(struct object *o)
{
	static const int TYPES[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};

	SETUP(socketpair(AF_UNIX, TYPES[pick(3)], 0, o->fd) == 0);
	SETUP(send(o->fd[1], &o->mark, sizeof(o->mark), 0) == sizeof(o->mark));
	o->fd[0] = moved(o->fd[0]);
	o->fd[1] = moved(o->fd[1]);
}

static void check_message(struct object *o)
{
	unsigned got = 0;

	EXPECT_EQ(read(o->fd[0], &got, sizeof(got)), sizeof(got));
	EXPECT_EQ(got, o->mark);
	EXPECT_EQ(write(o->fd[1], &got, sizeof(got)), sizeof(got)); /* they still belong together */
	EXPECT_EQ(read(o->copy >= 0 ? o->copy : o->fd[0], &got, sizeof(got)), sizeof(got));
}

static void make_count(struct object *o)
{
	o->fd[0] = moved(eventfd(o->mark, pick(2) ? EFD_NONBLOCK : 0));
}

static void check_count(struct object *o)
{
	eventfd_t got = 0;

	EXPECT_EQ(eventfd_read(o->fd[0], &got), 0);
	EXPECT_EQ(got, o->mark);
}

static void make_file(struct object *o)
{
	char name[32];

	o->size = 1 + (size_t)pick(20000);
	snprintf(name, sizeof(name), "file%d", (int)(o - objects));
	o->fd[0] = moved(victim_file(name, o->size));
	SETUP(lseek(o->fd[0], (off_t)(o->mark % o->size), SEEK_SET) >= 0);
	if (pick(2))
		SETUP(unlink(victim_path(name)) == 0);
}

static void check_file(struct object *o)
{
	size_t at = o->mark % o->size;
	unsigned char byte = 0;

	EXPECT_EQ(lseek(o->copy >= 0 ? o->copy : o->fd[0], 0, SEEK_CUR), at);
	EXPECT_EQ(read(o->fd[0], &byte, 1), 1);
	EXPECT_EQ(byte, victim_byte(at));
}

static void make_timer(struct object *o)
{
	struct itimerspec in = {.it_value = {2000 + o->mark % 1000, 0}};

	o->fd[0] = moved(timerfd_create(pick(2) ? CLOCK_MONOTONIC : CLOCK_BOOTTIME, 0));
	SETUP(timerfd_settime(o->fd[0], 0, &in, NULL) == 0);
}

static void check_timer(struct object *o)
{
	struct itimerspec left = {0};
	long gone;

	EXPECT_EQ(timerfd_gettime(o->fd[0], &left), 0);
	gone = (long)(2000 + o->mark % 1000) - left.it_value.tv_sec;
	EXPECT(gone >= 0 && gone < 500);
}

/* Watches some of what was made before it. */
static void make_set(struct object *o)
{
	o->fd[0] = moved(epoll_create1(EPOLL_CLOEXEC));
	for (int i = 0; i < o - objects; i += 1 + pick(5)) {
		struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)i};

		if (objects[i].fd[0] >= 0)
			epoll_ctl(o->fd[0], EPOLL_CTL_ADD, objects[i].fd[0], &event);
	}
	o->mark = (unsigned)epoll_wait(o->fd[0], (struct epoll_event[OBJECTS]){{0}}, OBJECTS, 0);
}

static void check_set(struct object *o)
{
	struct epoll_event events[OBJECTS];

	EXPECT_EQ(epoll_wait(o->fd[0], events, OBJECTS, 0), o->mark);
}

/* Memory, a part of it with other permissions. */
static void make_memory(struct object *o)
{
	static const int SHARING[] = {MAP_PRIVATE, MAP_SHARED, MAP_PRIVATE | MAP_NORESERVE};
	int pages = 3 + pick(30);

	o->size = (size_t)pages * PAGE;
	o->area = mmap(NULL, o->size, PROT_READ | PROT_WRITE, SHARING[pick(3)] | MAP_ANONYMOUS, -1,
		       0);
	SETUP(o->area != MAP_FAILED);
	victim_fill(o->area, o->size);
	SETUP(mprotect(o->area + PAGE * (size_t)(1 + pick(pages - 2)), PAGE, PROT_READ) == 0);
	if (pick(3) == 0)
		SETUP(madvise(o->area, PAGE, MADV_DONTDUMP) == 0);
}

static void check_memory(struct object *o)
{
	victim_expect_filled("memory", o->area, o->size);
	o->area[0]++; /* and it can be written */
	o->area[0]--;
}

static void make_memfd(struct object *o)
{
	o->size = (size_t)(1 + pick(20)) * PAGE;
	o->fd[0] = moved(memfd_create("mixed", MFD_ALLOW_SEALING));
	SETUP(ftruncate(o->fd[0], (off_t)o->size) == 0);
	o->area = mmap(NULL, o->size, PROT_READ | PROT_WRITE, MAP_SHARED, o->fd[0], 0);
	SETUP(o->area != MAP_FAILED);
	victim_fill(o->area, o->size);
	SETUP(fcntl(o->fd[0], F_ADD_SEALS, F_SEAL_SHRINK) == 0);
}

static void check_memfd(struct object *o)
{
	unsigned char byte = 0xee;

	victim_expect_filled("memfd", o->area, o->size);
	EXPECT_EQ(pwrite(o->fd[0], &byte, 1, 7), 1);
	EXPECT_EQ(o->area[7], byte);
	EXPECT_EQ(fcntl(o->fd[0], F_GET_SEALS), F_SEAL_SHRINK);
}

static const struct {
	void (*make)(struct object *o), (*check)(struct object *o);
} kinds[] = {
	{make_set, check_set}, /* first to be checked: the others change what it sees */
	{make_pipe, check_message}, {make_pair, check_message}, {make_count, check_count},
	{make_file, check_file},    {make_timer, check_timer},	{make_memory, check_memory},
	{make_memfd, check_memfd},
};
#define KINDS (int)(sizeof(kinds) / sizeof(kinds[0]))

int main(int argc, char **argv)
{
	struct rlimit limit;
	int flags[OBJECTS];

	victim_init(argc, argv);
	SETUP(argc > 2 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
	srand48(atol(argv[2]));
	low = 50;
	highest = limit.rlim_cur < 1000 ? (int)limit.rlim_cur - 400 : 600;
	for (int i = 0; i < OBJECTS; i++) {
		struct object *o = &objects[i];

		*o = (struct object){.kind = pick(KINDS), .fd = {-1, -1}, .copy = -1};
		o->mark = 1 + (unsigned)pick(1000000);
		kinds[o->kind].make(o);
		if (o->fd[0] >= 0 && pick(3) == 0)
			o->copy = scattered(o->fd[0]);
		flags[i] = o->fd[0] < 0 ? -1 : fcntl(o->fd[0], F_GETFD);
	}
	victim_ready();
	for (int kind = 0; kind < KINDS; kind++)
		for (int i = 0; i < OBJECTS; i++)
			if (objects[i].kind == kind)
				kinds[kind].check(&objects[i]);
	for (int i = 0; i < OBJECTS; i++)
		EXPECT_EQ(objects[i].fd[0] < 0 ? -1 : fcntl(objects[i].fd[0], F_GETFD), flags[i]);
	return victim_result();
}
