/* See uniqueness.h. */
#include "launcher/verbs/uniqueness.h"

#include "base/cleanup.h"
#include "launcher/supervise/fds.h"
#include "launcher/restore/restore_job.h"
#include "launcher/restore/restore_source.h"
#include "launcher/supervise/supervise.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define VALUES_MAX 100000u

struct values {
	uint64_t *list;
	size_t count;
};

static void values_free(struct values *values)
{
	free(values->list);
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Hexadecimal numbers with commas between. */
static int values_parse(const char *text, struct values *ret_values, struct jsnap_error *err)
{
	struct values values = {.list = calloc(VALUES_MAX, sizeof(*values.list))};

	if (!values.list)
		return error_set(err, ENOMEM, "out of memory");
	while (*text && values.count < VALUES_MAX) {
		char *end;

		values.list[values.count++] = strtoull(text, &end, 16);
		if (end == text || (*end && *end != ',')) {
			values_free(&values);
			return error_set(err, EPROTO, "the agent's sample is no list of numbers");
		}
		text = *end ? end + 1 : end;
	}
	qsort(values.list, values.count, sizeof(*values.list), by_value);
	*ret_values = values;
	return 0;
}

static size_t count_common(const struct values *a, const struct values *b)
{
	size_t common = 0;

	for (size_t i = 0, k = 0; i < a->count && k < b->count;) {
		if (a->list[i] == b->list[k])
			common++;
		if (a->list[i] <= b->list[k])
			i++;
		else
			k++;
	}
	return common;
}

/* The values of the sample whose name is as that of `sample`, or NULL. */
static const char *same_source(const struct agent_payload *payload, const char *sample)
{
	size_t n = strcspn(sample, "=") + 1, pos = 0;
	struct agent_field field;

	while (agent_payload_next(payload, &pos, &field))
		if (agent_field_is(&field, "sample") && strncmp(field.value, sample, n) == 0)
			return field.value + n;
	return NULL;
}

static int compare_source(const char *sample, const struct agent_payload *second,
			  size_t *ret_values, size_t *ret_common, struct jsnap_error *err)
{
	__attribute__((cleanup(values_free))) struct values a = {0}, b = {0};
	const char *other = same_source(second, sample);
	int rc = values_parse(sample + strcspn(sample, "=") + 1, &a, err);

	if (rc == 0 && !other)
		return error_set(err, EPROTO, "the second restore has no sample of %.*s",
				 (int)strcspn(sample, "="), sample);
	if (rc == 0)
		rc = values_parse(other, &b, err);
	if (rc < 0)
		return rc;
	*ret_values = a.count < b.count ? a.count : b.count;
	*ret_common = count_common(&a, &b);
	return 0;
}

/* What is left alone by design, in words after what was compared. */
static void add_own(const struct agent_payload *payload, char *words, size_t size)
{
	size_t pos = 0, used = strlen(words);
	const char *between = "; of its own, with the sequences they had: ";
	struct agent_field field;

	while (used < size && agent_payload_next(payload, &pos, &field)) {
		if (!agent_field_is(&field, "own"))
			continue;
		used += (size_t)snprintf(words + used, size - used, "%s%s", between, field.value);
		between = ", ";
	}
}

int uniqueness_compare(const struct agent_payload *first, const struct agent_payload *second,
		       char *words, size_t size, struct jsnap_error *err)
{
	size_t pos = 0, sources = 0, total = 0, used = 0;
	struct agent_field field;

	*words = '\0';
	while (agent_payload_next(first, &pos, &field)) {
		size_t values = 0, common = 0;
		int rc;

		if (!agent_field_is(&field, "sample") || !strchr(field.value, '='))
			continue;
		rc = compare_source(field.value, second, &values, &common, err);
		if (rc < 0)
			return rc;
		sources++;
		total += values;
		if (common && used < size)
			used += (size_t)snprintf(words + used, size - used,
						 "%s%zu of %zu values of %.*s", used ? ", " : "",
						 common, values, (int)strcspn(field.value, "="),
						 field.value);
	}
	if (!sources)
		return error_set(err, ENODATA, "the agent took no samples");
	if (used)
		return 1;
	snprintf(words, size, "%zu values of %zu random sources", total, sources);
	add_own(first, words, size);
	return 0;
}

static int sample_once(const struct settings *settings, int image_fd, const struct store_slot *slot,
		       struct agent_payload *ret_sample, struct jsnap_error *err)
{
	CLEANUP_RESTORE_SOURCE struct restore_source source = {.image_fd = -1, .hot.fd = -1};
	struct supervise supervise;
	struct restore_job job = {.supervise = &supervise,
				  .settings = settings,
				  .agent.fd = -1,
				  .sample = ret_sample};
	int fd = fcntl(image_fd, F_DUPFD_CLOEXEC, 3);
	int rc;

	if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0) {
		rc = error_errno(err, "the image");
		cleanup_close(&fd);
		return rc;
	}
	rc = supervise_begin(&supervise, err);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	rc = restore_source_open(settings, slot, fd, &source, err);
	if (rc == 0)
		rc = restore_job_run(&job, &source, err);
	if (rc == 0)
		restore_job_kill(&job);
	supervise_end(&supervise);
	sigprocmask(SIG_SETMASK, &supervise.caller_mask, NULL);
	return rc;
}

int uniqueness_check(const struct settings *settings, int image_fd, const struct store_slot *slot,
		     char *words, size_t size, struct jsnap_error *err)
{
	CLEANUP_PAYLOAD struct agent_payload first = {0}, second = {0};
	int rc = fds_fill_standard(err);

	/* What is cloned writes to files of its own in /proc; with a file capability they are
	 * root's until then, as for a restore (environment_of_caller). */
	if (rc == 0 && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		rc = error_errno(err, "make jsnap dumpable");
	if (rc == 0)
		rc = sample_once(settings, image_fd, slot, &first, err);
	if (rc == 0)
		rc = sample_once(settings, image_fd, slot, &second, err);
	return rc < 0 ? rc : uniqueness_compare(&first, &second, words, size, err);
}
