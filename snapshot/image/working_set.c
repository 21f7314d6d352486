/* See working_set.h. */
#include "image/working_set.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/privilege.h"
#include "image/tempfile.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#define VERSION	    1u
#define PAGE	    4096u
#define ADDRESS_END (1ull << 56)

struct file_head {
	char magic[8];
	uint32_t version, count;
	struct image_id id;
	uint64_t hash; /* XXH3-64 of the head up to here, then of the runs */
};

static uint64_t hash_of(const struct file_head *head, const struct working_run *runs)
{
	XXH3_state_t *state = XXH3_createState();
	uint64_t hash = 0;

	if (!state)
		return 0;
	XXH3_64bits_reset(state);
	XXH3_64bits_update(state, head, offsetof(struct file_head, hash));
	XXH3_64bits_update(state, runs, head->count * sizeof(*runs));
	hash = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	return hash;
}

void working_set_free(struct working_set *set)
{
	free(set->runs);
	*set = (struct working_set){0};
}

static uint64_t total(const struct working_set *set)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < set->count; i++)
		bytes += set->runs[i].end - set->runs[i].start;
	return bytes;
}

int working_set_add(struct working_set *set, uint64_t start, uint64_t end, uint64_t bridge)
{
	struct working_run *last = set->count ? &set->runs[set->count - 1] : NULL;

	if (last && start - last->end <= bridge) {
		last->end = end;
		return 0;
	}
	if (set->count == WORKING_SET_RUNS_MAX)
		return -E2BIG;
	if (set->count == set->cap) {
		uint32_t cap = set->cap ? set->cap * 2 : 256;
		struct working_run *grown = reallocarray(set->runs, cap, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		set->runs = grown;
		set->cap = cap;
	}
	set->runs[set->count++] = (struct working_run){start, end};
	return 0;
}

int working_set_save(const char *path, const struct working_set *set, const struct image_id *id,
		     bool spare_others, struct jsnap_error *err)
{
	struct file_head head = {
		.magic = PLACE_PAGES_MAGIC, .version = VERSION, .count = set->count, .id = *id};
	const struct iovec parts[] = {{&head, sizeof(head)},
				      {set->runs, set->count * sizeof(*set->runs)}};
	int r;

	if (total(set) > WORKING_SET_BYTES_MAX)
		return error_set(err, E2BIG, "the working set has %llu MiB",
				 (unsigned long long)(total(set) >> 20));
	head.hash = hash_of(&head, set->runs);
	r = tempfile_write(path, parts, ARRAY_SIZE(parts), spare_others ? PLACE_PAGES : PLACE_ANY,
			   err);
	if (r < 0)
		error_context(err, "working set %s", path);
	return r;
}

static int check_runs(const struct working_set *set, struct jsnap_error *err)
{
	uint64_t reach = 0;

	for (uint32_t i = 0; i < set->count; i++) {
		const struct working_run *run = &set->runs[i];

		if (run->start < reach || run->end <= run->start || run->end > ADDRESS_END ||
		    (run->start | run->end) % PAGE)
			return error_set(err, EBADMSG, "its run %u is impossible", i);
		reach = run->end;
	}
	if (total(set) > WORKING_SET_BYTES_MAX)
		return error_set(err, EBADMSG, "it is too large");
	return 0;
}

static int read_runs(int fd, const struct file_head *head, struct working_set *set,
		     struct jsnap_error *err)
{
	int r;

	set->runs = calloc(head->count + 1u, sizeof(*set->runs));
	if (!set->runs)
		return error_set(err, ENOMEM, "no memory for %u runs", head->count);
	set->count = set->cap = head->count;
	r = read_full(fd, set->runs, head->count * sizeof(*set->runs));
	if (r < 0)
		return error_set(err, EBADMSG, "it is cut off");
	if (hash_of(head, set->runs) != head->hash)
		return error_set(err, EBADMSG, "its checksum differs");
	return check_runs(set, err);
}

static int load(int fd, const struct image_id *expect, struct working_set *set,
		struct jsnap_error *err)
{
	CLEANUP_PRIVILEGE uint64_t effective = 0;
	struct file_head head;
	struct stat st;
	int r = privilege_suspend(&effective, err);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return error_errno(err, "fstat");
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH))
		return error_set(err, EPERM, "it is not this user's alone to write");
	if (read_full(fd, &head, sizeof(head)) < 0 ||
	    memcmp(head.magic, PLACE_PAGES_MAGIC, PLACE_MAGIC_SIZE) != 0 ||
	    head.count > WORKING_SET_RUNS_MAX ||
	    (uint64_t)st.st_size != sizeof(head) + head.count * sizeof(struct working_run))
		return error_set(err, EBADMSG, "not a working set, or cut off");
	if (head.version != VERSION || head.id.lo != expect->lo || head.id.hi != expect->hi)
		return error_set(err, ESTALE, "it is of another image");
	return read_runs(fd, &head, set, err);
}

int working_set_load(const char *path, const struct image_id *expect, struct working_set *ret_set,
		     struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	CLEANUP_WORKING_SET struct working_set set = {0};
	int r;

	if (fd < 0)
		return error_errno(err, "working set %s", path);
	r = load(fd, expect, &set, err);
	if (r < 0) {
		error_context(err, "working set %s", path);
		return r;
	}
	*ret_set = set;
	set = (struct working_set){0};
	return 0;
}
