/*
 * A java command line as the java launcher itself will understand it: which JDK, which options,
 * which class path, what is started and with which arguments. Read from the sources of the JDK's
 * launcher: java.base/share/native/libjli/java.c (ParseArguments, SetMainModule, source mode),
 * args.c (@argfiles, JDK_JAVA_OPTIONS), wildcard.c (class path wildcards), and java(1).
 *
 * What is exec'ed is what the user wrote: @argfiles, JDK_JAVA_OPTIONS and JAVA_TOOL_OPTIONS are
 * left to java. The one change is `-jar` in front of a first word that ends in ".jar". The expanded
 * view beside it is for deciding only.
 *
 * Not seen here: jars that a jar's manifest names in Class-Path, and what the application loads by
 * itself. They are open in the process, so the engine finds their change (restore_validate).
 *
 * A program that java cannot start (no such jar, not a jar) is not an error here: `run` lets java
 * say it and passes its exit status on, as the caller of java expects. `checkpoint` and `bench`
 * have no use for such a program and call java_command_check_program first.
 */
#ifndef JSNAP_LAUNCHER_JAVA_COMMAND_H
#define JSNAP_LAUNCHER_JAVA_COMMAND_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JAVA_COMMAND_MAX_WORDS	    65536u	/* after expansion of @argfiles */
#define JAVA_COMMAND_MAX_ARGFILE    (16u << 20) /* bytes of one @argfile */
#define JAVA_COMMAND_MAX_CLASS_PATH 65536u	/* entries after expansion of wildcards */

enum java_mode {
	JAVA_MODE_NONE, /* nothing is started: java -version, --help, or no main class */
	JAVA_MODE_JAR,
	JAVA_MODE_CLASS,
	JAVA_MODE_MODULE,
	JAVA_MODE_SOURCE, /* java App.java */
};

struct java_file { /* identity of a file; size 0 and inode 0 when it does not exist */
	char *path;
	uint64_t size, inode;
	int64_t mtime_ns;
};

struct java_jdk {
	char *executable; /* what to exec: $JAVA_HOME/bin/java or the first java in PATH */
	char *home; /* the JDK's folder, symbolic links resolved; "" when it has no bin/java layout
		     */
	char *version;		  /* JAVA_VERSION of HOME/release, or "" */
	char *vendor;		  /* IMPLEMENTOR, or "" */
	int feature;		  /* 17, 25 ...; 0 when unknown */
	struct java_file libjvm;  /* HOME/lib/server/libjvm.so */
	struct java_file modules; /* HOME/lib/modules */
};

struct java_command {
	struct java_jdk jdk;

	/* For exec, NULL-terminated. argv[0] is jdk.executable; options of jsnap's own (-agentpath,
	 * -D...) go in at index 1. */
	char **argv;
	int argc;

	/* The expanded view. */
	char **options; /* JVM options from JDK_JAVA_OPTIONS and the command line, without class
			   path and program; an option and its separate argument are two words */
	size_t n_options;
	enum java_mode mode;
	char *program; /* jar path, class, module[/class] or source file, as written; "" for NONE */
	char **args;   /* the application's */
	size_t n_args;
	char **class_path; /* files and folders, wildcards expanded, as written otherwise */
	size_t n_class_path;
	char **module_path;
	size_t n_module_path;
	char *name; /* short name for people and file names: "app", "Main"; never empty */

	/* NULL, or why this command never gets a snapshot, for people: "java -version starts no
	 * program", "java refuses this command line: cannot read @opts". Owned. */
	char *no_snapshot;
};

/*
 * Understands the java part of a command line. `env` is the environment that java will have
 * (JAVA_HOME, PATH, CLASSPATH, JDK_JAVA_OPTIONS are read from it).
 *  -ENOENT with *ret_status 127: no java; -EACCES with 126: java is not executable.
 * A command line that java will refuse (an @argfile that cannot be read, -cp without a path) is
 * parsed with mode NONE and no_snapshot. Otherwise *ret_status is untouched. *ret_command is owned
 * by the caller: java_command_free.
 */
int java_command_parse(char *const *argv, int argc, char *const *env,
		       struct java_command *ret_command, int *ret_status, struct jsnap_error *err);
void java_command_free(struct java_command *command);
#define CLEANUP_JAVA_COMMAND __attribute__((cleanup(java_command_free)))

/* 0 when there is a program to start: the jar exists and is a zip, the source file exists; -ENOENT,
 * -ENOEXEC or, for mode NONE, -EINVAL with the words for it. Classes and modules are java's to
 * find.
 */
int java_command_check_program(const struct java_command *command, struct jsnap_error *err);

/* Finds java and reads its identity; as the first step of java_command_parse, alone. */
int java_jdk_find(char *const *env, struct java_jdk *ret_jdk, int *ret_status,
		  struct jsnap_error *err);
void java_jdk_free(struct java_jdk *jdk);

/* Size, time and inode of a file; a missing one has 0 everywhere. *ret_file->path is a copy. */
int java_file_look(const char *path, struct java_file *ret_file, struct jsnap_error *err);

#endif
