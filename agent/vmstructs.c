/* See vmstructs.h. */
#include "agent/vmstructs.h"

#include <dlfcn.h>
#include <string.h>

/* Bounds a walk through a table whose end marker is not where it is expected; JDK 17 has 2,000. */
#define TABLE_ROWS_MAX 100000
#define TYPE_NAME_MAX  64

static void *libjvm; /* a handle, or NULL: the default search order */

void vmstructs_open(const void *in_libjvm)
{
	Dl_info info;

	if (!libjvm && dladdr(in_libjvm, &info) && info.dli_fname)
		libjvm = dlopen(info.dli_fname, RTLD_NOLOAD | RTLD_LAZY);
}

/* A number libjvm exports, such as a column's offset. */
static bool exported_number(const char *name, uint64_t *ret_number)
{
	const uint64_t *symbol = dlsym(libjvm ? libjvm : RTLD_DEFAULT, name);

	if (!symbol)
		return false;
	*ret_number = *symbol;
	return true;
}

static const char *exported_table(const char *name)
{
	char *const *symbol = dlsym(libjvm ? libjvm : RTLD_DEFAULT, name);

	return symbol ? *symbol : NULL;
}

struct struct_columns {
	const char *rows;
	uint64_t stride, type, field, is_static, offset, address;
};

static bool struct_columns(struct struct_columns *ret_columns)
{
	ret_columns->rows = exported_table("gHotSpotVMStructs");
	return ret_columns->rows &&
	       exported_number("gHotSpotVMStructEntryArrayStride", &ret_columns->stride) &&
	       exported_number("gHotSpotVMStructEntryTypeNameOffset", &ret_columns->type) &&
	       exported_number("gHotSpotVMStructEntryFieldNameOffset", &ret_columns->field) &&
	       exported_number("gHotSpotVMStructEntryIsStaticOffset", &ret_columns->is_static) &&
	       exported_number("gHotSpotVMStructEntryOffsetOffset", &ret_columns->offset) &&
	       exported_number("gHotSpotVMStructEntryAddressOffset", &ret_columns->address);
}

static const char *string_at(const char *row, uint64_t column)
{
	return *(const char *const *)(row + column);
}

bool vmstructs_field(const char *type, const char *name, struct vm_field *ret_field)
{
	struct struct_columns columns;

	if (!struct_columns(&columns))
		return false;
	for (size_t i = 0; i < TABLE_ROWS_MAX; i++) {
		const char *row = columns.rows + i * columns.stride;

		if (!string_at(row, columns.type))
			return false;
		if (strcmp(string_at(row, columns.type), type) != 0 ||
		    strcmp(string_at(row, columns.field), name) != 0)
			continue;
		ret_field->is_static = *(const int32_t *)(row + columns.is_static);
		ret_field->offset = *(const uint64_t *)(row + columns.offset);
		ret_field->address = *(const uintptr_t *)(row + columns.address);
		return true;
	}
	return false;
}

size_t vmstructs_size(const char *type)
{
	const char *rows = exported_table("gHotSpotVMTypes");
	uint64_t stride, name, size;

	if (!rows || !exported_number("gHotSpotVMTypeEntryArrayStride", &stride) ||
	    !exported_number("gHotSpotVMTypeEntryTypeNameOffset", &name) ||
	    !exported_number("gHotSpotVMTypeEntrySizeOffset", &size))
		return 0;
	for (size_t i = 0; i < TABLE_ROWS_MAX; i++) {
		const char *row = rows + i * stride;

		if (!string_at(row, name))
			return 0;
		if (!strcmp(string_at(row, name), type))
			return *(const uint64_t *)(row + size);
	}
	return 0;
}

static bool field_of_any(const char *types, const char *name, struct vm_field *ret_field)
{
	while (*types) {
		size_t length = strcspn(types, "|");
		char type[TYPE_NAME_MAX];

		if (length < sizeof(type)) {
			memcpy(type, types, length);
			type[length] = '\0';
			if (vmstructs_field(type, name, ret_field))
				return true;
		}
		types += length + (types[length] == '|');
	}
	return false;
}

uintptr_t vmstructs_address(uintptr_t object, const char *types, const char *name)
{
	struct vm_field field;

	if (!field_of_any(types, name, &field))
		return 0;
	if (field.is_static)
		return field.address;
	return object ? object + field.offset : 0;
}

bool vmstructs_word(uintptr_t object, const char *types, const char *name, uintptr_t *ret_word)
{
	uintptr_t address = vmstructs_address(object, types, name);

	if (!address)
		return false;
	*ret_word = *(const uintptr_t *)address;
	return true;
}

bool vmstructs_offset(const char *types, const char *name, size_t *ret_offset)
{
	struct vm_field field;

	if (!field_of_any(types, name, &field) || field.is_static)
		return false;
	*ret_offset = field.offset;
	return true;
}
