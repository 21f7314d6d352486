/*
 * The name of the application that a java command line starts, as `jsnap list` shows it; for the
 * sections of jsnap.ini that are about one application. Worked out when it is first asked for: most
 * files have no such section.
 */
#ifndef JSNAP_LAUNCHER_APPLICATION_NAME_H
#define JSNAP_LAUNCHER_APPLICATION_NAME_H

#include "launcher/store/store.h"

#include <stdbool.h>

struct application_name {
	char *const *argv; /* the java part */
	int argc;	   /* 0: there is none */
	bool known;
	char name[STORE_MAX_NAME + 1]; /* "" when it has none; java will say why */
};

/* For conf_application.fits: whether it has a name that fits the glob (glob.h). */
bool application_name_fits(void *application_name, const char *pattern);

#endif
