/* See folder.h. */
#include "agent/folder.h"

#include "agent/properties.h"
#include "base/cleanup.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#define PROPERTY "user.dir"

static struct {
	jobject files, paths; /* the file systems of java.io and java.nio: global references */
	jfieldID of_files, of_paths;
	char then[PATH_MAX]; /* "": user.dir is another's affair */
} folder;

/* A local reference, or NULL. */
static jobject static_object(JNIEnv *jni, jclass type, const char *name, const char *signature)
{
	jfieldID id = (*jni)->GetStaticFieldID(jni, type, name, signature);

	return agent_exception(jni) || !id ? NULL : (*jni)->GetStaticObjectField(jni, type, id);
}

/* Takes over the local reference to the file system, and gives a global one if it has the field. */
static jobject keep(JNIEnv *jni, jobject system, const char *field, const char *signature,
		    jfieldID *ret_field)
{
	jclass type = system ? (*jni)->GetObjectClass(jni, system) : NULL;
	jobject kept = NULL;

	if (type)
		*ret_field = (*jni)->GetFieldID(jni, type, field, signature);
	if (!agent_exception(jni) && type && *ret_field)
		kept = (*jni)->NewGlobalRef(jni, system);
	(*jni)->DeleteLocalRef(jni, type);
	(*jni)->DeleteLocalRef(jni, system);
	return kept;
}

static jobject system_of(JNIEnv *jni, jclass provider)
{
	jobject object =
		static_object(jni, provider, "INSTANCE", "Lsun/nio/fs/LinuxFileSystemProvider;");
	jclass type = object ? (*jni)->GetObjectClass(jni, object) : NULL;
	jfieldID field =
		type ? (*jni)->GetFieldID(jni, type, "theFileSystem", "Lsun/nio/fs/UnixFileSystem;")
		     : NULL;
	jobject system = NULL;

	if (!agent_exception(jni) && field)
		system = (*jni)->GetObjectField(jni, object, field);
	(*jni)->DeleteLocalRef(jni, type);
	(*jni)->DeleteLocalRef(jni, object);
	return system;
}

void folder_find(JNIEnv *jni, jclass file, jclass provider)
{
	static const char type[] = "Ljava/io/FileSystem;";
	jobject files;

	folder_forget(jni);
	files = file ? static_object(jni, file, "fs", type) : NULL; /* JDK 17 */
	if (file && !files)
		files = static_object(jni, file, "FS", type);
	folder.files = keep(jni, files, "userDir", "Ljava/lang/String;", &folder.of_files);
	if (provider)
		folder.paths = keep(jni, system_of(jni, provider), "defaultDirectory", "[B",
				    &folder.of_paths);
}

void folder_find_objects(JNIEnv *jni)
{
	jobject property = properties_get(jni, PROPERTY);
	CLEANUP_FREE char *name = agent_utf(jni, property);

	if (!name || !getcwd(folder.then, sizeof(folder.then)) || strcmp(name, folder.then) != 0)
		folder.then[0] = '\0';
	(*jni)->DeleteLocalRef(jni, property);
}

static void set_files(JNIEnv *jni, const char *path)
{
	jstring name = folder.files ? agent_string(jni, path, strlen(path)) : NULL;

	if (!agent_exception(jni) && name)
		(*jni)->SetObjectField(jni, folder.files, folder.of_files, name);
}

static void set_paths(JNIEnv *jni, const char *path)
{
	jsize size = (jsize)strlen(path);
	jbyteArray bytes = folder.paths ? (*jni)->NewByteArray(jni, size) : NULL;

	if (bytes) {
		(*jni)->SetByteArrayRegion(jni, bytes, 0, size, (const jbyte *)path);
		(*jni)->SetObjectField(jni, folder.paths, folder.of_paths, bytes);
	}
	agent_exception(jni);
}

void folder_refresh(JNIEnv *jni)
{
	char assignment[sizeof(PROPERTY) + PATH_MAX] = PROPERTY "=";
	char *now = assignment + strlen(assignment);

	if (!folder.then[0] || !getcwd(now, PATH_MAX) || now[0] != '/' ||
	    !strcmp(now, folder.then) || (*jni)->PushLocalFrame(jni, 16) < 0)
		return;
	set_files(jni, now);
	set_paths(jni, now);
	properties_assign(jni, assignment);
	(*jni)->PopLocalFrame(jni, NULL);
	folder.then[0] = '\0';
}

void folder_forget(JNIEnv *jni)
{
	(*jni)->DeleteGlobalRef(jni, folder.files);
	(*jni)->DeleteGlobalRef(jni, folder.paths);
	memset(&folder, 0, sizeof(folder));
}
