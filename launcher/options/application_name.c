/* See application_name.h. */
#include "launcher/options/application_name.h"

#include "launcher/java/java_command.h"
#include "launcher/policy/glob.h"

#include <unistd.h>

static void find_name(struct application_name *a)
{
	struct java_command command = {0};
	int status;

	a->known = true;
	if (!a->argc || java_command_parse(a->argv, a->argc, environ, &command, &status, NULL) < 0)
		return;
	if (command.name)
		store_name(command.name, a->name);
	java_command_free(&command);
}

bool application_name_fits(void *application_name, const char *pattern)
{
	struct application_name *a = application_name;

	if (!a->known)
		find_name(a);
	return *a->name && glob_match(pattern, a->name);
}
