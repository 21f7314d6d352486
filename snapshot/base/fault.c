/* See fault.h. */
#include "base/fault.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[FAULT_COUNT] = {
#define X(id, name, what) [FAULT_##id] = name,
	FAULTS(X)
#undef X
};

const char *fault_name(enum fault fault)
{
	return names[fault];
}

#ifdef JSNAP_FAULTS
/* The environment is read once: what jsnap starts or restores may change it. */
static struct {
	bool read, on[FAULT_COUNT];
	char values[FAULT_COUNT][256];
} faults;

static void set_fault(const char *word, size_t length)
{
	const char *equals = memchr(word, '=', length);
	size_t name = equals ? (size_t)(equals - word) : length;

	for (size_t i = 0; i < FAULT_COUNT; i++) {
		size_t size = equals ? length - name - 1 : 0;

		if (strlen(names[i]) != name || strncmp(names[i], word, name) != 0 ||
		    size >= sizeof(faults.values[i]))
			continue;
		faults.on[i] = true;
		if (equals)
			memcpy(faults.values[i], equals + 1, size);
	}
}

static void read_faults(void)
{
	const char *text = secure_getenv("JSNAP_FAULT");

	faults.read = true;
	while (text && *text) {
		size_t length = strcspn(text, ",");

		set_fault(text, length);
		text += length + (text[length] == ',');
	}
}

bool fault_on(enum fault fault)
{
	if (!faults.read)
		read_faults();
	return faults.on[fault];
}

const char *fault_value(enum fault fault)
{
	return fault_on(fault) ? faults.values[fault] : NULL;
}
#endif

int fault_fail(enum fault fault, int code, struct jsnap_error *err)
{
	if (!fault_on(fault))
		return 0;
	return error_set(err, code, "the fault '%s' was asked for: %s", fault_name(fault),
			 strerror(code));
}

void fault_stop(const char *place)
{
	const char *value = fault_value(FAULT_STOP);

	if (value && strcmp(value, place) == 0)
		raise(SIGSTOP);
}
