/* See machine.h; cgroups(7), proc(5), Documentation/admin-guide/cgroup-v2.rst of the kernel. */
#include "proc/machine.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define FOUR_LEVELS_END 0x7ffffffff000ull
#define FIVE_LEVELS_END 0xfffffffffff000ull
#define NO_LIMIT_V1	(1ull << 60) /* version 1 says "none" with a number near 2^63 */

/* A decimal number in a file; `fallback` when it is not there or says "max". */
static uint64_t read_number(const char *path, uint64_t fallback)
{
	CLEANUP_FREE char *text = NULL;
	unsigned long long value;
	char *end;

	if (read_file(path, 4096, &text, NULL) < 0)
		return fallback;
	errno = 0;
	value = strtoull(text, &end, 10);
	return end == text || errno ? fallback : value;
}

static uint64_t read_below(const char *root, const char *path, uint64_t fallback)
{
	char full[PATH_MAX];

	if (snprintf(full, sizeof(full), "%s%s", root, path) >= (int)sizeof(full))
		return fallback;
	return read_number(full, fallback);
}

/* From the group up to the root of its hierarchy. A path that is not there belongs to another
 * mount's view (a container): its root is then the group itself. */
static uint64_t smallest(const char *mount, const char *group, size_t length, const char *file)
{
	uint64_t least = UINT64_MAX;
	char path[PATH_MAX];

	for (;;) {
		uint64_t limit;

		while (length && group[length - 1] == '/')
			length--;
		if (snprintf(path, sizeof(path), "%s%.*s/%s", mount, (int)length, group, file) >=
		    (int)sizeof(path))
			return least;
		limit = read_number(path, UINT64_MAX);
		if (limit < least && limit < NO_LIMIT_V1)
			least = limit;
		if (!length)
			return least;
		while (length && group[length - 1] != '/')
			length--;
	}
}

static bool has_controller(const char *list, size_t length, const char *name)
{
	size_t size = strlen(name);

	while (length >= size) {
		const char *comma = memchr(list, ',', length);
		size_t n = comma ? (size_t)(comma - list) : length;

		if (n == size && memcmp(list, name, size) == 0)
			return true;
		if (!comma)
			break;
		list += n + 1;
		length -= n + 1;
	}
	return false;
}

/* A line is "ID:CONTROLLERS:/GROUP", and version 2's "0::/GROUP". */
uint64_t machine_memory_limit(const char *root, const char *cgroup)
{
	uint64_t least = UINT64_MAX, limit;
	char mount[PATH_MAX];

	while (*cgroup) {
		size_t line = strcspn(cgroup, "\n");
		const char *list = memchr(cgroup, ':', line);
		const char *group =
			list ? memchr(list + 1, ':', line - (size_t)(list + 1 - cgroup)) : NULL;

		if (group) {
			bool v2 = group == list + 1;
			size_t length = line - (size_t)(group + 1 - cgroup);

			snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup%s", root,
				 v2 ? "" : "/memory");
			limit = UINT64_MAX;
			if (v2 || has_controller(list + 1, (size_t)(group - list - 1), "memory"))
				limit = smallest(mount, group + 1, length,
						 v2 ? "memory.max" : "memory.limit_in_bytes");
			least = limit < least ? limit : least;
		}
		cgroup += line + (cgroup[line] == '\n');
	}
	return least;
}

/* Five-level page tables give a process the upper half only when it asks for it by address
 * (Documentation/arch/x86/x86_64/5level-paging.rst). */
static uint64_t find_user_end(void)
{
	void *hint = (void *)(1ull << 52);
	void *got = mmap(hint, 4096, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (got == MAP_FAILED)
		return errno == EEXIST ? FIVE_LEVELS_END : FOUR_LEVELS_END;
	munmap(got, 4096);
	return got == hint ? FIVE_LEVELS_END : FOUR_LEVELS_END;
}

static uint64_t soft_limit(int which)
{
	struct rlimit limit;

	return getrlimit(which, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX
									       : limit.rlim_cur;
}

uint64_t machine_max_mappings(const char *root)
{
	return read_below(root, "/proc/sys/vm/max_map_count", UINT64_MAX);
}

void machine_here(const char *root, struct machine *ret_machine)
{
	CLEANUP_FREE char *cgroup = NULL;
	char path[PATH_MAX];

	*ret_machine = (struct machine){
		.page_size = (uint64_t)sysconf(_SC_PAGESIZE),
		.memory_limit = UINT64_MAX,
		.mmap_min_addr = read_below(root, "/proc/sys/vm/mmap_min_addr", 0),
		.user_end = find_user_end(),
		.max_mappings = machine_max_mappings(root),
		.address_space = soft_limit(RLIMIT_AS),
		.data = soft_limit(RLIMIT_DATA),
	};
	if (snprintf(path, sizeof(path), "%s/proc/self/cgroup", root) < (int)sizeof(path) &&
	    read_file(path, 65536, &cgroup, NULL) == 0)
		ret_machine->memory_limit = machine_memory_limit(root, cgroup);
}
