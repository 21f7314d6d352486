/*
 * Where HotSpot keeps what: the tables it exports for its serviceability agent.
 *
 * libjvm.so exports gHotSpotVMStructs and, beside it, the size of each row and the offset of each
 * column (src/hotspot/share/runtime/vmStructs.cpp, the same in JDK 8 to 25): that is read here, so
 * that no layout of any JDK is compiled in. A name that is missing is an answer, not a failure:
 * fields come and go between releases.
 */
#ifndef JSNAP_AGENT_VMSTRUCTS_H
#define JSNAP_AGENT_VMSTRUCTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm_field {
	bool is_static;
	size_t offset;	   /* in the object, unless static */
	uintptr_t address; /* of the field, if static */
};

/* Once, first: any address inside libjvm.so, whose tables are then used. */
void vmstructs_open(const void *in_libjvm);

/* False where the VM has no tables (not HotSpot) or no such field. */
bool vmstructs_field(const char *type, const char *name, struct vm_field *ret_field);

/* sizeof(type) in the VM, 0 when it is unknown. */
size_t vmstructs_size(const char *type);

/*
 * The word in field `name` of the object at `object` (0 for a static field). `types` are
 * alternatives of which the first that has the field is taken, "A|B". False when none has it or
 * `object` is needed and null.
 */
bool vmstructs_word(uintptr_t object, const char *types, const char *name, uintptr_t *ret_word);

/* The address of that field itself, for one that is embedded. 0 when there is none. */
uintptr_t vmstructs_address(uintptr_t object, const char *types, const char *name);

/* The offset of that field in an object, for a walk through many of them. */
bool vmstructs_offset(const char *types, const char *name, size_t *ret_offset);

#endif
