/*
 * The victims' side of the protocol. Files alone, so that it survives what it tests.
 */
#include "victim.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static char folder[PATH_MAX - 256];
static atomic_int faults;

void victim_init(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s FOLDER [KIND], started by the runner\n", argv[0]);
		exit(2);
	}
	snprintf(folder, sizeof(folder), "%s", argv[1]);
	/* Where Yama restricts ptrace to descendants, jsnap dump is no ancestor of ours. */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	setvbuf(stderr, NULL, _IOLBF, 1024);
}

const char *victim_path(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

void victim_ready(void)
{
	char go[PATH_MAX], ping[PATH_MAX];
	int fd = open(victim_path("ready"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	SETUP(fd >= 0);
	close(fd);
	snprintf(go, sizeof(go), "%s/go", folder);
	snprintf(ping, sizeof(ping), "%s/ping", folder);
	while (access(go, F_OK) < 0) {
		unlink(ping);
		victim_sleep_ms(3);
	}
}

int victim_result(void)
{
	return faults ? 1 : 0;
}

void victim_fault(const char *file, int line, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s:%d: %s\n", strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line,
		text);
	atomic_fetch_add(&faults, 1);
}

void victim_broken(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: setup failed: %s: %s\n", file, line, what, strerror(errno));
	exit(2);
}

void victim_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(77);
}

void victim_lacks(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(78);
}

int64_t victim_now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

void victim_sleep_ms(int ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

void victim_stranger(void (*body)(pid_t victim))
{
	pid_t victim = getpid(), child = fork();

	SETUP(child >= 0);
	if (child == 0) {
		if (fork() == 0)
			body(victim);
		_exit(0);
	}
	SETUP(waitpid(child, NULL, 0) == child);
}

unsigned char victim_byte(size_t offset)
{
	return (offset * 2654435761u) >> 13 ^ offset >> 12;
}

void victim_fill(void *memory, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((unsigned char *)memory)[i] = victim_byte(i);
}

void victim_expect_filled(const char *what, const volatile void *memory, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char got = ((const volatile unsigned char *)memory)[i];

		if (got != victim_byte(i)) {
			victim_fault(__FILE__, __LINE__, "%s: byte %zu is %02x, not %02x", what, i,
				     got, victim_byte(i));
			return;
		}
	}
}

int victim_file(const char *name, size_t size)
{
	int fd = open(victim_path(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	unsigned char *bytes = malloc(size + 1);

	SETUP(fd >= 0 && bytes);
	victim_fill(bytes, size);
	SETUP(pwrite(fd, bytes, size, 0) == (ssize_t)size);
	free(bytes);
	return fd;
}

const char *victim_perms(const void *address)
{
	static char perms[8];
	char line[512];
	FILE *f = fopen("/proc/self/maps", "re");
	uintptr_t low, high;

	SETUP(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s", &low, &high, perms) == 3 &&
		    low <= (uintptr_t)address && (uintptr_t)address < high) {
			fclose(f);
			return perms;
		}
	}
	fclose(f);
	return "";
}

static size_t count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	size_t count = 0;

	SETUP(maps != NULL);
	for (int c; (c = getc(maps)) != EOF;)
		count += c == '\n';
	fclose(maps);
	return count;
}

unsigned char *victim_crowd(size_t left)
{
	FILE *limit = fopen("/proc/sys/vm/max_map_count", "re");
	unsigned char *area;
	size_t max, count;

	SETUP(limit != NULL && fscanf(limit, "%zu", &max) == 1);
	fclose(limit);
	if (max > 200000)
		victim_lacks("a limit of mappings that is soon reached: vm.max_map_count is %zu",
			     max);
	count = count_mappings() - 1; /* [vsyscall] is none */
	SETUP(max > count + left);
	count = max - count - left;
	area = mmap(NULL, count * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SETUP(area != MAP_FAILED);
	for (size_t i = 1; i < count; i += 2)
		SETUP(mprotect(area + i * 4096, 4096, PROT_READ) == 0);
	return area;
}

void victim_vmflags(const void *address, char *text, size_t size)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	uintptr_t low, high;
	bool here = false;
	char line[512];

	SETUP(f);
	text[0] = '\0';
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &low, &high) == 2) {
			here = low <= (uintptr_t)address && (uintptr_t)address < high;
			if (here)
				snprintf(text, size, "%" PRIxPTR "-%" PRIxPTR " ", low, high);
		}
		if (here && strncmp(line, "VmFlags:", 8) == 0)
			strncat(text, line, size - strlen(text) - 1);
	}
	fclose(f);
	/* Softdirty tracking is no mark of the program's. */
	for (char *sd = strstr(text, " sd"); sd; sd = strstr(text, " sd"))
		memmove(sd, sd + 3, strlen(sd + 3) + 1);
}

/* Found as a C library does: by its dynamic symbols. */
void *victim_vdso(const char *name)
{
	const char *base = (const char *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *head = (const void *)base;
	const Elf64_Phdr *program = (const void *)(base + head->e_phoff);
	const Elf64_Sym *symbols = NULL;
	const char *names = NULL;
	const uint32_t *hash = NULL;

	SETUP(base);
	for (int i = 0; i < head->e_phnum; i++) {
		const Elf64_Dyn *dynamic = (const void *)(base + program[i].p_offset);

		if (program[i].p_type != PT_DYNAMIC)
			continue;
		for (; dynamic->d_tag != DT_NULL; dynamic++) {
			const void *at = base + dynamic->d_un.d_ptr;

			if (dynamic->d_tag == DT_SYMTAB)
				symbols = at;
			else if (dynamic->d_tag == DT_STRTAB)
				names = at;
			else if (dynamic->d_tag == DT_HASH)
				hash = at;
		}
	}
	if (!symbols || !names || !hash)
		victim_lacks("the vDSO has no symbol table to search");
	for (uint32_t i = 0; i < hash[1]; i++)
		if (strcmp(names + symbols[i].st_name, name) == 0)
			return (void *)(base + symbols[i].st_value);
	victim_lacks("the vDSO has no %s", name);
}
