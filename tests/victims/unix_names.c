/*
 * Names of Unix sockets: both ends of connections that the program made to itself, by a path and by
 * an abstract name; datagram sockets that are bound and connected to each other, or only bound,
 * with the permissions of their files; a listener bound by a name relative to the working folder.
 */
#include "victim.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static const char abstract[] = "\0jsnap-victim-%d";

static struct sockaddr_un named(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return address;
}

static int bound(int type, const struct sockaddr_un *address, socklen_t size)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	SETUP(fd >= 0 && bind(fd, (const struct sockaddr *)address, size) == 0);
	return fd;
}

static void join(int listener, const struct sockaddr_un *address, socklen_t size, int ends[2])
{
	ends[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SETUP(connect(ends[0], (const struct sockaddr *)address, size) == 0);
	ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	SETUP(ends[1] >= 0);
}

typedef int (*ask)(int fd, struct sockaddr *address, socklen_t *size);

static void expect_name(const char *what, ask who, int fd, const struct sockaddr_un *address,
			socklen_t size)
{
	struct sockaddr_un got = {0};
	socklen_t length = sizeof(got);

	EXPECT_EQ(who(fd, (struct sockaddr *)&got, &length), 0);
	if (size == sizeof(*address)) /* the kernel keeps what a path needs */
		size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				   strlen(address->sun_path) + 1);
	if (length != size || memcmp(&got, address, size) != 0)
		victim_fault(__FILE__, __LINE__, "%s is \"%s\" (%u bytes), not \"%s\" (%u)", what,
			     got.sun_path, (unsigned)length, address->sun_path, (unsigned)size);
}

static void expect_passes(const char *what, int from, int to)
{
	char got = 0;

	if (send(from, "p", 1, 0) != 1 || recv(to, &got, 1, MSG_DONTWAIT) != 1 || got != 'p')
		victim_fault(__FILE__, __LINE__, "%s: nothing comes through (%s)", what,
			     strerror(errno));
}

static void expect_served(const char *what, int listener, const struct sockaddr_un *address,
			  socklen_t size)
{
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), server;

	if (connect(client, (const struct sockaddr *)address, size) < 0) {
		victim_fault(__FILE__, __LINE__, "connect to %s: %s", what, strerror(errno));
		close(client);
		return;
	}
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	EXPECT(server >= 0);
	close(client);
	close(server);
}

static unsigned mode_of(const char *path)
{
	struct stat st = {0};

	EXPECT_EQ(stat(path, &st), 0);
	return st.st_mode & 07777;
}

int main(int argc, char **argv)
{
	struct sockaddr_un path, hidden = {.sun_family = AF_UNIX}, first, second, alone, gone, mine;
	struct sockaddr_un relative = named("relative");
	socklen_t hidden_size, full = sizeof(path), unnamed = sizeof(sa_family_t);
	int listener, hider, folder, pair[2], again[2], shadow[2], orphan[2], a, b, c, other, l;

	victim_init(argc, argv);
	path = named(victim_path("listener"));
	first = named(victim_path("first"));
	second = named(victim_path("second"));
	alone = named(victim_path("alone"));
	gone = named(victim_path("gone"));
	mine = named(victim_path("mine"));
	hidden.sun_path[0] = '\0';
	hidden_size =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			    (size_t)snprintf(hidden.sun_path + 1, 60, abstract + 1, (int)getpid()));
	listener = bound(SOCK_STREAM, &path, full);
	hider = bound(SOCK_STREAM, &hidden, hidden_size);
	SETUP(listen(listener, 5) == 0 && listen(hider, 5) == 0);
	join(listener, &path, full, pair);
	/* One whose client has a name, too. */
	again[0] = bound(SOCK_STREAM, &mine, full);
	SETUP(connect(again[0], (struct sockaddr *)&path, full) == 0);
	again[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	SETUP(again[1] >= 0);
	join(hider, &hidden, hidden_size, shadow);
	/* Its listener is closed, and the file removed. */
	l = bound(SOCK_STREAM, &gone, full);
	SETUP(listen(l, 5) == 0);
	join(l, &gone, full, orphan);
	SETUP(close(l) == 0 && unlink(gone.sun_path) == 0);
	SETUP(write(pair[0], "before", 6) == 6);

	a = bound(SOCK_DGRAM, &first, full);
	b = bound(SOCK_DGRAM, &second, full);
	c = bound(SOCK_DGRAM, &alone, full);
	SETUP(connect(a, (struct sockaddr *)&second, full) == 0);
	SETUP(connect(b, (struct sockaddr *)&first, full) == 0);
	SETUP(chmod(first.sun_path, 0600) == 0 && chmod(alone.sun_path, 0622) == 0);
	SETUP(mkdir(victim_path("folder"), 0700) == 0 && chdir(victim_path("folder")) == 0);
	folder = bound(SOCK_STREAM, &relative, full);
	SETUP(listen(folder, 5) == 0);
	victim_ready();

	expect_name("the client's peer", getpeername, pair[0], &path, full);
	expect_name("the accepted end", getsockname, pair[1], &path, full);
	expect_name("the client", getsockname, pair[0], &path, unnamed);
	expect_name("the accepted end's peer", getpeername, pair[1], &path, unnamed);
	expect_name("the named client", getsockname, again[0], &mine, full);
	expect_name("the named client's peer", getpeername, again[0], &path, full);
	expect_name("the other end's peer", getpeername, again[1], &mine, full);
	expect_name("the peer by an abstract name", getpeername, shadow[0], &hidden, hidden_size);
	expect_name("the end with an abstract name", getsockname, shadow[1], &hidden, hidden_size);
	expect_name("the peer whose listener is closed", getpeername, orphan[0], &gone, full);
	EXPECT(access(gone.sun_path, F_OK) < 0);
	{
		char got[8] = {0};

		EXPECT_EQ(read(pair[1], got, 6), 6);
		EXPECT_STR(got, "before");
	}
	expect_passes("the connection by path", pair[1], pair[0]);
	expect_passes("the connection of a named client", again[0], again[1]);
	expect_passes("the connection by abstract name", shadow[0], shadow[1]);
	expect_passes("the connection whose listener is closed", orphan[0], orphan[1]);
	expect_served("the listener", listener, &path, full);
	expect_served("the abstract listener", hider, &hidden, hidden_size);

	expect_name("a datagram socket", getsockname, a, &first, full);
	expect_name("its peer", getpeername, a, &second, full);
	expect_name("the other", getsockname, b, &second, full);
	expect_passes("datagrams one way", a, b);
	expect_passes("datagrams the other way", b, a);
	EXPECT_EQ(mode_of(first.sun_path), 0600);
	EXPECT_EQ(mode_of(alone.sun_path), 0622);
	other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	EXPECT(connect(other, (struct sockaddr *)&second, full) < 0 && errno == EPERM);
	EXPECT_EQ(connect(other, (struct sockaddr *)&alone, full), 0);
	expect_passes("datagrams to one that is only bound", other, c);
	expect_served("the relative name", folder, &relative, full);
	return victim_result();
}
