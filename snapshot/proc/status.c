/*
 * /proc/PID/status (fs/proc/array.c). One table says which key goes where; the name of the process
 * cannot forge a line, because the kernel escapes its newlines here.
 */
#include "proc/status.h"

#include "base/cleanup.h"
#include "proc/procfile.h"
#include "proc/text.h"

#include <errno.h>
#include <string.h>

/* "Groups:" may list 65,536 groups. */
#define STATUS_MAX_TEXT	   (2u << 20)
#define STATUS_EXPECT_TEXT 8192

enum status_kind {
	KIND_LETTER,
	KIND_INT,
	KIND_U32,
	KIND_OCTAL,
	KIND_HEX64,
	KIND_KB,
	KIND_IDS,
	KIND_NAME
};

struct status_field {
	const char *key;
	enum status_kind kind;
	size_t offset;
	bool required;
};

#define FIELD(key, kind, member, required)                                    \
	{                                                                     \
		key ":", kind, offsetof(struct proc_status, member), required \
	}

static const struct status_field status_fields[] = {
	FIELD("Name", KIND_NAME, comm, true),
	FIELD("State", KIND_LETTER, state, true),
	FIELD("Tgid", KIND_INT, tgid, true),
	FIELD("Pid", KIND_INT, pid, true),
	FIELD("PPid", KIND_INT, ppid, true),
	FIELD("TracerPid", KIND_INT, tracer, true),
	FIELD("Uid", KIND_IDS, uid, true),
	FIELD("Gid", KIND_IDS, gid, true),
	FIELD("Umask", KIND_OCTAL, umask, false), /* a zombie has none */
	FIELD("Threads", KIND_U32, threads, true),
	FIELD("SigPnd", KIND_HEX64, sig_pending, true),
	FIELD("ShdPnd", KIND_HEX64, shared_pending, true),
	FIELD("SigBlk", KIND_HEX64, sig_blocked, true),
	FIELD("SigIgn", KIND_HEX64, sig_ignored, true),
	FIELD("SigCgt", KIND_HEX64, sig_caught, true),
	FIELD("CapInh", KIND_HEX64, cap_inheritable, true),
	FIELD("CapPrm", KIND_HEX64, cap_permitted, true),
	FIELD("CapEff", KIND_HEX64, cap_effective, true),
	FIELD("CapBnd", KIND_HEX64, cap_bounding, true),
	FIELD("CapAmb", KIND_HEX64, cap_ambient, false),	    /* 4.3 */
	FIELD("NoNewPrivs", KIND_INT, no_new_privs, false),	    /* 4.10 */
	FIELD("Seccomp_filters", KIND_INT, seccomp_filters, false), /* Linux 5.9 */
	FIELD("Seccomp", KIND_INT, seccomp, false),		    /* CONFIG_SECCOMP */
	FIELD("VmRSS", KIND_KB, vm_rss, false),			    /* a zombie has none */
	FIELD("VmLck", KIND_KB, vm_locked, false),
};

_Static_assert(ARRAY_SIZE(status_fields) <= 64, "one bit for each field");

static bool status_ids(struct text *line, uint32_t ids[4])
{
	for (int i = 0; i < 4; i++) {
		text_blanks(line);
		if (!text_u32(line, 10, &ids[i]))
			return false;
	}
	return true;
}

/* Blanks are part of it; "\\n" and "\\\\" stand for what would end the line, and for the stroke. A
 * kernel thread's may be longer than a name can be. */
static bool status_name(struct text line, char name[16])
{
	size_t n = 0;

	if (!text_char(&line, '\t'))
		return false;
	while (line.p != line.end && n < 15) {
		char c = *line.p++;

		if (c == '\\' && line.p != line.end)
			c = *line.p++ == 'n' ? '\n' : '\\';
		name[n++] = c;
	}
	memset(name + n, 0, 16 - n);
	return true;
}

static bool status_value(struct text line, enum status_kind kind, void *out)
{
	uint64_t kilobytes;

	if (kind == KIND_NAME)
		return status_name(line, out);
	text_blanks(&line);
	switch (kind) {
	case KIND_LETTER: /* "S (sleeping)" */
		if (line.p == line.end)
			return false;
		*(char *)out = *line.p;
		return (*line.p | 0x20) >= 'a' && (*line.p | 0x20) <= 'z';
	case KIND_INT:
		return text_int(&line, out) && text_is_blank(&line);
	case KIND_U32:
		return text_u32(&line, 10, out) && text_is_blank(&line);
	case KIND_OCTAL:
		return text_u32(&line, 8, out) && text_is_blank(&line);
	case KIND_HEX64:
		return text_number(&line, 16, out) && text_is_blank(&line);
	case KIND_IDS:
		return status_ids(&line, out) && text_is_blank(&line);
	case KIND_KB:
		if (!text_number(&line, 10, &kilobytes) || !text_literal(&line, " kB") ||
		    kilobytes > UINT64_MAX / 1024)
			return false;
		*(uint64_t *)out = kilobytes * 1024;
		return true;
	case KIND_NAME:
		break;
	}
	return false;
}

/* "NSpid:\t4321\t17\t1": outermost namespace of the reader first. */
static bool status_nspid(struct text line, struct proc_status *status)
{
	int depth = 0;

	for (text_blanks(&line); line.p != line.end; text_blanks(&line)) {
		if (!text_int(&line, &status->ns_pid))
			return false;
		depth++;
	}
	status->ns_depth = depth;
	return depth > 0;
}

static bool status_line(struct text line, struct proc_status *status, uint64_t *seen)
{
	if (text_literal(&line, "NSpid:"))
		return status_nspid(line, status);
	if (text_literal(&line, "THP_enabled:")) {
		text_blanks(&line);
		status->thp_enabled = !text_char(&line, '0');
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(status_fields); i++) {
		const struct status_field *field = &status_fields[i];

		if (!text_literal(&line, field->key))
			continue;
		*seen |= UINT64_C(1) << i;
		return status_value(line, field->kind, (char *)status + field->offset);
	}
	return true;
}

int proc_status_parse(const char *text, struct proc_status *ret_status, struct jsnap_error *err)
{
	struct proc_status status = {.seccomp = -1, .seccomp_filters = -1, .thp_enabled = true};
	struct text whole = {text, text + strlen(text)}, line;
	uint64_t seen = 0;

	for (size_t number = 1; text_line(&whole, &line); number++)
		if (!status_line(line, &status, &seen))
			return text_bad_line(err, EBADMSG, "status", number, line,
					     "malformed value");
	for (size_t i = 0; i < ARRAY_SIZE(status_fields); i++)
		if (status_fields[i].required && !(seen & UINT64_C(1) << i))
			return error_set(err, EBADMSG, "status: no line '%s'",
					 status_fields[i].key);
	if (!status.ns_depth) { /* CONFIG_PID_NS is off */
		status.ns_depth = 1;
		status.ns_pid = status.pid;
	}
	*ret_status = status;
	return 0;
}

int proc_status_read(pid_t pid, pid_t tid, struct proc_status *ret_status, struct jsnap_error *err)
{
	char leaf[48] = "status";
	CLEANUP_FREE char *text = NULL;
	size_t size;
	int ret;

	if (tid && tid != pid)
		snprintf(leaf, sizeof(leaf), "task/%d/status", (int)tid);
	ret = procfile_read(pid, leaf, STATUS_EXPECT_TEXT, STATUS_MAX_TEXT, &text, &size, err);
	if (ret < 0)
		return ret;
	ret = proc_status_parse(text, ret_status, err);
	if (ret < 0)
		error_context(err, "/proc/%d/%s", (int)pid, leaf);
	return ret;
}

static bool all_same(const uint32_t ids[4])
{
	return ids[1] == ids[0] && ids[2] == ids[0] && ids[3] == ids[0];
}

int proc_status_one_user(const struct proc_status *s, struct jsnap_error *err)
{
	if (all_same(s->uid) && all_same(s->gid))
		return 0;
	return error_set(err, ENOTSUP,
			 "the real, effective and saved user or group of process %d differ (%u %u "
			 "%u, %u %u %u), which is not carried",
			 s->tgid, s->uid[0], s->uid[1], s->uid[2], s->gid[0], s->gid[1], s->gid[2]);
}
