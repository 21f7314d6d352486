/* See regions.h. */
#include "agent/regions.h"

#include "agent/flags.h"
#include "agent/vmstructs.h"

/* G1 aims at 2,048 regions and has at most that of a 32 TB heap in the smallest regions. */
#define G1_REGIONS_MAX (1u << 25)

/* Offsets in one kind of space, looked up once: the tables are long and regions are many. */
struct space_layout {
	size_t bottom, top, end;
};

struct walk {
	regions_visit *visit;
	void *context;
	struct space_layout layout;
};

/* `types` is one class and its parents, either of which may declare a bound. */
static bool learn_layout(struct walk *walk, const char *types)
{
	return vmstructs_offset(types, "_bottom", &walk->layout.bottom) &&
	       vmstructs_offset(types, "_top", &walk->layout.top) &&
	       vmstructs_offset(types, "_end", &walk->layout.end);
}

/* A space that does not exist is no error: G1's table of regions has holes. */
static bool visit_space(const struct walk *walk, uintptr_t space)
{
	uintptr_t bottom, top, end;

	if (!space)
		return true;
	bottom = *(const uintptr_t *)(space + walk->layout.bottom);
	top = *(const uintptr_t *)(space + walk->layout.top);
	end = *(const uintptr_t *)(space + walk->layout.end);
	if (bottom > top || top > end)
		return false;
	if (top < end)
		walk->visit(walk->context, top, end);
	return true;
}

/* The space that field `name` of `owner` points to. */
static bool visit_space_of(const struct walk *walk, uintptr_t owner, const char *owner_type,
			   const char *name)
{
	uintptr_t space;

	return vmstructs_word(owner, owner_type, name, &space) && visit_space(walk, space);
}

static bool visit_serial(struct walk *walk, uintptr_t heap)
{
	uintptr_t young, old;

	return learn_layout(walk, "ContiguousSpace|Space") &&
	       vmstructs_word(heap, "SerialHeap|GenCollectedHeap", "_young_gen", &young) &&
	       vmstructs_word(heap, "SerialHeap|GenCollectedHeap", "_old_gen", &old) &&
	       visit_space_of(walk, young, "DefNewGeneration", "_eden_space") &&
	       visit_space_of(walk, young, "DefNewGeneration", "_from_space") &&
	       visit_space_of(walk, young, "DefNewGeneration", "_to_space") &&
	       visit_space_of(walk, old, "TenuredGeneration", "_the_space");
}

static bool visit_parallel(struct walk *walk)
{
	uintptr_t young, old;

	return learn_layout(walk, "MutableSpace") &&
	       vmstructs_word(0, "ParallelScavengeHeap", "_young_gen", &young) &&
	       vmstructs_word(0, "ParallelScavengeHeap", "_old_gen", &old) &&
	       visit_space_of(walk, young, "PSYoungGen", "_eden_space") &&
	       visit_space_of(walk, young, "PSYoungGen", "_from_space") &&
	       visit_space_of(walk, young, "PSYoungGen", "_to_space") &&
	       visit_space_of(walk, old, "PSOldGen", "_object_space");
}

static bool visit_g1(struct walk *walk, uintptr_t heap)
{
	uintptr_t manager = vmstructs_address(heap, "G1CollectedHeap", "_hrm");
	uintptr_t table =
		vmstructs_address(manager, "G1HeapRegionManager|HeapRegionManager", "_regions");
	uintptr_t base, length;

	if (!learn_layout(walk, "G1HeapRegion|HeapRegion") ||
	    !vmstructs_word(table, "G1HeapRegionTable", "_base", &base) ||
	    !vmstructs_word(table, "G1HeapRegionTable", "_length", &length) ||
	    length > G1_REGIONS_MAX)
		return false;
	for (uintptr_t i = 0; i < length; i++)
		if (!visit_space(walk, ((const uintptr_t *)base)[i]))
			return false;
	return true;
}

bool regions_free(regions_visit *visit, void *context)
{
	struct walk walk = {.visit = visit, .context = context};
	uintptr_t heap;

	if (!vmstructs_word(0, "Universe", "_collectedHeap", &heap) || !heap)
		return false;
	switch (flags_collector()) {
	case COLLECTOR_SERIAL:
		return visit_serial(&walk, heap);
	case COLLECTOR_PARALLEL:
		return visit_parallel(&walk);
	case COLLECTOR_G1:
		return visit_g1(&walk, heap);
	default:
		return false;
	}
}
