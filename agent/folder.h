/*
 * The working folder as Java has it: the property user.dir, and what java.io.File and
 * java.nio.file.Path make names absolute by, which the JDK reads from it once. A restored program
 * works in its caller's folder, so they follow, unless the user or the program has given user.dir
 * another value than the folder the process was in.
 *
 * Sources: java.io.UnixFileSystem and sun.nio.fs.UnixFileSystem of JDK 17 to 25.
 */
#ifndef JSNAP_AGENT_FOLDER_H
#define JSNAP_AGENT_FOLDER_H

#include "agent/agent.h"

/* Before the snapshot, of java.io.File and sun.nio.fs.DefaultFileSystemProvider (NULL: not in use);
 * then, with the threads suspended, which folder it is. After properties.h's. */
void folder_find(JNIEnv *jni, jclass file, jclass provider);
void folder_find_objects(JNIEnv *jni);

/* After a restore, with the threads suspended where properties_are_free(). */
void folder_refresh(JNIEnv *jni);

void folder_forget(JNIEnv *jni);

#endif
