/* See recorder.h. */
#include "launcher/restore/recorder.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/supervise/fds.h"
#include "launcher/restore/first_response.h"
#include "proc/pagemap.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define GIVE_UP_NS   60000000000ull /* a first request after that is no part of a start */
#define NO_SERVER_NS 100000000ull
/* How often to look, by the time since the release: the first answer comes soon or much later. */
#define SOON_NS	     500000000ull
#define SOON_STEP_NS 1000000ull
#define LATE_STEP_NS 20000000ull

static bool of_interest(const struct m_vma *vma)
{
	return (vma->kind == M_VMA_ANON || vma->kind == M_VMA_FILE_PRIVATE) &&
	       (vma->prot & PROT_WRITE) && (vma->map_flags & MAP_PRIVATE);
}

/* Pages that the restore itself reads into place are the process's own by then and no news; those
 * around them are, as of a stack, below what was in use. */
static int scan_around_pieces(int fd, const struct manifest *m, const struct m_vma *vma,
			      struct pagemap_runs *runs, struct jsnap_error *err)
{
	uint64_t at = vma->start;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < vma->n_pieces; i++) {
		const struct m_piece *piece = &m->pieces[vma->first_piece + i];

		r = pagemap_scan(fd, at, piece->addr, PAGEMAP_ANON, runs, err);
		at = piece->addr + piece->size;
	}
	return r < 0 ? r : pagemap_scan(fd, at, vma->end, PAGEMAP_ANON, runs, err);
}

int recorder_scan(const struct manifest *m, pid_t pid, struct working_set *set,
		  struct jsnap_error *err)
{
	CLEANUP_PAGEMAP_RUNS struct pagemap_runs runs = {0};
	CLEANUP_CLOSE int fd = pagemap_open(pid, err);
	int r = fd < 0 ? fd : 0;

	for (uint32_t i = 0; r == 0 && i < m->n_vmas; i++) {
		const struct m_vma *vma = &m->vmas[i];

		if (!of_interest(vma))
			continue;
		r = vma->must_be_anon
			    ? scan_around_pieces(fd, m, vma, &runs, err)
			    : pagemap_scan(fd, vma->start, vma->end, PAGEMAP_ANON, &runs, err);
	}
	for (size_t i = 0; r == 0 && i < runs.count; i++) {
		r = working_set_add(set, runs.runs[i].start, runs.runs[i].end, 0);
		if (r < 0)
			return error_set(err, -r, "too many pages");
	}
	return r;
}

static uint16_t port_elsewhere(const struct settings *s, uint16_t port)
{
	for (size_t i = 0; i < s->n_listen_map; i++)
		if (s->listen_map[i][0] == port)
			return s->listen_map[i][1];
	return port;
}

static void find_ports(const struct recorder *r, struct first_response *watch)
{
	const struct manifest *m = r->manifest;

	for (uint32_t i = 0; i < m->n_sockets && watch->n_ports < FIRST_RESPONSE_PORTS; i++) {
		const struct m_socket *socket = &m->sockets[i];
		struct sockaddr_in local; /* the port is at the same place for IPv6 */

		if (socket->state != M_SOCKET_LISTEN || socket->local.size < sizeof(local) ||
		    (socket->family != AF_INET && socket->family != AF_INET6))
			continue;
		memcpy(&local, manifest_bytes(m, socket->local), sizeof(local));
		watch->ports[watch->n_ports++] = port_elsewhere(r->settings, ntohs(local.sin_port));
	}
}

/* False: the process has ended. */
static bool lives_for(int pidfd, uint64_t ns)
{
	struct pollfd fd = {.fd = pidfd, .events = POLLIN};
	struct timespec wait = {.tv_nsec = (long)ns};

	return ppoll(&fd, 1, &wait, NULL) == 0;
}

static bool await_response(const struct recorder *recorder, int pidfd)
{
	struct first_response watch = {.fd = -1};
	uint64_t start = monotonic_ns();
	int seen = 0;

	find_ports(recorder, &watch);
	if (!watch.n_ports)
		return lives_for(pidfd, NO_SERVER_NS);
	if (first_response_begin(&watch, NULL) < 0)
		return false;
	while (seen == 0) {
		uint64_t passed = monotonic_ns() - start;

		if (passed > GIVE_UP_NS ||
		    !lives_for(pidfd, passed < SOON_NS ? SOON_STEP_NS : LATE_STEP_NS))
			break;
		seen = first_response_seen(&watch);
	}
	first_response_end(&watch);
	return seen > 0;
}

/* Under a lock of its own (the parent gives its up), so that nothing is left of a snapshot that is
 * being removed or replaced. */
static void save(const struct recorder *recorder, const struct working_set *set)
{
	CLEANUP_STORE_SLOT struct store_slot slot = {.lock_fd = -1};
	CLEANUP_CLOSE int fd = -1;
	struct image_header header;

	if (store_slot_of_image(recorder->slot->image, &slot, NULL) < 0 ||
	    access(slot.image, F_OK) < 0 || store_lock(&slot, STORE_LOCK_SHARED, false, NULL) < 0)
		return;
	fd = store_open_image(&slot, NULL);
	if (fd >= 0 && image_read_header(fd, &header, NULL) == 0 &&
	    header.id.lo == recorder->id->lo && header.id.hi == recorder->id->hi)
		working_set_save(slot.pages, set, recorder->id, recorder->slot->spare_others, NULL);
	else if (fd == -ENOENT)
		store_tidy(&slot); /* it has just gone: so does the lock made here */
}

static _Noreturn void recorder_main(const struct recorder *recorder)
{
	int pidfd = (int)syscall(SYS_pidfd_open, recorder->pid, 0);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	CLEANUP_WORKING_SET struct working_set set = {0};

	prctl(PR_SET_NAME, "jsnap-recorder", 0, 0, 0);
	setpgid(0, 0);
	for (int fd = 0; null_fd >= 0 && fd < 3; fd++)
		dup2(null_fd, fd);
	fds_keep_only(&pidfd, 1);
	if (pidfd >= 0 && await_response(recorder, pidfd) &&
	    recorder_scan(recorder->manifest, recorder->pid, &set, NULL) == 0)
		save(recorder, &set);
	_exit(0);
}

void recorder_start(const struct recorder *recorder)
{
	if (fork() == 0)
		recorder_main(recorder);
}
