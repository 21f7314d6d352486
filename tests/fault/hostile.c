/*
 * Images whose checksums are all right and whose content is hostile, written by hand from
 * docs/image-format.md, one lie in each: jsnap inspect, verify and restore refuse it by name, none
 * of them crashes or says anything that a terminal would obey, and no process is left. Where header
 * or manifest are the reason, restore has decompressed nothing: it could not write a byte.
 *
 * hostile JSNAP
 *
 * The image they all start from is honest: a process of six instructions that ends with status 42.
 */
#include "image/image_format.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "proc/cpu.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#define PAGE	4096u
#define CODE	0x10000000ull
#define STACK	0x20000000ull
#define GOOD	42 /* exit status */
#define SECONDS 60u
#define HIDDEN	"/nowhere/\x1b]0;owned\x07\xc2\x9b" /* what a terminal would obey */

static char folder[64], program[96], path[96], output[65536];
static uint64_t stream_size = PAGE; /* what the next image's manifest says */
static unsigned failures;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void fill(struct manifest *m)
{
	static const unsigned char xsave[576] = {[24] = 0x80, [25] = 0x1f}; /* MXCSR's default */
	struct user_regs_struct regs = {.rip = CODE,
					.rsp = STACK + PAGE,
					.cs = 0x33,
					.ss = 0x2b,
					.eflags = 0x202,
					.orig_rax = (unsigned long)-1};
	struct m_host *host;
	struct m_thread *t;
	struct cpu cpu;

	if (manifest_init(m, NULL) < 0)
		die("manifest");
	m->process->pid = 100;
	m->process->euid = geteuid();
	m->process->page_size = PAGE;
	m->process->stream_size = stream_size;
	m->process->exe_backing = MANIFEST_NONE;
	m->process->dumpable = 1;
	m->process->start_code = CODE;
	m->process->end_code = CODE + PAGE;
	m->process->start_data = m->process->end_data = STACK;
	m->process->start_brk = m->process->brk = STACK + PAGE;
	m->process->start_stack = m->process->arg_start = m->process->arg_end = STACK;
	m->process->env_start = m->process->env_end = STACK;
	for (unsigned i = 0; i < 16; i++)
		m->process->rlimits[i][0] = m->process->rlimits[i][1] = UINT64_MAX;
	manifest_string(m, "/", &m->process->cwd);
	t = MANIFEST_ADD(m, threads);
	t->tid = 100;
	memcpy(t->comm, "hostile", 8);
	memcpy(t->regs, &regs, sizeof(regs));
	manifest_blob(m, xsave, sizeof(xsave), &t->xsave);
	t->altstack_flags = 2; /* SS_DISABLE */
	*MANIFEST_ADD(m, vmas) = (struct m_vma){.start = CODE,
						.end = CODE + stream_size,
						.prot = PROT_READ | PROT_EXEC,
						.map_flags = MAP_PRIVATE,
						.n_pieces = 1};
	*MANIFEST_ADD(m, vmas) = (struct m_vma){.start = STACK,
						.end = STACK + PAGE,
						.prot = PROT_READ | PROT_WRITE,
						.map_flags = MAP_PRIVATE};
	*MANIFEST_ADD(m, pieces) = (struct m_piece){CODE, stream_size, 0};
	host = MANIFEST_ADD(m, host);
	cpu_here(&cpu);
	cpu_keep_known(&cpu);
	memcpy(host->cpu_words, cpu.words, sizeof(host->cpu_words));
	memcpy(host->xsave_at, cpu.xsave_at, sizeof(host->xsave_at));
	memcpy(host->xsave_size, cpu.xsave_size, sizeof(host->xsave_size));
	host->xcr0 = cpu.xcr0;
	host->memory_limit = UINT64_MAX;
}

/* Records of a table that the honest image has none of. */
static struct m_backing *add_backing(struct manifest *m, const char *name)
{
	struct m_backing *b = MANIFEST_ADD(m, backings);

	b->mode = S_IFREG | 0644;
	b->content_object = MANIFEST_NONE;
	manifest_string(m, name, &b->path);
	return b;
}

static void add_fd(struct manifest *m, uint32_t number, uint32_t kind, const void *data, size_t n)
{
	struct m_file *f = MANIFEST_ADD(m, files);

	f->kind = kind;
	manifest_blob(m, data, n, &f->data);
	*MANIFEST_ADD(m, fds) = (struct m_fd){.fd = number, .file = m->n_files - 1};
}

static void add_vma(struct manifest *m, uint64_t start, uint64_t end, uint32_t kind,
		    const char *name)
{
	struct m_vma *v = MANIFEST_ADD(m, vmas);

	*v = (struct m_vma){.start = start,
			    .end = end,
			    .prot = PROT_READ,
			    .map_flags = MAP_PRIVATE,
			    .kind = kind};
	manifest_string(m, name, &v->name);
}

static void many_fds(struct manifest *m)
{
	add_fd(m, 3, M_FILE_EVENTFD, NULL, 0);
	for (uint32_t i = 4; i < 200000; i++)
		*MANIFEST_ADD(m, fds) = (struct m_fd){.fd = i};
}

static void mapped_file(struct manifest *m, const char *name, uint32_t uses)
{
	add_backing(m, name)->uses = uses;
	add_vma(m, 0x30000000, 0x30001000, M_VMA_FILE_PRIVATE, name);
	m->vmas[m->n_vmas - 1].backing = m->n_backings - 1;
}

static void epoll_of_itself(struct manifest *m)
{
	add_fd(m, 3, M_FILE_EPOLL, NULL, 0);
	*MANIFEST_ADD(m, epoll_targets) = (struct m_epoll_target){.fd = 3, .events = 1};
}

static struct user_regs_struct *regs(struct manifest *m)
{
	return (struct user_regs_struct *)m->threads[0].regs;
}

/* What is wrong, how, words of the refusal, and by whom: 'L' whoever reads it, 'V' verify and
 * restore, 'R' restore alone; 'S': it starts, and the program dies of its own. */
#define LIES(X)                                                                                  \
	X('L', page_size, m->process->page_size = 65536, "page size 65536")                      \
	X('L', two_processes, m->n_process = 0, "0 process records")                             \
	X('L', overlapping, m->vmas[1].start = CODE, "VMA 1")                                    \
	X('L', backwards, m->vmas[1].end = STACK - PAGE, "VMA 1")                                \
	X('L', beyond, m->vmas[1].end = 1ull << 62, "out of range")                              \
	X('L', piece_outside, m->pieces[0].size = 1ull << 40, "outside")                         \
	X('L', piece_wraps, m->pieces[0].offset = -(uint64_t)PAGE, "outside the page stream")    \
	X('L', stream, m->process->stream_size = 1ull << 40, "its pieces end after 4096")        \
	X('L', stream_header,                                                                    \
	  (m->process->stream_size = m->pieces[0].size = 2 * PAGE, m->vmas[0].end += PAGE),      \
	  "different stream sizes")                                                              \
	X('L', string, m->process->cwd = UINT32_MAX, "string pool")                              \
	X('L', blob, m->threads[0].xsave.offset = UINT32_MAX - 15, "XSAVE")                      \
	X('L', endless_name, memset(m->threads[0].comm, 'x', 16), "its name does not end")       \
	X('L', relative, add_backing(m, "etc/passwd"), "no absolute path")                       \
	X('L', upwards, add_backing(m, "/proc/../etc/passwd"), "no absolute path")               \
	X('L', fd_huge, add_fd(m, UINT32_MAX, M_FILE_EVENTFD, NULL, 0), "out of order or range") \
	X('L', fd_kind, add_fd(m, 3, 1000, NULL, 0), "unknown kind 1000")                        \
	X('L', fd_target, add_fd(m, 3, M_FILE_SOCKET, NULL, 0), "target 0 of 0")                 \
	X('L', watch, MANIFEST_ADD(m, epoll_targets)->file = 7, "not an epoll")                  \
	X('L', lock, MANIFEST_ADD(m, locks)->fd = 7, "lock 0")                                   \
	X('L', signal, MANIFEST_ADD(m, sigactions)->signo = 65, "signal 65")                     \
	X('L', tid, m->threads[0].tid = 1u << 31, "thread 0")                                    \
	X('V', no_host, m->n_host = 0, "does not say what machine")                              \
	X('V', user, m->process->euid++, "of a process of user")                                 \
	X('V', low, add_low(m), "none below")                                                    \
	X('V', high, add_vma(m, 1ull << 50, (1ull << 50) + PAGE, M_VMA_ANON, ""),                \
	  "five-level page")                                                                     \
	X('V', processor, memset(m->host->cpu_words, 0xff, 48), "lacks")                         \
	X('V', gone, mapped_file(m, "/nowhere/" HIDDEN, M_BACKING_MAPPED), "/nowhere/")          \
	X('V', changed, mapped_file(m, "/etc/passwd", M_BACKING_MAPPED), "/etc/passwd")          \
	X('R', no_threads, m->n_threads = 0, "no main thread")                                   \
	X('R', everywhere, add_vma(m, 1ull << 30, 0x7ffffffef000, M_VMA_ANON, ""),               \
	  "address space")                                                                       \
	X('R', two_vdsos, add_vdsos(m), "vDSO")                                                  \
	X('R', false_vdso, add_vma(m, 1ull << 40, (1ull << 40) + PAGE, M_VMA_ANON, "[vdso]"),    \
	  "misnames")                                                                            \
	X('R', unopened, mapped_file(m, "/etc/passwd", 0), "map")                                \
	X('R', no_sharing, m->vmas[1].map_flags = 0, "map")                                      \
	X('R', xsave, m->threads[0].xsave.size = 100, "too short")                               \
	X('R', fd_far, add_fd(m, 1u << 30, M_FILE_EVENTFD, NULL, 0), "descriptors up to")        \
	X('R', fd_many, many_fds(m), "descriptor")                                               \
	X('R', pipe_cut, add_fd(m, 3, M_FILE_PIPE, "\xff\xff\0\0some", 8), "cut short")          \
	X('R', epoll_loop, epoll_of_itself(m), "watch fd 3")                                     \
	X('R', kill_handler, MANIFEST_ADD(m, sigactions)->signo = SIGKILL, "signal")             \
	X('R', timer, MANIFEST_ADD(m, posix_timers)->id = UINT32_MAX, "timer")                   \
	X('R', folder, manifest_string(m, HIDDEN, &m->process->cwd), "working folder")           \
	X('S', nowhere, regs(m)->rip = 0x41414141, "SIGSEGV")                                    \
	X('S', not_canonical, regs(m)->rip = 1ull << 60, "SIGSEGV")                              \
	X('S', no_stack, regs(m)->cs = 0, "SIG")

static void add_low(struct manifest *m)
{
	m->vmas[0].start = 0;
	m->vmas[0].n_pieces = 0;
}

static void add_vdsos(struct manifest *m)
{
	add_vma(m, 1ull << 40, (1ull << 40) + (1 << 20), M_VMA_VDSO, "[vdso]");
	add_vma(m, 1ull << 41, (1ull << 41) + (1 << 20), M_VMA_VDSO, "[vdso]");
}

#define X(who, name, statement, words)             \
	static void lie_##name(struct manifest *m) \
	{                                          \
		statement;                         \
	}
LIES(X)
#undef X

/* The bytes of an image, growing. */
struct bytes {
	unsigned char data[8 << 20];
	size_t size;
	struct seek_entry entries[512];
	uint32_t n_frames;
};

static struct bytes image;

static void put(const void *data, size_t size)
{
	memcpy(image.data + image.size, data, size);
	image.size += size;
}

static void put_skippable(const void *data, size_t size)
{
	put(data, size);
	image.entries[image.n_frames++] =
		(struct seek_entry){(uint32_t)size, 0, (uint32_t)XXH64("", 0, 0)};
}

static void put_frame(const void *data, size_t size)
{
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	size_t n;

	ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
	n = ZSTD_compress2(zstd, image.data + image.size, sizeof(image.data) - image.size, data,
			   size);
	ZSTD_freeCCtx(zstd);
	if (ZSTD_isError(n))
		die("zstd");
	image.size += n;
	image.entries[image.n_frames++] =
		(struct seek_entry){(uint32_t)n, (uint32_t)size, (uint32_t)XXH64(data, size, 0)};
}

static void put_chunks(const char *data, size_t size)
{
	for (size_t at = 0; at < size; at += IMAGE_FRAME_SIZE)
		put_frame(data + at, size - at < IMAGE_FRAME_SIZE ? size - at : IMAGE_FRAME_SIZE);
}

/* The honest process's page; of a longer stream what compresses best and is no hole. */
static void put_stream(void)
{
	/* mov $60,%eax; mov $42,%edi; syscall */
	static char page[PAGE] = "\xb8\x3c\0\0\0\xbf\x2a\0\0\0\x0f\x05";
	static char much[IMAGE_FRAME_SIZE];

	if (stream_size == PAGE)
		return put_chunks(page, sizeof(page));
	memset(much, 'x', sizeof(much));
	for (uint64_t at = 0; at < stream_size; at += sizeof(much))
		put_chunks(much, sizeof(much));
}

/* `edit` may lie in the header too, before its checksum is made. */
static void write_image(void *manifest, size_t size, void (*edit)(struct image_disk_header *d))
{
	struct image_disk_header d = {.skippable_magic = IMAGE_MAGIC_HEADER,
				      .skippable_size = sizeof(d) - 8,
				      .magic = "JSNAPIMG",
				      .version = IMAGE_FORMAT_VERSION,
				      .frame_size = IMAGE_FRAME_SIZE,
				      .manifest_size = size,
				      .stream_size = stream_size};
	struct image_disk_trailer t = {.skippable_magic = IMAGE_MAGIC_TRAILER,
				       .skippable_size = sizeof(t) - 8,
				       .magic = "JSNAPEND"};
	XXH128_hash_t id = XXH3_128bits(manifest, size);
	struct image_header here;
	struct seek_head head;
	struct seek_foot foot;
	CLEANUP_CLOSE int fd = -1;

	image.size = image.n_frames = 0;
	if (image_header_here(getpid(), &here, NULL) < 0)
		die("this system");
	memcpy(d.arch, here.arch, sizeof(d.arch));
	memcpy(d.kernel, here.kernel, sizeof(d.kernel));
	memcpy(d.lsm, here.lsm, sizeof(d.lsm));
	memcpy(d.lsm_label, here.lsm_label, sizeof(d.lsm_label));
	d.id = (struct image_id){.lo = id.low64, .hi = id.high64};
	if (edit)
		edit(&d);
	d.hash = XXH3_64bits(&d, sizeof(d) - sizeof(d.hash));
	put_skippable(&d, sizeof(d));
	put_chunks(manifest, size);
	put_stream();
	t.offset = image.size;
	t.hash = XXH3_64bits(image.data, image.size);
	put_skippable(&t, sizeof(t));
	head = (struct seek_head){IMAGE_MAGIC_SEEK_TABLE,
				  image.n_frames * (uint32_t)sizeof(struct seek_entry) +
					  (uint32_t)sizeof(foot)};
	foot = (struct seek_foot){image.n_frames, IMAGE_SEEK_DESCRIPTOR, IMAGE_MAGIC_SEEKABLE};
	put(&head, sizeof(head));
	put(image.entries, image.n_frames * sizeof(struct seek_entry));
	put(&foot, sizeof(foot));
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write_full(fd, image.data, image.size) < 0)
		die(path);
}

static int status_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Its exit status, or 1000 and the signal that ended it; all that it printed is in `output`. The
 * image is its standard input. With `writes` false a write to any file, one in memory too, ends it
 * (SIGXFSZ, setrlimit(2)). */
static int run_limited(const char *const argv[], bool writes)
{
	int fds[2], status = 0;
	size_t size = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		die("pipe");
	pid = fork();
	if (pid == 0) {
		alarm(SECONDS); /* SIGALRM is inherited by exec */
		dup2(open(path, O_RDONLY | O_CLOEXEC), 0);
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		if (!writes)
			setrlimit(RLIMIT_FSIZE, &(struct rlimit){0, 0});
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(fds[1]);
	while ((n = read(fds[0], output + size, sizeof(output) - 1 - size)) > 0)
		if (size + (size_t)n < sizeof(output) / 2) /* the rest is read and let go of */
			size += (size_t)n;
	output[size] = '\0';
	close(fds[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die("wait");
	return status_of(status);
}

static int run(const char *const argv[])
{
	return run_limited(argv, true);
}

static void fault(const char *name, const char *verb, const char *what)
{
	fprintf(stderr, "FAILED: %s: jsnap %s %s: %.400s\n", name, verb, what, output);
	failures++;
}

static void judge(const char *name, const char *verb, int status, int wanted, const char *words)
{
	if (wanted >= 0 && status != wanted) {
		char what[64];

		snprintf(what, sizeof(what), "ends with %d, not %d", status, wanted);
		fault(name, verb, what);
	} else if (words && !strstr(output, words)) {
		fault(name, verb, "does not say so");
	}
	if (status >= 1000 || strstr(output, "Sanitizer") || strstr(output, "runtime error"))
		fault(name, verb, "crashed");
	for (const char *p = output; *p; p++)
		if ((unsigned char)*p < 0x20 && *p != '\n')
			return fault(name, verb, "printed a control character");
	if (strstr(output, "\xc2\x9b"))
		fault(name, verb, "printed a control character");
	if (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD)
		fault(name, verb, "left a process");
}

/* From a file, beside which a hot copy may be made, and from a pipe's place. */
static void try_untouched(const char *name, const char *words)
{
	const char *const sources[] = {path, "-"};

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		const char *restore[] = {program, "restore", "--tids", "userns", sources[i], NULL};

		judge(name, i ? "restore -" : "restore, without writing",
		      run_limited(restore, false), 125, words);
	}
}

/* Whoever is to refuse it does, in these words. */
static void try(char who, const char *name, const char *words, bool restores)
{
	const char *inspect[] = {program, "inspect", path, NULL};
	const char *verify[] = {program, "verify", path, NULL};
	const char *restore[] = {program,  "restore", "--hot-copy", "off",
				 "--tids", "userns",  path,	    NULL};
	bool loads = who != 'L', valid = loads && who != 'V';

	judge(name, "inspect", run(inspect), loads ? 0 : 125, loads ? NULL : words);
	judge(name, "verify", run(verify), valid ? 0 : 1, valid ? "whole, and would" : words);
	if (!valid)
		try_untouched(name, words);
	if (!restores)
		return;
	if (who != 'S')
		judge(name, "restore", run(restore), 125, words);
	else if (run(restore) <= 128)
		fault(name, "restore", "says nothing of a program that died");
}

static void header_huge(struct image_disk_header *d)
{
	d->manifest_size = 1ull << 62;
}

static void header_more(struct image_disk_header *d)
{
	d->manifest_size = 1400ull << 20; /* allowed, and not there */
}

static void header_stream(struct image_disk_header *d)
{
	d->stream_size = 16ull << 40;
}

static void header_arch(struct image_disk_header *d)
{
	snprintf(d->arch, sizeof(d->arch), "ARM\x1b[2J");
}

static void header_label(struct image_disk_header *d)
{
	memset(d->lsm_label, 'x', sizeof(d->lsm_label));
}

/* Manifests that the library would not write: the counts and offsets of the directory. */
static void raw_lies(const void *good, size_t size, bool restores)
{
	static const struct {
		const char *name;
		size_t at; /* in the manifest */
		uint64_t value;
		size_t n;
		const char *words;
	} lies[] = {
		{"sections", 12, 0xffffffff, 4, "manifest"},
		{"version", 8, 77, 4, "version 77"},
		{"whole", 16, 1ull << 50, 8, "manifest"},
		{"count", 32 + 24 + 16, 0xffffffff, 4, "threads"},
		{"record", 32 + 24 + 4, 1, 4, "threads"},
		{"offset", 32 + 24 + 8, -16ull, 8, "threads"},
		{"id", 32 + 24, 1, 4, "manifest"},
		{"vmas", 32 + 2 * 24 + 16, 262145, 4, "vmas"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		CLEANUP_FREE char *copy = malloc(size);

		memcpy(copy, good, size);
		memcpy(copy + lies[i].at, &lies[i].value, lies[i].n);
		write_image(copy, size, NULL);
		try('L', lies[i].name, lies[i].words, restores);
	}
}

static void header_lies(void *good, size_t size, bool restores)
{
	static const struct {
		char who;
		const char *name;
		void (*edit)(struct image_disk_header *d);
		const char *words;
	} lies[] = {
		{'L', "header: manifest of exabytes", header_huge, "out of range"},
		{'L', "header: manifest that is not there", header_more, ""},
		{'L', "header: stream of terabytes", header_stream, ""},
		{'V', "header: architecture", header_arch, "ARM"},
		{'L', "header: endless label", header_label, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		write_image(good, size, lies[i].edit);
		try(lies[i].who, lies[i].name, lies[i].words, restores);
	}
}

/* 19 KB that are 256 MB: of another architecture, and of a process of somebody else's. */
static void bombs(bool restores)
{
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_FREE void *data = NULL;
	size_t size;

	stream_size = 256u << 20;
	fill(&m);
	m.process->euid++;
	if (manifest_save(&m, &data, &size, NULL) < 0)
		die("manifest");
	write_image(data, size, header_arch);
	try('V', "bomb of another architecture", "ARM", restores);
	write_image(data, size, NULL);
	try('V', "bomb of another user", "of a process of user", restores);
	stream_size = PAGE;
}

static bool user_namespaces(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* A folder of an ordinary user, with a copy of jsnap: the build tree may be closed to him. */
static void enter(const char *jsnap)
{
	CLEANUP_FREE char *data = NULL;
	CLEANUP_CLOSE int fd = -1;
	size_t size;

	snprintf(folder, sizeof(folder), "/tmp/jsnap-hostile-XXXXXX");
	if (!mkdtemp(folder))
		die("mkdtemp");
	snprintf(program, sizeof(program), "%s/jsnap", folder);
	snprintf(path, sizeof(path), "%s/x.jsnap", folder);
	if (read_file(jsnap, 256u << 20, &data, &size) < 0)
		die(jsnap);
	fd = open(program, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	if (fd < 0 || fchmod(fd, 0755) < 0 || write_full(fd, data, size) < 0)
		die(program);
	if (geteuid() == 0 &&
	    (chown(folder, 65534, 65534) < 0 || setresgid(65534, 65534, 65534) < 0 ||
	     setresuid(65534, 65534, 65534) < 0))
		die("step down from root");
	setenv("HOME", folder, 1);
	if (prctl(PR_SET_DUMPABLE, 1) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ||
	    chdir(folder) < 0)
		die(folder);
}

static void leave(void)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(dir), entry->d_name, 0);
		else if (strlen(entry->d_name) > 2)
			failures += fprintf(stderr, "left behind: %s\n", entry->d_name) > 0;
	if (dir)
		closedir(dir);
	rmdir(folder);
}

int main(int argc, char **argv)
{
	static const struct {
		char who;
		const char *name;
		void (*lie)(struct manifest *m);
		const char *words;
	} lies[] = {
#define X(who, name, statement, words) {who, #name, lie_##name, words},
		LIES(X)
#undef X
	};
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_FREE void *good = NULL;
	const char *restore[] = {program,      "restore", "--tids", "userns",
				 "--hot-copy", "off",	  path,	    NULL};
	size_t size;
	bool restores;

	if (argc != 2) {
		fprintf(stderr, "usage: hostile JSNAP\n");
		return 2;
	}
	enter(argv[1]);
	restores = user_namespaces();
	fill(&m);
	if (manifest_save(&m, &good, &size, NULL) < 0)
		die("manifest");
	write_image(good, size, NULL);
	if (restores)
		judge("honest", "restore", run(restore), GOOD, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		CLEANUP_MANIFEST struct manifest bad = {0};
		CLEANUP_FREE void *data = NULL;
		size_t n;

		fill(&bad);
		lies[i].lie(&bad);
		if (manifest_save(&bad, &data, &n, NULL) < 0)
			die("manifest");
		write_image(data, n, NULL);
		try(lies[i].who, lies[i].name, lies[i].words, restores);
	}
	raw_lies(good, size, restores);
	header_lies(good, size, restores);
	bombs(restores);
	if (restores) {
		write_image(good, size, NULL);
		judge("honest again", "restore", run(restore), GOOD, NULL);
	}
	if (failures)
		fprintf(stderr, "kept: %s\nrun again: %s %s\n", folder, argv[0], argv[1]);
	else
		leave();
	printf("%zu hostile images, %u faults%s\n", ARRAY_SIZE(lies) + 15, failures,
	       restores ? "" : "; none restored: no unprivileged user namespaces here");
	return failures ? 1 : 0;
}
