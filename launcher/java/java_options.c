/* See java_options.h. */
#include "launcher/java/java_options.h"

#include <string.h>

const char *const java_long_options[] = {
	"--add-exports",
	"--add-modules",
	"--add-opens",
	"--add-reads",
	"--class-path",
	"--describe-module",
	"--disable-@files",
	"--dry-run",
	"--enable-final-field-mutation",
	"--enable-native-access",
	"--enable-preview",
	"--finalization",
	"--full-version",
	"--help",
	"--help-extra",
	"--illegal-access",
	"--illegal-final-field-mutation",
	"--illegal-native-access",
	"--limit-modules",
	"--list-modules",
	"--module",
	"--module-path",
	"--patch-module",
	"--show-module-resolution",
	"--show-resolved-modules",
	"--show-version",
	"--source",
	"--sun-misc-unsafe-memory-access",
	"--upgrade-module-path",
	"--validate-modules",
	"--version",
	NULL,
};

static bool is_one_of(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

bool java_is_long_option(const char *word)
{
	for (const char *const *option = java_long_options; *option; option++) {
		size_t n = strlen(*option);

		if (strncmp(word, *option, n) == 0 && (word[n] == '\0' || word[n] == '='))
			return true;
	}
	return false;
}

bool java_is_class_path(const char *word)
{
	static const char *const list[] = {"-cp", "-classpath", "--class-path", NULL};

	return is_one_of(word, list);
}

bool java_is_module_path(const char *word)
{
	static const char *const list[] = {"-p", "--module-path", NULL};

	return is_one_of(word, list);
}

bool java_is_module(const char *word)
{
	static const char *const list[] = {"-m", "--module", NULL};

	return is_one_of(word, list);
}

bool java_takes_argument(const char *word)
{
	static const char *const list[] = {"--upgrade-module-path",
					   "--add-modules",
					   "--enable-native-access",
					   "--limit-modules",
					   "--add-exports",
					   "--add-opens",
					   "--add-reads",
					   "--patch-module",
					   "--enable-final-field-mutation",
					   "--source",
					   "--describe-module",
					   "-d",
					   NULL};

	return java_is_class_path(word) || java_is_module_path(word) || java_is_module(word) ||
	       is_one_of(word, list);
}

bool java_ends_reading(const char *word)
{
	static const char *const list[] = {"-help",
					   "-h",
					   "-?",
					   "--help",
					   "-version",
					   "--version",
					   "-X",
					   "--help-extra",
					   "-fullversion",
					   "--full-version",
					   "-Xinternalversion",
					   NULL};

	return is_one_of(word, list);
}

bool java_starts_nothing(const char *word)
{
	static const char *const list[] = {"--list-modules",
					   "--validate-modules",
					   "--describe-module",
					   "-d",
					   "--dry-run",
					   "-Xshare:dump",
					   NULL};

	return is_one_of(word, list) || strncmp(word, "--describe-module=", 18) == 0;
}
