/* The mark of a bad image: what it says, of which image, and whose it may be. */
#include "launcher/store/probation.h"

#include "check.h"
#include "manifest_sample.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct image_id id = {.lo = 1, .hi = 2};
static struct store_slot slot;
static char reason[256];

static bool bad(void)
{
	alarm(10); /* a FIFO must not hang it */
	reason[0] = '\0';
	return probation_bad(&slot, &id, reason, sizeof(reason));
}

static void mark(void)
{
	probation_mark(&slot, &id, SIGSEGV, 1500000000);
}

static void test_failed(void)
{
	CHECK(probation_failed(SIGSEGV, 1, 2));
	CHECK(!probation_failed(SIGSEGV, 2, 2));
	CHECK(!probation_failed(SIGTERM, 1, 2));
	CHECK(!probation_failed(1 << 8, 1, 2));
}

static void test_mark(void)
{
	const struct image_id other = {.lo = 1, .hi = 3};
	struct stat st;

	CHECK(!bad());
	mark();
	CHECK(bad());
	CHECK_STR(reason,
		  "the snapshot is marked bad: the program crashed (SIGSEGV) 1.5 s after it "
		  "was restored");
	CHECK(!probation_bad(&slot, &other, reason, sizeof(reason)));
	CHECK_EQ(stat(slot.bad, &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0600);
	mark();
	CHECK(bad());
}

/* One that others have a hand in is none; nor is what a user keeps under that name. */
static void test_of_others(void)
{
	struct stat st;

	CHECK_EQ(chmod(slot.bad, 0602), 0);
	CHECK(!bad());
	CHECK_EQ(chmod(slot.bad, 0600), 0);
	if (geteuid() == 0) {
		CHECK_EQ(chown(slot.bad, 65534, 65534), 0);
		CHECK(!bad());
		CHECK_EQ(chown(slot.bad, 0, 0), 0);
	}
	CHECK_EQ(rename(slot.bad, "elsewhere"), 0);
	CHECK_EQ(symlink("elsewhere", slot.bad), 0);
	CHECK(!bad());
	mark();
	CHECK_EQ(lstat(slot.bad, &st), 0);
	CHECK(S_ISLNK(st.st_mode));
	CHECK_EQ(unlink(slot.bad), 0);
	CHECK_EQ(unlink("elsewhere"), 0);
	CHECK_EQ(mkfifo(slot.bad, 0600), 0);
	CHECK(!bad());
	mark();
	CHECK_EQ(lstat(slot.bad, &st), 0);
	CHECK(S_ISFIFO(st.st_mode));
	CHECK_EQ(unlink(slot.bad), 0);
}

static void test_of_user(void)
{
	static const char list[] = "00000000000000020000000000000001  a sum of somebody's\n";
	char text[sizeof(list)] = "";
	FILE *file = fopen(slot.bad, "we");

	fputs(list, file);
	CHECK_EQ(fclose(file), 0);
	CHECK(!bad());
	mark();
	CHECK(!bad());
	file = fopen(slot.bad, "re");
	CHECK_EQ(fread(text, 1, sizeof(list) - 1, file), sizeof(list) - 1);
	CHECK_EQ(fclose(file), 0);
	CHECK_STR(text, list);
	CHECK_EQ(unlink(slot.bad), 0);
}

/* On a full disk the snapshot goes, but no other that has its name by now, none in use, and no file
 * whose name a user chose. */
static void test_no_room(void)
{
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_STORE_SLOT struct store_slot own, reader;
	struct image_header header = {0};
	int stream = memfd_create("stream", MFD_CLOEXEC);
	const char *name = "app-0123456789abcdef0123456789abcdef.jsnap";
	struct rlimit limit, none;

	CHECK_EQ(store_slot_of_image(name, &own, NULL), 0);
	CHECK_EQ(store_slot_of_image(name, &reader, NULL), 0);
	manifest_sample(&m);
	CHECK_EQ(ftruncate(stream, (off_t)m.process->stream_size), 0);
	CHECK_EQ(image_write(name, &m, stream, 0, &header, NULL, NULL), 0);
	CHECK_EQ(link(name, slot.image), 0);
	signal(SIGXFSZ, SIG_IGN);
	CHECK_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
	none = (struct rlimit){0, limit.rlim_max};
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
	probation_mark(&own, &id, SIGSEGV, 0);
	CHECK_EQ(access(name, F_OK), 0);
	CHECK_EQ(store_lock(&reader, STORE_LOCK_SHARED, false, NULL), 0);
	probation_mark(&own, &header.id, SIGSEGV, 0);
	CHECK_EQ(access(name, F_OK), 0);
	store_unlock(&reader);
	probation_mark(&own, &header.id, SIGSEGV, 0);
	CHECK_EQ(access(name, F_OK), -1);
	CHECK_EQ(access(own.lock, F_OK), -1);
	probation_mark(&slot, &header.id, SIGSEGV, 0);
	CHECK_EQ(unlink(slot.image), 0);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	close(stream);
}

int main(void)
{
	char folder[] = "/tmp/jsnap-test-XXXXXX";

	CHECK(mkdtemp(folder) && chdir(folder) == 0);
	CHECK_EQ(store_slot_of_image("image", &slot, NULL), 0);
	test_failed();
	test_mark();
	test_of_others();
	test_of_user();
	test_no_room();
	store_slot_close(&slot);
	CHECK_EQ(rmdir(folder), 0);
	return 0;
}
