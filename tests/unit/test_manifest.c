/* The manifest: building, saving, loading, and every invariant that a load must refuse to break. */
#include "image/manifest.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "check.h"
#include "manifest_sample.h"

#include <fcntl.h>
#include <sys/socket.h>

#define PAGE MANIFEST_SAMPLE_PAGE

static void test_round_trip(void)
{
	CLEANUP_MANIFEST struct manifest m = {0}, loaded = {0};
	CLEANUP_FREE void *again = NULL;
	struct jsnap_error err = {0};
	size_t size, again_size;
	void *data;

	manifest_sample(&m);
	CHECK_EQ(manifest_check(&m, &err), 0);
	CHECK_EQ(manifest_save(&m, &data, &size, &err), 0);
	CHECK_EQ(manifest_load(data, size, &loaded, &err), 0);
	CHECK_EQ(loaded.n_threads, 40);
	CHECK_EQ(loaded.threads[39].tid, 139);
	CHECK_EQ(((const unsigned char *)manifest_bytes(&loaded, loaded.threads[3].xsave))[1], 2);
	CHECK_STR(manifest_str(&loaded, loaded.backings[0].path), "/usr/bin/java");
	CHECK_STR(manifest_note(&loaded, "key"), "new");
	CHECK_STR(manifest_note(&loaded, "main"), "App");
	CHECK(!manifest_note(&loaded, "absent"));
	CHECK_EQ(loaded.n_notes, 2);
	CHECK_EQ(manifest_save(&loaded, &again, &again_size, &err), 0);
	CHECK_EQ(again_size, size);
	CHECK(memcmp(again, loaded.buffer, size) == 0);
}

/* A loaded manifest may be added to: what lies in its buffer moves out when it first grows. */
static void test_grow_loaded(void)
{
	CLEANUP_MANIFEST struct manifest m = {0}, loaded = {0};
	struct m_blob blob;
	size_t size;
	void *data;

	manifest_sample(&m);
	CHECK_EQ(manifest_save(&m, &data, &size, NULL), 0);
	CHECK_EQ(manifest_load(data, size, &loaded, NULL), 0);
	CHECK_EQ(manifest_set_note(&loaded, "late", "yes", NULL), 0);
	CHECK_EQ(manifest_blob(&loaded, "bytes", 5, &blob), 0);
	MANIFEST_ADD(&loaded, threads)->tid = 1000;
	CHECK_STR(manifest_note(&loaded, "late"), "yes");
	CHECK_STR(manifest_note(&loaded, "key"), "new");
	CHECK_STR(loaded.threads[0].comm, "main");
	CHECK_EQ(loaded.n_threads, 41);
	CHECK_EQ(manifest_check(&loaded, NULL), 0);
}

static void test_maxima(void)
{
	CLEANUP_MANIFEST struct manifest m = {0};
	struct m_blob blob;

	CHECK_EQ(manifest_init(&m, NULL), 0);
	CHECK(!MANIFEST_ADD(&m, process));
	for (int i = 0; i < 64; i++)
		CHECK(MANIFEST_ADD(&m, sigactions));
	CHECK(!MANIFEST_ADD(&m, sigactions));
	CHECK_EQ(m.n_sigactions, 64);
	CHECK_EQ(manifest_blob(&m, "x", (1ull << 30) + 1, &blob), -E2BIG);
	CHECK_EQ(manifest_blob(&m, NULL, 0, &blob), 0);
	CHECK_EQ(blob.size, 0);
}

/* Each breaks one invariant of an otherwise good manifest; `word` must be in the message. */
static void refuse(void (*spoil)(struct manifest *m), const char *word)
{
	CLEANUP_MANIFEST struct manifest m = {0}, loaded = {0};
	CLEANUP_FREE void *data = NULL;
	struct jsnap_error err = {0};
	size_t size;

	manifest_sample(&m);
	spoil(&m);
	CHECK_EQ(manifest_check(&m, &err), -EBADMSG);
	if (!strstr(err.text, word))
		fprintf(stderr, "\"%s\" does not say \"%s\"\n", err.text, word);
	CHECK(strstr(err.text, word));
	CHECK_EQ(manifest_save(&m, &data, &size, NULL), 0);
	CHECK_EQ(manifest_load(data, size, &loaded, &err), -EBADMSG);
}

static void pair_with_itself(struct m_socket *first)
{
	first->state = M_SOCKET_PAIR;
	first->peer = 0;
}

static void guard_the_vdso(struct m_guard *guard)
{
	*guard = (struct m_guard){13 * PAGE, 14 * PAGE};
}

static void climb(struct manifest *m, const char *path)
{
	CHECK_EQ(manifest_string(m, path, &m->backings[0].path), 0);
}

#define SPOILS(X)                                                                           \
	X(page_size, m->process->page_size = 8192, "page size")                             \
	X(stream, m->process->stream_size += 1, "stream size")                              \
	X(stream_max, m->process->stream_size = 1ull << 45, "stream size")                  \
	X(exe, m->process->exe_backing = 1, "executable")                                   \
	X(cwd, m->process->cwd = m->strings_size, "working folder")                         \
	X(auxv, m->process->auxv.size = 8, "auxiliary")                                     \
	X(tid_order, m->threads[5].tid = 100, "thread 5")                                   \
	X(tid_zero, m->threads[0].tid = 0, "thread 0")                                      \
	X(leader, m->process->pid = 99, "PID 99")                                           \
	X(comm, memset(m->threads[1].comm, 'x', 16), "thread 1")                            \
	X(restart, m->threads[1].restart = 9, "restart")                                    \
	X(xsave, m->threads[1].xsave.size = 1u << 30, "XSAVE")                              \
	X(xsave_at, m->threads[1].xsave.offset += 1, "XSAVE")                               \
	X(vma_overlap, m->vmas[1].start = 3 * PAGE, "VMA 1")                                \
	X(vma_empty, m->vmas[1].end = m->vmas[1].start, "VMA 1")                            \
	X(vma_align, m->vmas[1].end += 1, "VMA 1")                                          \
	X(vma_range, m->vmas[3].end = 1ull << 63, "VMA 3")                                  \
	X(vma_kind, m->vmas[3].kind = 77, "VMA 3")                                          \
	X(vma_backing, m->vmas[1].backing = 1, "VMA 1")                                     \
	X(vma_object, m->vmas[2].backing = 1, "VMA 2")                                      \
	X(vma_name, m->vmas[2].name = UINT32_MAX, "VMA 2")                                  \
	X(vma_pieces, m->vmas[0].first_piece = UINT32_MAX, "VMA 0")                         \
	X(vma_many, m->vmas[0].n_pieces = UINT32_MAX, "VMA 0")                              \
	X(piece_twice, m->vmas[1].n_pieces = 2, "pieces")                                   \
	X(piece_out, m->pieces[1].addr = 4 * PAGE, "VMA 0")                                 \
	X(piece_order, m->pieces[1].addr = PAGE, "VMA 0")                                   \
	X(piece_align, m->pieces[1].offset += 8, "piece 1")                                 \
	X(piece_empty, m->pieces[1].size = 0, "piece 1")                                    \
	X(piece_stream, m->pieces[1].offset = 16 * PAGE, "piece 1")                         \
	X(piece_again, m->pieces[1].offset = 0, "piece 1")                                  \
	X(stream_more, m->process->stream_size += PAGE, "end after 16384")                  \
	X(stream_gap, (m->pieces[2].offset += 2 << 20, m->process->stream_size += 2 << 20), \
	  "piece 2")                                                                        \
	X(piece_wrap, m->pieces[1].size = -(uint64_t)PAGE, "piece 1")                       \
	X(object_out, m->pieces[2].addr = PAGE, "object 0")                                 \
	X(object_kind, m->objects[0].kind = 3, "object 0")                                  \
	X(object_size, m->objects[0].size = UINT64_MAX, "object 0")                         \
	X(backing_object, m->backings[0].content_object = 1, "backing 0")                   \
	X(backing_path, m->backings[0].path = m->strings_size, "backing 0")                 \
	X(backing_relative, m->backings[0].path++, "absolute path")                         \
	X(backing_up, climb(m, "/usr/../bin/java"), "absolute path")                        \
	X(backing_end, climb(m, "/usr/.."), "absolute path")                                \
	X(file_kind, m->files[1].kind = 99, "file 1")                                       \
	X(file_target, m->files[0].target = 1, "file 0")                                    \
	X(fd_twice, m->fds[1].fd = 0, "out of order")                                       \
	X(fd_file, m->fds[1].file = 4, "descriptor 7")                                      \
	X(socket_peer, m->sockets[0].peer = 1, "socket 0")                                  \
	X(socket_state, m->sockets[0].state = 50, "socket 0")                               \
	X(socket_local, m->sockets[0].local.size = 500, "address")                          \
	X(socket_option, m->sockets[0].options.size = 20, "options")                        \
	X(socket_data, m->sockets[0].data.size = 6, "unread")                               \
	X(socket_self, pair_with_itself(&m->sockets[0]), "peer")                            \
	X(epoll, m->epoll_targets[0].file = 0, "epoll")                                     \
	X(inotify, m->inotify_watches[0].file = 9, "inotify")                               \
	X(inotify_wd, m->inotify_watches[0].wd = 0, "number 0")                             \
	X(inotify_order, m->inotify_watches[1].wd = 1, "out of order")                      \
	X(inotify_many, m->inotify_watches[1].wd = 1u << 30, "bad number")                  \
	X(inotify_path, m->inotify_watches[1].path = 0, "absolute path")                    \
	X(signo, m->sigactions[0].signo = 65, "signal 65")                                  \
	X(siginfo, m->siginfos[0].tid = 7, "no thread 7")                                   \
	X(timer, m->posix_timers[1].id = 0, "timer")                                        \
	X(vdso, m->process->vdso.size = 1u << 30, "vDSO")                                   \
	X(lock_fd, m->locks[0].fd = 2, "lock 0")                                            \
	X(lock_kind, m->locks[0].kind = 3, "lock 0")                                        \
	X(lock_range, m->locks[0].length = UINT64_MAX, "lock 0")                            \
	X(guard_empty, m->guards[0].end = 0x5000, "guard 0")                                \
	X(guard_order, m->guards[1].start = 0x5000, "guard 1")                              \
	X(guard_align, m->guards[1].end = 0xb001, "guard 1")                                \
	X(guard_outside, m->guards[1].end = 13 * PAGE, "guard 1")                           \
	X(guard_vdso, guard_the_vdso(&m->guards[1]), "guard 1")                             \
	X(host_name, m->host->cpu_name = 1u << 30, "processor's name")                      \
	X(host_level, m->host->cpu_level = 5, "level 5")                                    \
	X(host_state, m->host->xsave_at[31] = 65537, "component 31")                        \
	X(note, m->notes[0].value = m->strings_size, "note 0")                              \
	X(string_end, m->strings[m->strings_size - 1] = 'x', "string pool")                 \
	X(string_begin, m->strings[0] = 'x', "string pool")

#define X(name, statement, word)                     \
	static void spoil_##name(struct manifest *m) \
	{                                            \
		statement;                           \
	}
SPOILS(X)
#undef X

/* Any flipped byte and any truncation loads or is refused with a message, and never crashes. */
static void test_damage(void)
{
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_FREE void *data = NULL;
	size_t size;

	manifest_sample(&m);
	CHECK_EQ(manifest_save(&m, &data, &size, NULL), 0);
	for (size_t i = 0; i < 2 * size; i++) {
		size_t used = i < size ? i : size;
		CLEANUP_MANIFEST struct manifest loaded = {0};
		struct jsnap_error err = {0};
		char *copy = malloc(size);

		CHECK(copy);
		memcpy(copy, data, size);
		if (i >= size)
			copy[i - size] = (char)(copy[i - size] ^ (1 + rand() % 255));
		if (manifest_load(copy, used, &loaded, &err) == 0) {
			CHECK(i >= size);
			continue;
		}
		CHECK(err.code && err.text[0]);
		free(copy);
	}
}

/* The fuzzer starts from what this version of the format looks like (tests/fuzz/seeds.c). */
static void test_seed(void)
{
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_FREE void *data = NULL;
	CLEANUP_FREE char *seed = NULL;
	size_t size, seed_size;

	manifest_sample(&m);
	CHECK_EQ(manifest_save(&m, &data, &size, NULL), 0);
	CHECK_EQ(read_file(FIXTURES "/../fuzz/corpus/manifest/full", 1u << 20, &seed, &seed_size),
		 0);
	CHECK_EQ(seed_size, size);
	CHECK(memcmp(seed, data, size) == 0);
}

static void test_newer(void)
{
	CLEANUP_MANIFEST struct manifest m = {0}, loaded = {0};
	CLEANUP_FREE void *data = NULL;
	struct jsnap_error err = {0};
	size_t size;

	manifest_sample(&m);
	CHECK_EQ(manifest_save(&m, &data, &size, NULL), 0);
	((char *)data)[8] = 99;
	CHECK_EQ(manifest_load(data, size, &loaded, &err), -ENOTSUP);
	CHECK(strstr(err.text, "version 99"));
}

int main(void)
{
	test_round_trip();
	test_grow_loaded();
	test_maxima();
#define X(name, statement, word) refuse(spoil_##name, word);
	SPOILS(X)
#undef X
	test_damage();
	test_newer();
	test_seed();
	return 0;
}
