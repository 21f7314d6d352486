/* A manifest with something in every table, which manifest_check accepts. */
#ifndef JSNAP_TESTS_UNIT_MANIFEST_SAMPLE_H
#define JSNAP_TESTS_UNIT_MANIFEST_SAMPLE_H

#include "check.h"
#include "image/manifest.h"

#include <fcntl.h>
#include <sys/socket.h>

#define MANIFEST_SAMPLE_PAGE 4096u

static inline void manifest_sample(struct manifest *m)
{
	static const unsigned char xsave[700] = {1, 2, 3};
	struct m_sockopt option = {.level = SOL_SOCKET, .name = SO_REUSEADDR, .size = 4};
	unsigned char bytes[24] = {0};
	uint32_t length = 5;

	CHECK_EQ(manifest_init(m, NULL), 0);
	m->process->pid = 100;
	m->process->page_size = MANIFEST_SAMPLE_PAGE;
	m->process->stream_size = 4 * MANIFEST_SAMPLE_PAGE;
	m->process->exe_backing = 0;
	CHECK_EQ(manifest_string(m, "/home", &m->process->cwd), 0);
	for (uint32_t i = 0; i < 40; i++) {
		struct m_thread *t = MANIFEST_ADD(m, threads);

		CHECK(t);
		t->tid = 100 + i;
		memcpy(t->comm, "main", 5);
		CHECK_EQ(manifest_blob(m, xsave, sizeof(xsave) - i, &t->xsave), 0);
		CHECK_EQ(t->xsave.offset % 16, 0);
	}
	for (uint32_t i = 0; i < 4; i++) {
		struct m_vma *v = MANIFEST_ADD(m, vmas);

		*v = (struct m_vma){.start = (1 + 4 * i) * MANIFEST_SAMPLE_PAGE,
				    .end = (4 + 4 * i) * MANIFEST_SAMPLE_PAGE};
		CHECK_EQ(manifest_string(m, "[heap]", &v->name), 0);
	}
	m->vmas[0].n_pieces = 2;
	m->vmas[1].kind = M_VMA_FILE_PRIVATE;
	m->vmas[2].kind = M_VMA_OBJECT;
	m->vmas[3].kind = M_VMA_VDSO;
	*MANIFEST_ADD(m, pieces) = (struct m_piece){MANIFEST_SAMPLE_PAGE, MANIFEST_SAMPLE_PAGE, 0};
	*MANIFEST_ADD(m, pieces) = (struct m_piece){3 * MANIFEST_SAMPLE_PAGE, MANIFEST_SAMPLE_PAGE,
						    MANIFEST_SAMPLE_PAGE};
	*MANIFEST_ADD(m, pieces) =
		(struct m_piece){0, 2 * MANIFEST_SAMPLE_PAGE, 2 * MANIFEST_SAMPLE_PAGE};
	*MANIFEST_ADD(m, objects) = (struct m_object){
		.size = MANIFEST_SAMPLE_PAGE + 1, .first_piece = 2, .n_pieces = 1};
	MANIFEST_ADD(m, backings)->content_object = MANIFEST_NONE;
	CHECK_EQ(manifest_string(m, "/usr/bin/java", &m->backings[0].path), 0);
	MANIFEST_ADD(m, files)->kind = M_FILE_PATH;
	MANIFEST_ADD(m, files)->kind = M_FILE_EPOLL;
	MANIFEST_ADD(m, files)->kind = M_FILE_INOTIFY;
	MANIFEST_ADD(m, files)->kind = M_FILE_SOCKET;
	MANIFEST_ADD(m, fds)->fd = 0;
	MANIFEST_ADD(m, fds)->fd = 7;
	MANIFEST_ADD(m, sockets)->peer = MANIFEST_NONE;
	memcpy(bytes, &option, sizeof(option));
	CHECK_EQ(manifest_blob(m, bytes, 24, &m->sockets[0].options), 0);
	memcpy(bytes, &length, sizeof(length));
	CHECK_EQ(manifest_blob(m, bytes, 12, &m->sockets[0].data), 0);
	MANIFEST_ADD(m, epoll_targets)->file = 1;
	*MANIFEST_ADD(m, inotify_watches) = (struct m_inotify_watch){.file = 2, .wd = 1};
	*MANIFEST_ADD(m, inotify_watches) = (struct m_inotify_watch){.file = 2, .wd = 7};
	CHECK_EQ(manifest_string(m, "/watched", &m->inotify_watches[0].path), 0);
	m->inotify_watches[1].path = m->inotify_watches[0].path;
	*MANIFEST_ADD(m, guards) = (struct m_guard){0x5000, 0x6000};
	*MANIFEST_ADD(m, guards) =
		(struct m_guard){9 * MANIFEST_SAMPLE_PAGE, 11 * MANIFEST_SAMPLE_PAGE};
	MANIFEST_ADD(m, host)->cpu_level = 3;
	*MANIFEST_ADD(m, locks) = (struct m_lock){.fd = 1, .type = F_WRLCK};
	MANIFEST_ADD(m, sigactions)->signo = 15;
	MANIFEST_ADD(m, siginfos)->tid = 101;
	MANIFEST_ADD(m, posix_timers)->id = 0;
	MANIFEST_ADD(m, posix_timers)->id = 3;
	CHECK_EQ(manifest_set_note(m, "main", "App", NULL), 0);
	CHECK_EQ(manifest_set_note(m, "key", "old", NULL), 0);
	CHECK_EQ(manifest_set_note(m, "key", "new", NULL), 0);
}

#endif
