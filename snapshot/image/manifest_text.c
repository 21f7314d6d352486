/* manifest_print_text, see manifest_print.h: one section for each table that says something. */
#include "image/manifest_print.h"

#include "base/cleanup.h"
#include "image/manifest_describe.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

/* C0 controls, DEL, and C1 controls (in UTF-8: C2 80 to C2 9F). */
void manifest_print_string(const char *text, FILE *out)
{
	while (*text) {
		size_t n = error_control(text);

		if (n == 0)
			fputc(*text++, out);
		for (; n; n--)
			fprintf(out, "\\x%02x", (unsigned char)*text++);
	}
}

static void put_row(const char *name, const char *text, FILE *out)
{
	fprintf(out, "%-14s ", name);
	manifest_print_string(*text ? text : "-", out);
	fputc('\n', out);
}

static void put_size(uint64_t bytes, FILE *out)
{
	if (bytes >= 10u << 20)
		fprintf(out, "%" PRIu64 " MiB", bytes >> 20);
	else if (bytes >= 10u << 10)
		fprintf(out, "%" PRIu64 " KiB", bytes >> 10);
	else
		fprintf(out, "%" PRIu64 " B", bytes);
}

static void text_protection(const struct image_header *h, FILE *out)
{
	fprintf(out, "%-14s %s", "protection", image_protection_name(h->protection));
	if (h->protection != IMAGE_PLAIN)
		fprintf(out, " with key ");
	for (size_t i = 0; h->protection != IMAGE_PLAIN && i < sizeof(h->key_id); i++)
		fprintf(out, "%02x", h->key_id[i]);
	if (h->protection == IMAGE_SIGNED)
		fprintf(out, h->authentic ? ", which fits" : ", which was not given: not checked");
	fputc('\n', out);
}

static void text_header(const struct image_header *h, FILE *out)
{
	char created[32];

	describe_time(h->created_realtime_ns, created, sizeof(created));
	fprintf(out, "%-14s %016" PRIx64 "%016" PRIx64 "\n", "image", h->id.hi, h->id.lo);
	fprintf(out, "%-14s %u\n", "format", h->version);
	text_protection(h, out);
	put_row("created", created, out);
	put_row("architecture", h->arch, out);
	put_row("kernel", h->kernel, out);
	put_row("machine", h->machine, out);
	put_row("lsm", h->lsm, out);
	put_row("lsm label", h->lsm_label, out);
	fprintf(out, "%-14s ", "manifest");
	put_size(h->manifest_size, out);
	fprintf(out, "\n");
}

static void text_process(const struct manifest *m, FILE *out)
{
	const struct m_process *p = m->process;
	char stopped[32];

	describe_time(p->realtime_ns, stopped, sizeof(stopped));
	fprintf(out, "%-14s ", "page stream");
	put_size(p->stream_size, out);
	fprintf(out, "\n%-14s %u\n", "pid", p->pid);
	put_row("executable",
		p->exe_backing == MANIFEST_NONE ? ""
						: manifest_str(m, m->backings[p->exe_backing].path),
		out);
	put_row("folder", manifest_str(m, p->cwd), out);
	put_row("stopped", stopped, out);
	if (p->umask != MANIFEST_NONE)
		fprintf(out, "%-14s %03o\n", "umask", p->umask);
	fprintf(out, "%-14s %s\n", "new privileges", p->no_new_privs ? "none" : "allowed");
	if (!m->n_host)
		return;
	if (m->host->cpu_level)
		fprintf(out, "%-14s x86-64-v%u\n", "made for", m->host->cpu_level);
	else
		put_row("made for", manifest_str(m, m->host->cpu_name), out);
	if (m->host->memory_limit != UINT64_MAX) {
		fprintf(out, "%-14s ", "memory limit");
		put_size(m->host->memory_limit, out);
		fputc('\n', out);
	}
}

static void text_threads(const struct manifest *m, FILE *out)
{
	fprintf(out, "\nthreads (%u)\n", m->n_threads);
	for (uint32_t i = 0; i < m->n_threads; i++) {
		fprintf(out, "  %7u  ", m->threads[i].tid);
		manifest_print_string(m->threads[i].comm, out);
		fputc('\n', out);
	}
}

static void text_mappings(const struct manifest *m, FILE *out)
{
	struct describe_vmas kinds[DESCRIBE_VMA_KINDS];

	describe_sum_vmas(m, kinds);
	fprintf(out, "\nmappings (%u)\n", m->n_vmas);
	for (uint32_t i = 0; i < DESCRIBE_VMA_KINDS; i++) {
		if (!kinds[i].count)
			continue;
		fprintf(out, "  %-13s %6u  ", describe_vma_kind(i), kinds[i].count);
		put_size(kinds[i].size, out);
		fputs(", stored ", out);
		put_size(kinds[i].stored, out);
		fputc('\n', out);
	}
	for (uint32_t i = 0; i < m->n_objects; i++) {
		const struct m_object *o = &m->objects[i];

		fprintf(out, "  object %u: %s ", i, describe_object_kind(o->kind));
		manifest_print_string(manifest_str(m, o->name), out);
		fputs(", ", out);
		put_size(o->size, out);
		fputs(", stored ", out);
		put_size(describe_stored(m, o->first_piece, o->n_pieces), out);
		fprintf(out, ", read through %s\n", describe_read_through(o->read_through));
	}
}

static void text_socket(const struct manifest *m, const struct m_socket *s, FILE *out)
{
	char local[DESCRIBE_ADDRESS], remote[DESCRIBE_ADDRESS];

	describe_address(m, s->local, local);
	describe_address(m, s->remote, remote);
	fprintf(out, "%s %s %s ", describe_socket_family(s->family), describe_socket_type(s->type),
		describe_socket_state(s->state));
	manifest_print_string(local, out);
	if (*remote)
		fputs(s->state == M_SOCKET_LISTEN ? " renamed to " : " to ", out);
	manifest_print_string(remote, out);
	if (s->data.size)
		fprintf(out, " (unread: %u bytes)", s->data.size);
}

static void text_descriptors(const struct manifest *m, FILE *out)
{
	static const char *const modes[] = {"r", "w", "rw", "?"};

	fprintf(out, "\ndescriptors (%u)\n", m->n_fds);
	for (uint32_t i = 0; i < m->n_fds; i++) {
		const struct m_file *f = &m->files[m->fds[i].file];

		fprintf(out, "  %5u  %-9s %-2s  ", m->fds[i].fd, describe_file_kind(f->kind),
			modes[f->flags & O_ACCMODE]);
		if (f->kind == M_FILE_SOCKET)
			text_socket(m, &m->sockets[f->target], out);
		else
			manifest_print_string(describe_file_target(m, f), out);
		fputc('\n', out);
	}
}

static void text_backings(const struct manifest *m, FILE *out)
{
	fprintf(out, "\nfiles it depends on (%u)\n", m->n_backings);
	for (uint32_t i = 0; i < m->n_backings; i++) {
		const struct m_backing *b = &m->backings[i];

		fprintf(out, "  %s%s%s  ", b->uses & M_BACKING_EXE ? "x" : "-",
			b->uses & (M_BACKING_MAPPED | M_BACKING_MAPPED_WRITABLE) ? "m" : "-",
			b->uses & M_BACKING_OPEN ? "o" : "-");
		manifest_print_string(manifest_str(m, b->path), out);
		fputs(", ", out);
		put_size(b->size, out);
		fputc('\n', out);
	}
}

static void text_notes(const struct manifest *m, FILE *out)
{
	fprintf(out, "\nnotes (%u)\n", m->n_notes);
	for (uint32_t i = 0; i < m->n_notes; i++) {
		fputs("  ", out);
		manifest_print_string(manifest_str(m, m->notes[i].key), out);
		fputs(" = ", out);
		manifest_print_string(manifest_str(m, m->notes[i].value), out);
		fputc('\n', out);
	}
}

void manifest_print_text(const struct manifest *m, const struct image_header *header, FILE *out)
{
	if (header)
		text_header(header, out);
	text_process(m, out);
	text_threads(m, out);
	text_mappings(m, out);
	text_descriptors(m, out);
	text_backings(m, out);
	if (m->n_notes)
		text_notes(m, out);
}
