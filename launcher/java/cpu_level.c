/* See cpu_level.h. */
#include "launcher/java/cpu_level.h"

#include "base/cleanup.h"
#include "proc/cpu.h"

#include <string.h>

/*
 * HotSpot (src/hotspot/cpu/x86/globals_x86.hpp, vm_version_x86.cpp). UseAVX bounds AVX, AVX-512 and
 * what is encoded with them. ADX, which no option names, is used under UseBMI2Instructions alone.
 */
static const char *const options_v2[] = {"-XX:UseSSE=4",
					 "-XX:UseAVX=0",
					 "-XX:-UseAES",
					 "-XX:-UseSHA",
					 "-XX:-UseCLMUL",
					 "-XX:-UseFMA",
					 "-XX:-UseBMI1Instructions",
					 "-XX:-UseBMI2Instructions",
					 "-XX:-UseCountLeadingZerosInstruction",
					 "-XX:-UseCountTrailingZerosInstruction",
					 NULL};
static const char *const options_v3[] = {"-XX:UseAVX=2", "-XX:-UseSHA", "-XX:-UseBMI2Instructions",
					 NULL};
static const char *const options_v4[] = {"-XX:UseAVX=3", "-XX:-UseSHA", NULL};

/*
 * glibc (sysdeps/x86/cpu-features.c, manual "Tunables"): names it does not know are ignored.
 * Without XSAVEC its lazy binding saves registers with XSAVE, in a space measured at the start,
 * that a processor with more registers overruns; hence LD_BIND_NOW with v2.
 */
#define MASK_V4 "-AVX512ER,-AVX512PF,-FSRM,-RTM"
#define MASK_V3 "-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512CD,-ERMS," MASK_V4
#define MASK_V2                                                                      \
	"-AVX,-AVX2,-AVX_Fast_Unaligned_Load,-BMI1,-BMI2,-FMA,-FMA4,-LZCNT,-MOVBE,-" \
	"XSAVEC," MASK_V3

unsigned cpu_level_of(enum cpu_policy policy)
{
	return policy == CPU_NATIVE ? 0 : (unsigned)policy + 1;
}

int cpu_level_check(unsigned level, struct jsnap_error *err)
{
	struct cpu here, needs;
	char names[300];

	if (!level)
		return 0;
	cpu_here(&here);
	cpu_level(level, &here, &needs);
	if (cpu_missing(&needs, &here, names, sizeof(names)) == 0)
		return 0;
	error_set(err, ENOTSUP, "this processor lacks %s, which --cpu x86-64-v%u needs", names,
		  level);
	return error_hint(err, "a lower level or `native` will do here");
}

const char *const *cpu_level_options(unsigned level)
{
	static const char *const none[] = {NULL};
	static const char *const *const all[] = {none, none, options_v2, options_v3, options_v4};

	return all[level <= CPU_LEVEL_MAX ? level : 0];
}

static int set_variable(struct environment *env, char **ret_var, const char *name,
			const char *before, const char *value, struct jsnap_error *err)
{
	if (asprintf(ret_var, "%s=%s%s%s", name, before ? before : "", before && *before ? ":" : "",
		     value) < 0) {
		*ret_var = NULL;
		return error_set(err, ENOMEM, "out of memory");
	}
	return environment_set(env, *ret_var, err);
}

/* Blocks in a thread's cache are not overwritten (malloc/malloc.c, _int_free), hence without it. */
#define SCRUB_NATIVE "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0"

int cpu_level_environment(unsigned level, bool scrub_native, struct environment *env,
			  char *ret_vars[CPU_LEVEL_MAX_VARS], struct jsnap_error *err)
{
	static const char *const masks[] = {"", "", MASK_V2, MASK_V3, MASK_V4};
	bool leveled = level >= CPU_LEVEL_MIN && level <= CPU_LEVEL_MAX;
	char value[768];
	int r;

	if (!leveled && !scrub_native)
		return 0;
	snprintf(value, sizeof(value), "%s%s%s%s", leveled ? "glibc.cpu.hwcaps=" : "",
		 leveled ? masks[level] : "", leveled && scrub_native ? ":" : "",
		 scrub_native ? SCRUB_NATIVE : "");
	r = set_variable(env, &ret_vars[0], "GLIBC_TUNABLES",
			 environment_get(env, "GLIBC_TUNABLES"), value, err);
	if (r == 0 && level == 2)
		r = set_variable(env, &ret_vars[1], "LD_BIND_NOW", NULL, "1", err);
	return r;
}
