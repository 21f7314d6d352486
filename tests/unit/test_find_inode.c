/* Names for inodes: in place, on the way up, far below, by the first of several, and not at all. */
#include "checkpoint/find_inode.h"

#include "base/cleanup.h"
#include "check.h"

#include <fcntl.h>
#include <unistd.h>
#include <ftw.h>
#include <sys/stat.h>

static char top[64];

static const char *at(const char *name)
{
	static char paths[4][256];
	static int n;
	char *path = paths[n++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", top, name);
	return path;
}

static void make_folder(const char *name)
{
	CHECK_EQ(mkdir(at(name), 0700), 0);
}

static void make_file(const char *name)
{
	CLEANUP_CLOSE int fd = open(at(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
}

static struct find_wanted want(const char *name)
{
	struct stat st;

	CHECK_EQ(lstat(at(name), &st), 0);
	return (struct find_wanted){.dev = st.st_dev, .inode = st.st_ino};
}

static void expect(const struct find *f, const char *name)
{
	struct find_wanted w = want(name);

	CHECK_STR(find_path(f, w.dev, w.inode), at(name));
}

static void free_paths(struct find_wanted *wanted, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(wanted[i].path);
}

static void test_places(void)
{
	CLEANUP_FIND struct find f = {0};
	struct jsnap_error err = {0};
	struct find_wanted wanted[] = {want("a/b/file"), want("a"), want("a/b")};

	CHECK_EQ(find_begin(&f, wanted, 3, &err), 0);
	CHECK_EQ(find_place(&f, "relative", &err), 0);
	CHECK_EQ(find_place(&f, "", &err), 0);
	CHECK_EQ(find_place(&f, at("no/such/thing"), &err), 0);
	CHECK_EQ(f.n_left, 3);
	CHECK_EQ(find_place(&f, at("a/b/file"), &err), 0);
	CHECK_EQ(f.n_left, 0);
	expect(&f, "a/b/file");
	expect(&f, "a/b");
	expect(&f, "a");
	free_paths(wanted, 3);
}

static void test_below(void)
{
	CLEANUP_FIND struct find f = {0};
	struct jsnap_error err = {0};
	struct find_wanted wanted[] = {want("a/b/c/d/deep"), want("link"), want("a/b/c/d/deep"),
				       want("x y")};

	CHECK_EQ(find_begin(&f, wanted, 4, &err), 0);
	CHECK_EQ(find_place(&f, top, &err), 0);
	CHECK_EQ(f.n_left, 4);
	CHECK_EQ(find_below(&f, &err), 0);
	CHECK_EQ(f.n_left, 0);
	expect(&f, "a/b/c/d/deep");
	expect(&f, "link");
	expect(&f, "x y");
	for (int i = 0; i < 4; i++)
		CHECK(wanted[i].path);
	free_paths(wanted, 4);
}

/* Only what is asked for, and no more names than allowed. */
static void test_missing(void)
{
	CLEANUP_FIND struct find f = {0};
	struct jsnap_error err = {0};
	struct find_wanted wanted[] = {want("gone"), want("a")};
	struct find_wanted gone = wanted[0];

	int held = open(at("gone"), O_RDONLY | O_CLOEXEC); /* or somebody gets the inode */

	CHECK(held >= 0);
	CHECK_EQ(unlink(at("gone")), 0);
	CHECK_EQ(find_begin(&f, wanted, 2, &err), 0);
	CHECK_EQ(find_place(&f, at("a"), &err), 0);
	CHECK_EQ(find_below(&f, &err), 0);
	CHECK_EQ(f.n_left, 1);
	CHECK(!find_path(&f, gone.dev, gone.inode));
	CHECK(!find_path(&f, gone.dev + 1, gone.inode));
	CHECK(f.entries <= FIND_ENTRIES_MAX);
	expect(&f, "a");
	free_paths(wanted, 2);
	close(held);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st, (void)type, (void)walk;
	return remove(path);
}

int main(void)
{
	snprintf(top, sizeof(top), "/tmp/jsnap-find-XXXXXX");
	CHECK(mkdtemp(top));
	make_folder("a");
	make_folder("a/b");
	make_folder("a/b/c");
	make_folder("a/b/c/d");
	make_folder("x y");
	make_file("a/b/file");
	make_file("a/b/c/d/deep");
	make_file("gone");
	CHECK_EQ(symlink("a", at("link")), 0);
	test_places();
	test_below();
	test_missing();
	CHECK_EQ(nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	return 0;
}
