/* See find_text.h. */
#include "launcher/verbs/find_text.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "image/manifest_print.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#define WINDOW	   (4u << 20) /* bytes searched at a time, and FIND_TEXT_MAX * 2 more */
#define PLACES_MAX 100u

struct pattern {
	char *bytes;
	size_t size;
	size_t word; /* its number on the command line */
	const char *form;
	uint64_t places;
};

struct search {
	const struct manifest *m;
	struct pattern *patterns;
	size_t n_patterns;
	FILE *out;
};

static void search_free(struct search *s)
{
	for (size_t i = 0; i < s->n_patterns; i++)
		free(s->patterns[i].bytes);
	free(s->patterns);
}

static int add_pattern(struct search *s, const char *text, size_t size, size_t word, bool wide,
		       struct jsnap_error *err)
{
	struct pattern p = {
		.size = wide ? 2 * size : size, .word = word, .form = wide ? "UTF-16" : "bytes"};

	p.bytes = calloc(1, p.size);
	if (!p.bytes)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < size; i++)
		p.bytes[wide ? 2 * i : i] = text[i];
	s->patterns[s->n_patterns++] = p;
	return 0;
}

static int add_word(struct search *s, const char *word, size_t number, struct jsnap_error *err)
{
	CLEANUP_FREE char *content = NULL;
	size_t size = strlen(word);
	int r;

	if (*word == '@') {
		r = read_file(word + 1, FIND_TEXT_MAX, &content, &size);
		if (r < 0)
			return error_set(err, -r, "read %s: %s", word + 1, strerror(-r));
		/* The line end that editors add is hardly part of the secret. */
		if (size && content[size - 1] == '\n')
			size--;
	}
	if (!size || size > FIND_TEXT_MAX)
		return error_set(err, EINVAL, "--find %zu has %zu bytes; 1 to %u can be looked for",
				 number + 1, size, FIND_TEXT_MAX);
	r = add_pattern(s, content ? content : word, size, number, false, err);
	/* Every character below U+0100 of Latin-1 text; Java keeps wider strings and char[] so. */
	return r < 0 ? r : add_pattern(s, content ? content : word, size, number, true, err);
}

static const struct m_vma *vma_of_piece(const struct manifest *m, uint32_t piece)
{
	for (uint32_t i = 0; i < m->n_vmas; i++)
		if (piece - m->vmas[i].first_piece < m->vmas[i].n_pieces)
			return &m->vmas[i];
	return NULL;
}

static void tell_page(const struct search *s, uint64_t offset)
{
	const struct manifest *m = s->m;

	for (uint32_t i = 0; i < m->n_pieces; i++) {
		const struct m_piece *piece = &m->pieces[i];
		const struct m_vma *vma;
		const char *name;

		if (offset - piece->offset >= piece->size)
			continue;
		vma = vma_of_piece(m, i);
		name = vma ? manifest_str(m, vma->name) : "an object";
		fprintf(s->out, "memory at %#" PRIx64 " (", piece->addr + offset - piece->offset);
		manifest_print_string(*name ? name : "anonymous", s->out);
		fputc(')', s->out);
		return;
	}
	fprintf(s->out, "the page stream at %#" PRIx64, offset);
}

static void found(const struct search *s, struct pattern *p, bool page, uint64_t offset)
{
	if (++p->places > PLACES_MAX)
		return;
	fprintf(s->out, "--find %zu (%s): ", p->word + 1, p->form);
	if (page)
		tell_page(s, offset);
	else
		fprintf(s->out, "the manifest at %#" PRIx64, offset);
	fputc('\n', s->out);
}

/* Places that begin in the first `fresh` bytes. */
static void search_bytes(const struct search *s, const char *data, size_t size, size_t fresh,
			 bool page, uint64_t offset)
{
	for (size_t i = 0; i < s->n_patterns; i++) {
		struct pattern *p = &s->patterns[i];
		const char *at = data;

		while ((at = memmem(at, size - (size_t)(at - data), p->bytes, p->size)) &&
		       (size_t)(at - data) < fresh) {
			found(s, p, page, offset + (uint64_t)(at - data));
			at++;
		}
	}
}

static int search_stream(const struct search *s, int fd, uint64_t size, struct jsnap_error *err)
{
	size_t room = WINDOW + 2 * FIND_TEXT_MAX;
	CLEANUP_FREE char *window = malloc(room);

	if (!window)
		return error_set(err, ENOMEM, "out of memory");
	for (uint64_t at = 0; at < size; at += WINDOW) {
		size_t want = size - at < room ? (size_t)(size - at) : room;
		int r;

		if (lseek(fd, (off_t)at, SEEK_DATA) >= (off_t)(at + want))
			continue;
		r = pread_full(fd, window, want, (off_t)at);
		if (r < 0)
			return error_set(err, -r, "read the unpacked pages: %s", strerror(-r));
		search_bytes(s, window, want, WINDOW, true, at);
	}
	return 0;
}

static int search_image(const struct search *s, struct image *image, struct jsnap_error *err)
{
	uint64_t size = s->m->process->stream_size;
	CLEANUP_FREE void *manifest = NULL;
	CLEANUP_CLOSE int fd = memfd_create("jsnap-find", MFD_CLOEXEC);
	size_t n;
	int r;

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return error_errno(err, "make room for %" PRIu64 " bytes of pages", size);
	r = manifest_save(s->m, &manifest, &n, err);
	if (r == 0)
		search_bytes(s, manifest, n, n, false, 0);
	if (r == 0)
		r = image_extract(image, fd, 0, 0, err);
	return r < 0 ? r : search_stream(s, fd, size, err);
}

int find_text(struct image *image, const char *const *words, size_t n_words, FILE *out,
	      uint64_t *ret_places, struct jsnap_error *err)
{
	__attribute__((cleanup(search_free))) struct search s = {.m = image_manifest(image),
								 .out = out};
	uint64_t places = 0;
	int r = 0;

	s.patterns = calloc(2 * n_words + 1, sizeof(*s.patterns));
	if (!s.patterns)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < n_words; i++)
		r = add_word(&s, words[i], i, err);
	if (r == 0)
		r = search_image(&s, image, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s.n_patterns; i++) {
		places += s.patterns[i].places;
		if (s.patterns[i].places > PLACES_MAX)
			fprintf(out, "--find %zu (%s): %" PRIu64 " places in all\n",
				s.patterns[i].word + 1, s.patterns[i].form, s.patterns[i].places);
	}
	*ret_places = places;
	return 0;
}
