/*
 * manifest_print_json, see manifest_print.h. One object, RFC 8259; sizes in bytes. 64-bit numbers
 * that are not sizes or times (hashes, addresses) are hexadecimal strings: JSON readers round at
 * 2^53.
 */
#include "image/manifest_print.h"

#include "base/cleanup.h"
#include "base/json_text.h"
#include "image/manifest_describe.h"

#include <inttypes.h>
#include <string.h>

struct json {
	FILE *out;
	bool comma; /* something stands before in the same array or object */
};

static void separate(struct json *j, const char *key)
{
	if (j->comma)
		fputc(',', j->out);
	j->comma = true;
	if (key)
		fprintf(j->out, "\"%s\":", key);
}

static void put_text(struct json *j, const char *key, const char *text)
{
	separate(j, key);
	json_text_put(j->out, text);
}

static void put_number(struct json *j, const char *key, uint64_t number)
{
	separate(j, key);
	fprintf(j->out, "%" PRIu64, number);
}

static void put_bool(struct json *j, const char *key, bool value)
{
	separate(j, key);
	fputs(value ? "true" : "false", j->out);
}

static void open_with(struct json *j, const char *key, char bracket)
{
	separate(j, key);
	fputc(bracket, j->out);
	j->comma = false;
}

static void close_with(struct json *j, char bracket)
{
	fputc(bracket, j->out);
	j->comma = true;
}

static void put_hex(struct json *j, const char *key, const unsigned char *bytes, size_t size)
{
	separate(j, key);
	fputc('"', j->out);
	for (size_t i = 0; i < size; i++)
		fprintf(j->out, "%02x", bytes[i]);
	fputc('"', j->out);
}

static void json_header(struct json *j, const struct image_header *h)
{
	char text[33];

	open_with(j, "image", '{');
	snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64, h->id.hi, h->id.lo);
	put_text(j, "id", text);
	put_number(j, "format", h->version);
	describe_time(h->created_realtime_ns, text, sizeof(text));
	put_text(j, "created", text);
	put_text(j, "protection", image_protection_name(h->protection));
	put_bool(j, "authentic", h->authentic);
	put_text(j, "arch", h->arch);
	put_text(j, "kernel", h->kernel);
	put_text(j, "machine", h->machine);
	put_text(j, "lsm", h->lsm);
	put_text(j, "lsm_label", h->lsm_label);
	put_number(j, "manifest_size", h->manifest_size);
	put_number(j, "stream_size", h->stream_size);
	close_with(j, '}');
}

static void json_process(struct json *j, const struct manifest *m)
{
	const struct m_process *p = m->process;
	char text[32];

	open_with(j, "process", '{');
	put_number(j, "pid", p->pid);
	put_text(j, "executable",
		 p->exe_backing == MANIFEST_NONE
			 ? ""
			 : manifest_str(m, m->backings[p->exe_backing].path));
	put_text(j, "cwd", manifest_str(m, p->cwd));
	if (p->umask != MANIFEST_NONE)
		put_number(j, "umask", p->umask);
	put_bool(j, "no_new_privs", p->no_new_privs);
	put_bool(j, "dumpable", p->dumpable);
	describe_time(p->realtime_ns, text, sizeof(text));
	put_text(j, "stopped", text);
	put_number(j, "page_size", p->page_size);
	put_number(j, "stream_size", p->stream_size);
	close_with(j, '}');
}

/* "made_for": the machine it was taken on, and what of it a restore asks for. */
static void json_host(struct json *j, const struct manifest *m)
{
	const struct m_host *h = m->host;
	char text[24];

	open_with(j, "made_for", '{');
	put_text(j, "processor", manifest_str(m, h->cpu_name));
	if (h->cpu_level)
		snprintf(text, sizeof(text), "x86-64-v%u", h->cpu_level);
	else
		snprintf(text, sizeof(text), "native");
	put_text(j, "cpu", text);
	snprintf(text, sizeof(text), "%#" PRIx64, h->xcr0);
	put_text(j, "extended_state", text);
	snprintf(text, sizeof(text), "%#" PRIx64, h->cap_permitted);
	put_text(j, "capabilities", text);
	if (h->memory_limit != UINT64_MAX)
		put_number(j, "memory_limit", h->memory_limit);
	close_with(j, '}');
}

static void json_threads(struct json *j, const struct manifest *m)
{
	open_with(j, "threads", '[');
	for (uint32_t i = 0; i < m->n_threads; i++) {
		open_with(j, NULL, '{');
		put_number(j, "tid", m->threads[i].tid);
		put_text(j, "name", m->threads[i].comm);
		close_with(j, '}');
	}
	close_with(j, ']');
}

static void json_mappings(struct json *j, const struct manifest *m)
{
	struct describe_vmas kinds[DESCRIBE_VMA_KINDS];

	describe_sum_vmas(m, kinds);
	open_with(j, "mappings", '{');
	for (uint32_t i = 0; i < DESCRIBE_VMA_KINDS; i++) {
		open_with(j, describe_vma_kind(i), '{');
		put_number(j, "count", kinds[i].count);
		put_number(j, "size", kinds[i].size);
		put_number(j, "stored", kinds[i].stored);
		close_with(j, '}');
	}
	close_with(j, '}');
	open_with(j, "objects", '[');
	for (uint32_t i = 0; i < m->n_objects; i++) {
		const struct m_object *o = &m->objects[i];

		open_with(j, NULL, '{');
		put_text(j, "kind", describe_object_kind(o->kind));
		put_text(j, "name", manifest_str(m, o->name));
		put_number(j, "size", o->size);
		put_number(j, "stored", describe_stored(m, o->first_piece, o->n_pieces));
		put_text(j, "read_through", describe_read_through(o->read_through));
		close_with(j, '}');
	}
	close_with(j, ']');
}

static void json_descriptors(struct json *j, const struct manifest *m)
{
	open_with(j, "descriptors", '[');
	for (uint32_t i = 0; i < m->n_fds; i++) {
		const struct m_file *f = &m->files[m->fds[i].file];

		open_with(j, NULL, '{');
		put_number(j, "fd", m->fds[i].fd);
		put_number(j, "file", m->fds[i].file);
		put_text(j, "kind", describe_file_kind(f->kind));
		put_number(j, "flags", f->flags);
		put_number(j, "position", f->pos);
		put_text(j, "target", describe_file_target(m, f));
		if (f->kind == M_FILE_SOCKET)
			put_number(j, "socket", f->target);
		close_with(j, '}');
	}
	close_with(j, ']');
}

static void json_sockets(struct json *j, const struct manifest *m)
{
	char address[DESCRIBE_ADDRESS];

	open_with(j, "sockets", '[');
	for (uint32_t i = 0; i < m->n_sockets; i++) {
		const struct m_socket *s = &m->sockets[i];

		open_with(j, NULL, '{');
		put_text(j, "family", describe_socket_family(s->family));
		put_text(j, "type", describe_socket_type(s->type));
		put_text(j, "state", describe_socket_state(s->state));
		describe_address(m, s->local, address);
		put_text(j, "local", address);
		describe_address(m, s->remote, address);
		put_text(j, "remote", address);
		put_number(j, "unread", s->data.size);
		close_with(j, '}');
	}
	close_with(j, ']');
}

static void json_backings(struct json *j, const struct manifest *m)
{
	open_with(j, "files", '[');
	for (uint32_t i = 0; i < m->n_backings; i++) {
		const struct m_backing *b = &m->backings[i];

		open_with(j, NULL, '{');
		put_text(j, "path", manifest_str(m, b->path));
		put_number(j, "size", b->size);
		separate(j, "mtime_ns");
		fprintf(j->out, "%" PRId64, b->mtime_ns);
		put_bool(j, "executable", b->uses & M_BACKING_EXE);
		put_bool(j, "mapped", b->uses & (M_BACKING_MAPPED | M_BACKING_MAPPED_WRITABLE));
		put_bool(j, "open", b->uses & M_BACKING_OPEN);
		put_hex(j, "build_id", b->build_id.size ? manifest_bytes(m, b->build_id) : NULL,
			b->build_id.size);
		if (b->digest) {
			char digest[24];

			snprintf(digest, sizeof(digest), "%016" PRIx64, b->digest);
			put_text(j, "digest", digest);
		}
		close_with(j, '}');
	}
	close_with(j, ']');
}

static void json_notes(struct json *j, const struct manifest *m)
{
	open_with(j, "notes", '{');
	for (uint32_t i = 0; i < m->n_notes; i++) {
		separate(j, NULL);
		json_text_put(j->out, manifest_str(m, m->notes[i].key));
		fputc(':', j->out);
		json_text_put(j->out, manifest_str(m, m->notes[i].value));
	}
	close_with(j, '}');
}

void manifest_print_json(const struct manifest *m, const struct image_header *header, FILE *out)
{
	struct json j = {.out = out};

	open_with(&j, NULL, '{');
	if (header)
		json_header(&j, header);
	json_process(&j, m);
	if (m->n_host)
		json_host(&j, m);
	json_threads(&j, m);
	json_mappings(&j, m);
	json_descriptors(&j, m);
	json_sockets(&j, m);
	json_backings(&j, m);
	json_notes(&j, m);
	close_with(&j, '}');
	fputc('\n', out);
}
