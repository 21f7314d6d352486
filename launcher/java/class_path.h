/*
 * A class path as java takes it: entries between colons, and DIR/'*' for the .jar and .JAR files
 * right in DIR (libjli/wildcard.c). The order in which java gets them is the folder's and not
 * defined; here they are sorted, so that equal folders give equal keys.
 */
#ifndef JSNAP_LAUNCHER_CLASS_PATH_H
#define JSNAP_LAUNCHER_CLASS_PATH_H

#include "launcher/java/words.h"

/* Appends the entries of `text`, empty ones as "."; wildcards only with `wildcards`. */
int class_path_split(const char *text, int wildcards, struct words *entries);

#endif
