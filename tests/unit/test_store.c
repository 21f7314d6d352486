/* The store: names, refusals, locks between processes, listing, finding, sweeping. */
#include "check.h"

#include "image/image.h"
#include "launcher/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HAS(text, part) CHECK(strstr((text), (part)) != NULL)
#define KEY_A		"0123456789abcdef0123456789abcdef"
#define KEY_B		"0123ffffffffffff0123456789abcdef"

static char root[PATH_MAX];
static struct jsnap_error err;
static struct settings settings;

static void make(const char *path, mode_t mode)
{
	int fd;

	unlink(path); /* its mode may forbid to write it */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "\x50\x2a\x4d\x18\x20\x04\0\0JSNAPIMG", 16), 16);
	CHECK_EQ(fchmod(fd, mode), 0);
	close(fd);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static void test_names(void)
{
	char name[STORE_MAX_NAME + 1], longest[200];

	store_name("app-1.2", name);
	CHECK_STR(name, "app-1.2");
	store_name("../a b\n\xc3\xa4", name);
	CHECK_STR(name, "_a_b___");
	store_name("...", name);
	CHECK_STR(name, "program");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	store_name(longest, name);
	CHECK_EQ(strlen(name), STORE_MAX_NAME);
}

static void test_path(void)
{
	char *path;
	struct settings given = {.store = "rel"};

	setenv("XDG_CACHE_HOME", "/x/cache", 1);
	CHECK_EQ(store_path(&(struct settings){0}, &path, &err), 0);
	CHECK_STR(path, "/x/cache/jsnap");
	free(path);
	setenv("XDG_CACHE_HOME", "relative is ignored", 1);
	setenv("HOME", "/home/x", 1);
	CHECK_EQ(store_path(&(struct settings){0}, &path, &err), 0);
	CHECK_STR(path, "/home/x/.cache/jsnap");
	free(path);
	CHECK_EQ(store_path(&given, &path, &err), 0);
	CHECK_EQ(strncmp(path, root, strlen(root)), 0);
	HAS(path, "/rel");
	free(path);
	unsetenv("HOME");
	CHECK_EQ(store_path(&(struct settings){0}, &path, &err), -ENOENT);
	HAS(err.text, "--store DIR");
}

static void slot_of(const char *key, struct store_slot *slot)
{
	struct key_facts facts = {.name = (char *)(uintptr_t) "app"};

	strcpy(facts.key, key);
	CHECK_EQ(store_slot_open(&settings, &facts, slot, &err), 0);
}

static void test_prepare(void)
{
	CLEANUP_STORE_SLOT struct store_slot slot;
	struct stat st;

	CHECK_EQ(store_prepare("deep/er/store", false, &err), -ENOENT);
	slot_of(KEY_A, &slot);
	CHECK_EQ(stat("deep/er/store", &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0700);
	HAS(slot.image, "/deep/er/store/app-" KEY_A ".jsnap");
	HAS(slot.hot, "/app-" KEY_A ".hot");
	HAS(slot.pages, "/app-" KEY_A ".pages");
	HAS(slot.lock, "/app-" KEY_A ".lock");
	CHECK_EQ(chmod("deep/er/store", 0770), 0);
	CHECK_EQ(store_prepare("deep/er/store", true, &err), -EPERM);
	HAS(err.text, "others may write it (mode 0770)");
	HAS(err.text, "chmod go-w");
	CHECK_EQ(chmod("deep/er/store", 0700), 0);
	CHECK_EQ(symlink("deep/er/store", "link"), 0);
	CHECK_EQ(store_prepare("link", true, &err), 0);
	if (geteuid() == 0) {
		CHECK_EQ(lchown("link", 65534, 65534), 0);
		CHECK_EQ(store_prepare("link", true, &err), -EPERM);
		HAS(err.text, "link is refused: the link link belongs to");
		CHECK_EQ(store_prepare("link/", true, &err), -EPERM);
		CHECK_EQ(store_prepare("link/..", true, &err), 0);
	}
	CHECK_EQ(unlink("link"), 0);
	make("file", 0600);
	CHECK_EQ(store_prepare("file", true, &err), -ENOTDIR);
	if (geteuid() == 0) {
		CHECK_EQ(chown("deep/er/store", 65534, 65534), 0);
		CHECK_EQ(store_prepare("deep/er/store", true, &err), -EPERM);
		HAS(err.text, "uid 65534, not to you");
		CHECK_EQ(chown("deep/er/store", 0, 0), 0);
	}
}

static void test_open(void)
{
	CLEANUP_STORE_SLOT struct store_slot slot, beside;
	int fd;

	slot_of(KEY_A, &slot);
	CHECK_EQ(store_open_image(&slot, &err), -ENOENT);
	make(slot.image, 0600);
	fd = store_open_image(&slot, &err);
	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	close(fd);
	make(slot.image, 0602);
	CHECK_EQ(store_open_image(&slot, &err), -EPERM);
	HAS(err.text, slot.image);
	CHECK_EQ(unlink(slot.image), 0);
	CHECK_EQ(mkfifo(slot.image, 0600), 0);
	CHECK_EQ(store_open_image(&slot, &err), -EINVAL);
	CHECK_EQ(unlink(slot.image), 0);
	CHECK_EQ(store_slot_of_image("dir/some.jsnap", &beside, &err), 0);
	CHECK_STR(beside.hot, "dir/some.jsnap.hot");
	CHECK_STR(beside.pages, "dir/some.jsnap.pages");
	CHECK_STR(beside.lock, "dir/some.jsnap.lock");
}

/* Exit status of a child that tries to lock the slot. */
static int try_in_child(const char *key, enum store_lock mode)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct store_slot slot;
		int r;

		slot_of(key, &slot);
		r = store_lock(&slot, mode, false, &err);
		_exit(r == 0 ? 0 : r == -EWOULDBLOCK ? 1 : 2);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void test_lock(void)
{
	CLEANUP_STORE_SLOT struct store_slot slot;

	slot_of(KEY_A, &slot);
	make(slot.image, 0600);
	CHECK_EQ(store_lock(&slot, STORE_LOCK_SHARED, false, &err), 0);
	CHECK_EQ(try_in_child(KEY_A, STORE_LOCK_SHARED), 0);
	CHECK_EQ(try_in_child(KEY_A, STORE_LOCK_EXCLUSIVE), 1);
	CHECK_EQ(store_lock(&slot, STORE_LOCK_EXCLUSIVE, false, &err), 0);
	CHECK_EQ(try_in_child(KEY_A, STORE_LOCK_SHARED), 1);
	CHECK_EQ(try_in_child(KEY_B, STORE_LOCK_EXCLUSIVE), 0);
	store_unlock(&slot);
	CHECK_EQ(try_in_child(KEY_A, STORE_LOCK_EXCLUSIVE), 0);
}

/* It comes with whoever works on the slot, and goes with a writer; a file of somebody's stays. */
static void test_lock_file(void)
{
	CLEANUP_STORE_SLOT struct store_slot slot;

	slot_of(KEY_A, &slot);
	CHECK_EQ(unlink(slot.image), 0);
	CHECK_EQ(store_lock(&slot, STORE_LOCK_EXCLUSIVE, false, &err), 0);
	CHECK(exists(slot.lock));
	CHECK_EQ(try_in_child(KEY_A, STORE_LOCK_SHARED), 1);
	store_unlock(&slot);
	CHECK(!exists(slot.lock));
	CHECK_EQ(store_lock(&slot, STORE_LOCK_SHARED, false, &err), 0);
	CHECK(!exists(slot.lock));
	make(slot.lock, 0600);
	CHECK_EQ(store_lock(&slot, STORE_LOCK_EXCLUSIVE, false, &err), 0);
	store_unlock(&slot);
	CHECK(exists(slot.lock));
	CHECK_EQ(unlink(slot.lock), 0);
	CHECK_EQ(rename("file", slot.image), 0);
	CHECK_EQ(truncate(slot.image, 15), 0); /* no image */
	CHECK_EQ(store_lock(&slot, STORE_LOCK_SHARED, false, &err), 0);
	CHECK(!exists(slot.lock));
	make(slot.image, 0600);
	CHECK_EQ(store_lock(&slot, STORE_LOCK_SHARED, false, &err), 0);
	store_unlock(&slot);
	CHECK(exists(slot.lock));
	CHECK_EQ(store_lock(&slot, STORE_LOCK_EXCLUSIVE, false, &err), 0);
	store_unlock(&slot);
	CHECK(!exists(slot.lock));
}

/* A writer refuses it, a reader does without; neither waits for whoever holds it. */
static void refuses_lock(struct store_slot *slot, int r, const char *words)
{
	int holder = open(slot->lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (holder >= 0)
		CHECK_EQ(flock(holder, LOCK_EX), 0);
	CHECK_EQ(store_lock(slot, STORE_LOCK_EXCLUSIVE, true, &err), r);
	HAS(err.text, slot->lock);
	HAS(err.text, words);
	CHECK_EQ(store_lock(slot, STORE_LOCK_SHARED, true, &err), 0);
	CHECK_EQ(slot->lock_fd, -1);
	if (holder >= 0)
		close(holder);
	CHECK_EQ(unlink(slot->lock), 0);
}

static void test_lock_of_others(void)
{
	CLEANUP_STORE_SLOT struct store_slot slot;

	slot_of(KEY_A, &slot);
	make(slot.image, 0600);
	CHECK_EQ(mkfifo(slot.lock, 0600), 0);
	refuses_lock(&slot, -EINVAL, "is not a file");
	CHECK_EQ(symlink(slot.image, slot.lock), 0);
	refuses_lock(&slot, -ELOOP, "open the lock");
	make(slot.lock, 0622);
	refuses_lock(&slot, -EPERM, "others may write it (mode 0622)");
	if (geteuid() == 0) {
		make(slot.lock, 0666);
		CHECK_EQ(chown(slot.lock, 65534, 65534), 0);
		refuses_lock(&slot, -EPERM, "uid 65534, not to you");
	}
}

/* Damage to an image's first bytes leaves it an image, to its ends too makes it nobody's. */
static void test_damaged_place(void)
{
	CLEANUP_MANIFEST struct manifest m = {0};
	struct settings given = {.image = "given"};
	struct image_header header = {0};
	struct store_slot slot;
	struct stat st;
	int fd;

	CHECK_EQ(manifest_init(&m, &err), 0);
	m.process->page_size = 4096;
	m.process->exe_backing = MANIFEST_NONE;
	CHECK_EQ(image_write("given", &m, -1, 0, &header, NULL, &err), 0);
	fd = open("given", O_RDWR | O_CLOEXEC);
	CHECK_EQ(pwrite(fd, "################", 16, 0), 16);
	CHECK_EQ(store_slot_open(&given, NULL, &slot, &err), 0);
	store_slot_close(&slot);
	CHECK_EQ(image_write("given", &m, -1, 0, &header,
			     &(struct image_write_options){.spare_others = true}, &err),
		 0);
	close(fd);
	fd = open("given", O_RDWR | O_CLOEXEC);
	CHECK_EQ(pwrite(fd, "################", 16, 0), 16);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(ftruncate(fd, st.st_size - 1), 0);
	CHECK_EQ(store_slot_open(&given, NULL, &slot, &err), -EEXIST);
	close(fd);
	CHECK_EQ(unlink("given"), 0);
}

/* A link is as good as its owner. */
static void test_links(void)
{
	struct store_slot slot;
	int fd;

	fd = open("own", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	close(fd);
	CHECK_EQ(symlink("own", "second"), 0);
	CHECK_EQ(symlink("./second", "first"), 0);
	CHECK_EQ(store_slot_of_image("first", &slot, &err), 0);
	fd = store_open_image(&slot, &err);
	CHECK(fd >= 0);
	close(fd);
	if (geteuid() == 0) {
		CHECK_EQ(lchown("second", 65534, 65534), 0);
		CHECK_EQ(store_open_image(&slot, &err), -EPERM);
		HAS(err.text, "first is refused: the link ./second belongs to");
	}
	store_slot_close(&slot);
	CHECK_EQ(unlink("first") | unlink("second") | unlink("own"), 0);
}

/* What a descriptor has open, by either name of it, and without a name of its own. */
static void test_descriptor(void)
{
	const char *folders[] = {"/proc/self/fd", "/dev/fd"};
	int file = open("own", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	CHECK_EQ(unlink("own"), 0);
	for (size_t i = 0; i < 2; i++) {
		CLEANUP_STORE_SLOT struct store_slot slot;
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "%s/%d", folders[i], file);
		CHECK_EQ(store_slot_of_image(path, &slot, &err), 0);
		fd = store_open_image(&slot, &err);
		CHECK(fd >= 0);
		close(fd);
	}
	close(file);
}

/* --image FILE: only nothing, an empty file or an image is a place for one. */
static void test_place(void)
{
	const struct {
		const char *content;
		int size, r;
	} files[] = {{"", 0, 0},
		     {"\x50\x2a\x4d\x18\x20\x04\0\0JSNAPIMG damaged", 24, 0},
		     {"\x50\x2a\x4d\x18\x20\x04\0\0JSNAPIM", 15, -EEXIST},
		     {"\x50\x2a\x4d\x18\x20\x04\0\0another skippable frame", 31, -EEXIST},
		     {"PK\x03\x04 an application's jar", 24, -EEXIST}};
	struct settings given = {.image = "given"};
	struct store_slot slot;

	CHECK_EQ(store_slot_open(&given, NULL, &slot, &err), 0);
	store_slot_close(&slot);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int fd = open("given", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		CHECK_EQ(write(fd, files[i].content, (size_t)files[i].size), files[i].size);
		close(fd);
		CHECK_EQ(store_slot_open(&given, NULL, &slot, &err), files[i].r);
		if (files[i].r == 0)
			store_slot_close(&slot);
		else
			HAS(err.text, "given exists and is no jsnap image; it is not replaced");
	}
	CHECK_EQ(unlink("given"), 0);
	CHECK_EQ(mkfifo("given", 0600), 0);
	CHECK_EQ(store_slot_open(&given, NULL, &slot, &err), -EEXIST);
	CHECK_EQ(unlink("given"), 0);
	given.image = "deep";
	CHECK_EQ(store_slot_open(&given, NULL, &slot, &err), -EEXIST);
}

static void fill(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* Beside --image FILE: what begins as jsnap's own goes, empty files too; all else stays. In the
 * store names are jsnap's. */
static void test_spared(void)
{
	CLEANUP_STORE_SLOT struct store_slot own, given;
	const struct {
		const char *path, *begins;
		enum place what;
	} files[] = {{"given.hot", "JSNAPHOT...", PLACE_HOT},
		     {"given.pages", "JSNAPWSS...", PLACE_PAGES},
		     {"given.bad", "JSNAPBAD...", PLACE_MARK}};

	CHECK_EQ(store_slot_of_image("given", &given, &err), 0);
	slot_of(KEY_A, &own);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		fill(files[i].path, "JSNAPNOT of jsnap's");
		CHECK_EQ(store_place(&given, files[i].what, &err), -EEXIST);
		HAS(err.text, files[i].path);
		CHECK_EQ(store_remove(&given, &err), 0);
		CHECK(exists(files[i].path));
		CHECK_EQ(unlink(files[i].path), 0);
		CHECK_EQ(symlink(own.image, files[i].path), 0);
		CHECK_EQ(store_place(&given, files[i].what, &err), -ELOOP);
		CHECK_EQ(unlink(files[i].path), 0);
		for (int empty = 0; empty < 2; empty++) {
			fill(files[i].path, empty ? "" : files[i].begins);
			CHECK_EQ(store_place(&given, files[i].what, &err), !empty);
			CHECK_EQ(store_remove(&given, &err), 0);
			CHECK(!exists(files[i].path));
		}
	}
	fill("given", "years of work");
	CHECK_EQ(store_remove(&given, &err), 0);
	CHECK(exists("given"));
	CHECK_EQ(unlink("given"), 0);
	fill(own.hot, "half of it");
	CHECK_EQ(store_remove_copies(&own, &err), 0);
	CHECK(!exists(own.hot));
}

static void test_lost_lock(void)
{
	CLEANUP_STORE_SLOT struct store_slot a, b;

	slot_of(KEY_A, &a);
	slot_of(KEY_A, &b);
	CHECK_EQ(store_lock(&a, STORE_LOCK_SHARED, false, &err), 0);
	CHECK_EQ(store_lock(&b, STORE_LOCK_SHARED, false, &err), 0);
	CHECK_EQ(store_lock(&a, STORE_LOCK_EXCLUSIVE, false, &err), -EWOULDBLOCK);
	CHECK_EQ(a.lock_fd, -1);
	CHECK_EQ(store_lock(&b, STORE_LOCK_EXCLUSIVE, false, &err), 0);
}

/* An image in a folder that is read-only can be locked by readers, and by nobody else. */
static void test_read_only_folder(void)
{
	CLEANUP_STORE_SLOT struct store_slot slot = {.lock_fd = -1}, missing = {.lock_fd = -1};

	if (geteuid() == 0)
		return; /* root writes everywhere */
	CHECK_EQ(mkdir("ro", 0700), 0);
	make("ro/x.jsnap", 0600);
	CHECK_EQ(chmod("ro", 0500), 0);
	CHECK_EQ(store_slot_of_image("ro/x.jsnap", &slot, &err), 0);
	CHECK_EQ(store_slot_of_image("ro/y.jsnap", &missing, &err), 0);
	CHECK_EQ(store_lock(&slot, STORE_LOCK_SHARED, false, &err), 0);
	CHECK_EQ(store_lock(&slot, STORE_LOCK_SHARED, false, &err), 0);
	CHECK_EQ(store_lock(&slot, STORE_LOCK_EXCLUSIVE, false, &err), -EACCES);
	CHECK_EQ(store_lock(&missing, STORE_LOCK_SHARED, false, &err), 0);
	CHECK_EQ(missing.lock_fd, -1);
	CHECK_EQ(store_lock(&missing, STORE_LOCK_EXCLUSIVE, false, &err), -EACCES);
	CHECK_EQ(chmod("ro", 0700), 0);
}

/* Waiting for a lock whose file is removed meanwhile ends with a lock of the new file. */
static void test_lock_of_removed(void)
{
	struct store_slot holder;
	int status;
	pid_t pid;

	slot_of(KEY_A, &holder);
	CHECK_EQ(store_lock(&holder, STORE_LOCK_EXCLUSIVE, false, &err), 0);
	pid = fork();
	if (pid == 0) {
		struct store_slot slot;
		struct stat here, named;

		store_slot_close(&holder);
		slot_of(KEY_A, &slot);
		if (store_lock(&slot, STORE_LOCK_EXCLUSIVE, true, &err) < 0)
			_exit(2);
		_exit(fstat(slot.lock_fd, &here) < 0 || stat(slot.lock, &named) < 0 ||
		      here.st_ino != named.st_ino);
	}
	usleep(100000);
	CHECK_EQ(store_remove(&holder, &err), 0);
	store_slot_close(&holder);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

/* Whoever writes a temporary file has locked it: it stays, whatever the slot's lock says. */
static void test_temporaries(void)
{
	CLEANUP_STORE_SLOT struct store_slot slot;
	const char *suffixes[] = {"jsnap", "hot", "pages", "bad"};
	char path[128];

	slot_of(KEY_A, &slot);
	for (size_t i = 0; i < 2 * sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		bool alive = i % 2 == 0;
		int fd;

		snprintf(path, sizeof(path), "deep/er/store/.app-" KEY_A ".%s.0011223344556677.tmp",
			 suffixes[i / 2]);
		make(path, 0400);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (alive)
			CHECK_EQ(flock(fd, LOCK_EX), 0);
		CHECK_EQ(store_lock(&slot, STORE_LOCK_EXCLUSIVE, false, &err), 0);
		store_unlock(&slot);
		CHECK_EQ(exists(path), alive);
		close(fd);
	}
	CHECK_EQ(store_sweep(settings.store, &err), 0);
}

/* Only what was listed goes, not what took its name meanwhile. */
static void test_remove_entry(void)
{
	CLEANUP_STORE_ENTRIES struct store_entries entries = {0};
	CLEANUP_STORE_SLOT struct store_slot slot;
	struct timespec times[2] = {{1000, 0}, {1000, 0}};

	slot_of(KEY_A, &slot);
	make(slot.image, 0600);
	CHECK_EQ(utimensat(AT_FDCWD, slot.image, times, 0), 0);
	CHECK_EQ(store_list(&settings, &entries, &err), 0);
	CHECK_EQ(entries.count, 1);
	make("other", 0600);
	CHECK_EQ(utimensat(AT_FDCWD, "other", times, 0), 0);
	CHECK_EQ(rename("other", slot.image), 0);
	CHECK_EQ(store_remove_entry(&entries.entries[0], &err), -ESTALE);
	CHECK(exists(slot.image));
	store_entries_free(&entries);
	CHECK_EQ(store_list(&settings, &entries, &err), 0);
	CHECK_EQ(store_lock(&slot, STORE_LOCK_SHARED, false, &err), 0);
	CHECK_EQ(store_remove_entry(&entries.entries[0], &err), -EWOULDBLOCK);
	store_unlock(&slot);
	CHECK_EQ(store_remove_entry(&entries.entries[0], &err), 0);
	CHECK(!exists(slot.image));
	CHECK_EQ(store_remove_entry(&entries.entries[0], &err), -ESTALE);
}

/* Of a slot with an image, which may have come a moment ago, nothing goes. */
static void test_tidy(void)
{
	CLEANUP_STORE_SLOT struct store_slot slot;

	slot_of(KEY_A, &slot);
	for (int there = 1; there >= 0; there--) {
		make(slot.image, 0600);
		make(slot.hot, 0600);
		CHECK_EQ(store_lock(&slot, STORE_LOCK_SHARED, false, &err), 0);
		if (!there)
			CHECK_EQ(unlink(slot.image), 0);
		store_tidy(&slot);
		CHECK_EQ(exists(slot.image), there);
		CHECK_EQ(exists(slot.hot), there);
		CHECK(!exists(slot.lock));
		CHECK_EQ(slot.lock_fd, -1);
	}
}

static void test_sweep(void)
{
	CLEANUP_STORE_SLOT struct store_slot a, b;
	const char *dead = "deep/er/store/.app-" KEY_A ".hot.0011223344556677.tmp";
	const char *pages = "deep/er/store/.app-" KEY_A ".pages.0011223344556677.tmp";
	const char *alive = "deep/er/store/.app-" KEY_B ".jsnap.0011223344556677.tmp";
	const char *others[] = {"deep/er/store/.somebody-elses.tmp",
				"deep/er/store/.app-" KEY_A ".jsnap.my-own.tmp",
				"deep/er/store/.app-" KEY_A ".jsnap.001122334455667z.tmp",
				"deep/er/store/app-" KEY_A ".txt"};

	slot_of(KEY_A, &a);
	slot_of(KEY_B, &b);
	make(a.image, 0600);
	make(a.bad, 0600);
	make(dead, 0600);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		make(others[i], 0600);
	CHECK_EQ(store_lock(&b, STORE_LOCK_EXCLUSIVE, false, &err), 0);
	make(alive, 0600);
	make(b.bad, 0600);
	CHECK_EQ(store_sweep(settings.store, &err), 0);
	CHECK(!exists(dead) && exists(alive) && exists(b.lock) && exists(b.bad));
	CHECK(exists(a.image) && exists(a.bad));
	make(dead, 0600);
	make(pages, 0600);
	CHECK_EQ(store_lock(&a, STORE_LOCK_EXCLUSIVE, false, &err), 0);
	CHECK(!exists(dead) && !exists(pages));
	store_unlock(&a);
	/* What is left of one whose image has gone is of no use. */
	CHECK_EQ(unlink(a.image), 0);
	make(pages, 0600);
	make(a.hot, 0600);
	make(a.pages, 0600);
	CHECK_EQ(store_sweep(settings.store, &err), 0);
	CHECK(!exists(pages) && !exists(a.hot) && !exists(a.pages));
	CHECK(!exists(a.bad) && !exists(a.lock));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		CHECK_EQ(unlink(others[i]), 0);
	CHECK_EQ(unlink(alive), 0);
	CHECK_EQ(unlink(b.bad), 0);
}

static void finds(const char *word, const char *key)
{
	CLEANUP_STORE_SLOT struct store_slot slot = {.lock_fd = -1};

	CHECK_EQ(store_find(&settings, word, &slot, &err), 0);
	HAS(slot.image, key);
}

static void test_list_and_find(void)
{
	CLEANUP_STORE_ENTRIES struct store_entries entries = {0};
	struct settings nowhere = {.store = "/nonexistent/store"};
	struct store_slot slot;
	struct timespec old[2] = {{1000, 0}, {1000, 0}};
	uint64_t hot;

	CHECK_EQ(store_list(&nowhere, &entries, &err), 0);
	CHECK_EQ(entries.count, 0);
	make("deep/er/store/app-" KEY_A ".jsnap", 0600);
	make("deep/er/store/app-" KEY_A ".hot", 0600);
	make("deep/er/store/web-x-" KEY_B ".jsnap", 0600);
	make("deep/er/store/app-0123.jsnap", 0600);
	make("deep/er/store/-" KEY_B ".jsnap", 0600);
	CHECK_EQ(utimensat(AT_FDCWD, "deep/er/store/app-" KEY_A ".jsnap", old, 0), 0);
	CHECK_EQ(store_list(&settings, &entries, &err), 0);
	CHECK_EQ(entries.count, 2);
	CHECK_STR(entries.entries[0].name, "web-x");
	CHECK_STR(entries.entries[1].key, KEY_A);
	CHECK(entries.entries[1].hot_size > 0 && entries.entries[0].hot_size == 0);
	hot = entries.entries[1].hot_size;
	store_entries_free(&entries);
	make("deep/er/store/app-" KEY_A ".pages", 0600);
	CHECK_EQ(store_list(&settings, &entries, &err), 0);
	CHECK(entries.entries[1].hot_size > hot);
	finds("app", KEY_A);
	finds("web-x", KEY_B);
	finds("01234", KEY_A);
	finds("web-x-0123", KEY_B);
	finds("deep/er/store/app-" KEY_A ".jsnap", KEY_A);
	CHECK_EQ(store_find(&settings, "0123", &slot, &err), -EINVAL);
	HAS(err.text, "could be several");
	CHECK_EQ(store_find(&settings, "zzz", &slot, &err), -ENOENT);
	HAS(err.text, "web-x-0123ffffffff");
	CHECK_EQ(store_find(&nowhere, "zzz", &slot, &err), -ENOENT);
	HAS(err.text, "the store is empty");
}

static void test_remove(void)
{
	CLEANUP_STORE_SLOT struct store_slot slot;

	slot_of(KEY_A, &slot);
	CHECK_EQ(store_lock(&slot, STORE_LOCK_EXCLUSIVE, false, &err), 0);
	CHECK_EQ(store_remove(&slot, &err), 0);
	CHECK(!exists(slot.image) && !exists(slot.hot) && !exists(slot.pages));
	CHECK_EQ(store_remove(&slot, &err), 0);
	CHECK(exists(slot.lock));
	store_unlock(&slot);
	CHECK(!exists(slot.lock));
}

int main(void)
{
	char clean[PATH_MAX + 16], store[PATH_MAX + 16];

	umask(022);
	snprintf(root, sizeof(root), "/tmp/jsnap-test-store-XXXXXX");
	CHECK(mkdtemp(root) != NULL);
	CHECK_EQ(chdir(root), 0);
	snprintf(store, sizeof(store), "%s/deep/er/store", root);
	settings.store = store;
	test_names();
	test_path();
	test_prepare();
	test_open();
	test_place();
	test_damaged_place();
	test_links();
	test_descriptor();
	test_lock();
	test_lock_file();
	test_lock_of_others();
	test_spared();
	test_lost_lock();
	test_read_only_folder();
	test_lock_of_removed();
	test_temporaries();
	test_remove_entry();
	test_tidy();
	test_sweep();
	test_list_and_find();
	test_remove();
	snprintf(clean, sizeof(clean), "rm -rf %s", root);
	return system(clean) == 0 ? 0 : 1;
}
