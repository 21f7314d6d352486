/*
 * One line of /proc/PID/maps or smaps (fs/proc/task_mmu.c: show_map_vma, __show_smap,
 * show_smap_vma_flags).
 *
 * The kernel writes names with seq_path(m, path, "\n"): a newline becomes \012 and nothing else is
 * escaped, not even the backslash. So \012 is decoded and \040 is four characters of the file's own
 * name. Two names stay ambiguous by the kernel's format: a file that is really called "x\012y", and
 * one that is really called "x (deleted)"; who must know compares device and inode.
 */
#include "proc/maps_line.h"

#include <sys/mman.h>
#include <sys/sysmacros.h>

#define MAPS_PAGE_MASK UINT64_C(0xfff)
#define MAPS_DELETED   " (deleted)"

static bool maps_flag(struct text *line, char set, bool *ret_set)
{
	if (text_char(line, set))
		*ret_set = true;
	else if (text_char(line, '-'))
		*ret_set = false;
	else
		return false;
	return true;
}

static bool maps_perms(struct text *line, struct maps_entry *entry)
{
	bool r, w, x;

	if (!maps_flag(line, 'r', &r) || !maps_flag(line, 'w', &w) || !maps_flag(line, 'x', &x))
		return false;
	entry->prot = (r ? PROT_READ : 0) | (w ? PROT_WRITE : 0) | (x ? PROT_EXEC : 0);
	entry->shared = text_char(line, 's');
	return entry->shared || text_char(line, 'p');
}

static bool maps_dev(struct text *line, dev_t *ret_dev)
{
	uint32_t major_, minor_;

	if (!text_u32(line, 16, &major_) || !text_char(line, ':') || !text_u32(line, 16, &minor_))
		return false;
	*ret_dev = makedev(major_, minor_);
	return true;
}

static void maps_name(struct text name, struct maps_entry *entry, char *out)
{
	size_t size = (size_t)(name.end - name.p), cut = strlen(MAPS_DELETED);

	entry->name = out;
	/* "[anon:x (deleted)]" and "[heap]" are no paths; all others come from d_path(). */
	if (size > cut && *name.p != '[' && memcmp(name.end - cut, MAPS_DELETED, cut) == 0) {
		entry->deleted = true;
		name.end -= cut;
	}
	while (name.p != name.end) {
		if (text_literal(&name, "\\012"))
			*out++ = '\n';
		else
			*out++ = *name.p++;
	}
	*out = '\0';
}

const char *maps_line_entry(struct text line, struct maps_entry *entry, char *name_buf)
{
	if (!text_number(&line, 16, &entry->start) || !text_char(&line, '-') ||
	    !text_number(&line, 16, &entry->end) || !text_char(&line, ' '))
		return "expected START-END in hexadecimal";
	if (entry->start >= entry->end)
		return "the end is not above the start";
	if ((entry->start | entry->end) & MAPS_PAGE_MASK)
		return "the addresses are not page aligned";
	if (!maps_perms(&line, entry) || !text_char(&line, ' '))
		return "expected permissions such as rw-p";
	if (!text_number(&line, 16, &entry->offset) || !text_char(&line, ' '))
		return "expected the offset in hexadecimal";
	if (!maps_dev(&line, &entry->dev) || !text_char(&line, ' '))
		return "expected the device as MAJOR:MINOR";
	if (!text_number(&line, 10, &entry->inode))
		return "expected the inode number";
	if (line.p != line.end && !text_char(&line, ' '))
		return "expected a blank after the inode number";
	text_blanks(&line);
	if (memchr(line.p, '\0', (size_t)(line.end - line.p)))
		return "the name holds a NUL byte";
	entry->resident = UINT64_MAX;
	maps_name(line, entry, name_buf);
	return NULL;
}

#define VMFLAG(a, b) ((unsigned char)(a) << 8 | (unsigned char)(b))

static uint32_t maps_vmflag(char a, char b)
{
	switch (VMFLAG(a, b)) {
	case VMFLAG('g', 'd'):
		return MAPS_VM_GROWSDOWN;
	case VMFLAG('l', 'o'):
		return MAPS_VM_LOCKED;
	case VMFLAG('d', 'c'):
		return MAPS_VM_DONTFORK;
	case VMFLAG('d', 'd'):
		return MAPS_VM_DONTDUMP;
	case VMFLAG('w', 'f'):
		return MAPS_VM_WIPEONFORK;
	case VMFLAG('h', 'g'):
		return MAPS_VM_HUGEPAGE;
	case VMFLAG('n', 'h'):
		return MAPS_VM_NOHUGEPAGE;
	case VMFLAG('m', 'g'):
		return MAPS_VM_MERGEABLE;
	case VMFLAG('n', 'r'):
		return MAPS_VM_NORESERVE;
	case VMFLAG('h', 't'):
		return MAPS_VM_HUGETLB;
	case VMFLAG('i', 'o'):
		return MAPS_VM_IO;
	case VMFLAG('p', 'f'):
		return MAPS_VM_PFNMAP;
	case VMFLAG('s', 'r'):
		return MAPS_VM_SEQ_READ;
	case VMFLAG('r', 'r'):
		return MAPS_VM_RAND_READ;
	case VMFLAG('u', 'm'):
	case VMFLAG('u', 'w'):
	case VMFLAG('u', 'i'):
		return MAPS_VM_UFFD;
	case VMFLAG('a', 'c'):
		return MAPS_VM_ACCOUNT;
	case VMFLAG('s', 'd'):
		return MAPS_VM_SOFTDIRTY;
	case VMFLAG('s', 'l'):
		return MAPS_VM_SEALED;
	case VMFLAG('m', 'w'):
		return MAPS_VM_MAYWRITE;
	case VMFLAG('l', 'f'):
		return MAPS_VM_LOCKONFAULT;
	case VMFLAG('d', 'p'):
		return MAPS_VM_DROPPABLE;
	case VMFLAG('s', 's'):
		return MAPS_VM_SHADOW_STACK;
	default:
		return 0;
	}
}

static const char *maps_vmflags(struct text line, struct maps_entry *entry)
{
	for (text_blanks(&line); line.p != line.end; text_blanks(&line)) {
		if (line.end - line.p < 2)
			return "VmFlags holds a name that is not two letters";
		entry->vmflags |= maps_vmflag(line.p[0], line.p[1]);
		line.p += 2;
		if (line.p != line.end && *line.p != ' ')
			return "VmFlags holds a name that is not two letters";
	}
	return NULL;
}

static const char *maps_resident(struct text line, struct maps_entry *entry)
{
	uint64_t kilobytes;

	text_blanks(&line);
	if (!text_number(&line, 10, &kilobytes) || kilobytes > (UINT64_MAX >> 12))
		return "expected a size in kB";
	if (entry->resident == UINT64_MAX)
		entry->resident = 0;
	entry->resident += kilobytes * 1024;
	return NULL;
}

static const char *maps_pkey(struct text line, struct maps_entry *entry)
{
	uint64_t key;

	text_blanks(&line);
	if (!text_number(&line, 10, &key))
		return "expected a protection key";
	if (key)
		entry->vmflags |= MAPS_VM_PKEY;
	return NULL;
}

const char *maps_line_detail(struct text line, struct maps_entry *entry)
{
	if (line.p == line.end || *line.p < 'A' || *line.p > 'Z')
		return "neither an address range nor one of smaps' keys";
	if (text_literal(&line, "VmFlags:"))
		return maps_vmflags(line, entry);
	if (text_literal(&line, "ProtectionKey:"))
		return maps_pkey(line, entry);
	if (text_literal(&line, "Rss:") || text_literal(&line, "Swap:"))
		return maps_resident(line, entry);
	if (!memchr(line.p, ':', (size_t)(line.end - line.p)))
		return "one of smaps' keys without its colon";
	return NULL;
}
