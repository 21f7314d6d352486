/* The decision between restoring and starting cold, as a function of facts. */
#include "check.h"

#include "base/cleanup.h"

#include "base/io.h"
#include "launcher/key/key.h"
#include "launcher/key/content_print.h"
#include "launcher/key/path_fact.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define HAS(text, part) CHECK(strstr((text), (part)) != NULL)

static char root[PATH_MAX];
static struct jsnap_error err;

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CHECK(fd >= 0);
	CHECK_EQ(write_full(fd, text, strlen(text)), 0);
	close(fd);
}

static char *words(const char *text)
{
	return (char *)(uintptr_t)text;
}

/* What a test varies; everything else is the same each time. */
struct question {
	const char *option, *class_path, *argument, *cwd, *variable, *label;
	enum cpu_policy cpu;
};

static const struct question plain = {"-Xmx1g", "app.jar", "serve", NULL, "X=y", NULL, CPU_NATIVE};

static void collect(const struct question *q, struct key_facts *ret_facts)
{
	char *options[] = {words(q->option)}, *class_path[] = {words(q->class_path)},
	     *args[] = {words(q->argument)}, *env[] = {words(q->variable), NULL};
	const char *const labels[] = {q->label};
	struct settings settings = {.labels = labels, .n_labels = q->label ? 1 : 0, .cpu = q->cpu};
	struct java_command command = {.jdk = {.home = words("/jdk"),
					       .version = words("17.0.1"),
					       .vendor = words("Acme"),
					       .libjvm = {.path = words("libjvm.so")},
					       .modules = {.path = words("modules")}},
				       .mode = JAVA_MODE_JAR,
				       .program = words("app.jar"),
				       .name = words("app"),
				       .options = options,
				       .n_options = 1,
				       .class_path = class_path,
				       .n_class_path = 1,
				       .args = args,
				       .n_args = 1};
	int r = key_collect(&settings, &command, q->cwd ? q->cwd : root, env, ret_facts, &err);

	if (r < 0)
		fprintf(stderr, "%s\n", err.text);
	CHECK_EQ(r, 0);
}

static void same_key(const struct question *q, bool same)
{
	struct key_facts a, b;

	collect(&plain, &a);
	collect(q, &b);
	CHECK_EQ(strlen(a.key), KEY_HEX_SIZE - 1);
	CHECK_EQ(strcmp(a.key, b.key) == 0, same);
	key_facts_free(&a);
	key_facts_free(&b);
}

static void test_key(void)
{
	struct question q = plain;

	same_key(&q, true);
	q.option = "-Xmx2g";
	same_key(&q, false);
	q = plain, q.class_path = "other.jar";
	same_key(&q, false);
	q = plain, q.argument = "serve\nmore";
	same_key(&q, false);
	q = plain, q.cwd = "/";
	same_key(&q, false);
	q = plain, q.variable = "JAVA_TOOL_OPTIONS=-Dx";
	same_key(&q, false);
	q = plain, q.variable = "UNRELATED=1";
	same_key(&q, true);
	q = plain, q.variable = "LC_ALL=de_DE.UTF-8";
	same_key(&q, false);
	q = plain, q.variable = "LC_TIME=de_DE.UTF-8";
	same_key(&q, true);
	q = plain, q.variable = "LANG=POSIX";
	same_key(&q, true);
	q = plain, q.label = "a=b";
	same_key(&q, false);
	q = plain, q.cpu = CPU_X86_64_V3;
	same_key(&q, false);
}

static bool has_fact(const struct question *q, const char *path)
{
	struct key_facts facts;
	bool found = false;

	collect(q, &facts);
	for (size_t i = 0; i < facts.n_facts; i++)
		found |= strcmp(facts.facts[i].name, path) == 0;
	key_facts_free(&facts);
	return found;
}

/* An agent that came in by a variable is watched as one of the command line is. */
static void test_files_of_variables(void)
{
	struct question q = plain;

	q.variable = "JAVA_TOOL_OPTIONS= -Dx=1\t-javaagent:/a.jar=port=1 '-javaagent:/b c.jar' ";
	CHECK(has_fact(&q, "path:/a.jar"));
	CHECK(has_fact(&q, "path:/b c.jar"));
	CHECK(!has_fact(&q, "path:/a.jar=port=1"));
	q.variable = "_JAVA_OPTIONS=-agentpath:/\"d\".so";
	CHECK(has_fact(&q, "path:/d.so"));
	q.variable = "JAVA_TOOL_OPTIONS=--patch-module=m.n=/p.jar:/q";
	CHECK(has_fact(&q, "path:/p.jar"));
	CHECK(has_fact(&q, "path:/q"));
	q.variable = "JAVA_TOOL_OPTIONS=";
	CHECK(!has_fact(&q, "path:/a.jar"));
}

/* An argument must not be able to look like another line of the question. */
static void test_question_is_unambiguous(void)
{
	struct question a = plain, b = plain;
	struct key_facts x, y;

	a.argument = "x\nargument=y";
	b.argument = "x\\nargument=y";
	collect(&a, &x);
	collect(&b, &y);
	CHECK(strcmp(x.key, y.key) != 0);
	HAS(x.question, "argument=x\\nargument=y\n");
	HAS(y.question, "argument=x\\\\nargument=y\n");
	key_facts_free(&x);
	key_facts_free(&y);
}

/* Takes a snapshot's facts, lets `change` happen, and expects the reason. */
static void stale(const struct question *q, void (*change)(void), const char *reason)
{
	CLEANUP_MANIFEST struct manifest m;
	struct key_facts then, now;
	char text[512] = "", again[512] = "";

	write_text("app.jar", "1234");
	CHECK_EQ(manifest_init(&m, &err), 0);
	collect(q, &then);
	CHECK_EQ(key_store(&then, &m, &err), 0);
	CHECK_EQ(key_compare(&m, &then, text, sizeof(text)), 0);
	CHECK_EQ(key_recheck(&m, text, sizeof(text)), 0);
	change();
	collect(q, &now);
	CHECK_EQ(key_compare(&m, &now, text, sizeof(text)), 1);
	CHECK_STR(text, reason);
	CHECK_EQ(key_recheck(&m, again, sizeof(again)), 1);
	CHECK_STR(again, reason);
	key_facts_free(&then);
	key_facts_free(&now);
}

static void grow(void)
{
	write_text("app.jar", "123456");
}

static void touch(void)
{
	struct timespec times[2] = {{1000, 1}, {1000, 1}};

	CHECK_EQ(utimensat(AT_FDCWD, "app.jar", times, 0), 0);
}

static void edit(void)
{
	write_text("app.jar", "4321");
	touch();
}

/* By a file of the same size and time. */
static void replace_by(const char *text)
{
	struct stat st;

	CHECK_EQ(stat("app.jar", &st), 0);
	write_text("new.jar", text);
	CHECK_EQ(utimensat(AT_FDCWD, "new.jar", (struct timespec[2]){st.st_atim, st.st_mtim}, 0),
		 0);
	CHECK_EQ(rename("new.jar", "app.jar"), 0);
}

static void replace(void)
{
	replace_by("4321");
}

static void copy(void)
{
	replace_by("1234");
	touch();
}

static void vanish(void)
{
	CHECK_EQ(unlink("app.jar"), 0);
}

static void add_agent(void)
{
	write_text("agent.jar", "a");
}

static void add_class(void)
{
	write_text("classes/pkg/B.class", "b");
}

static void test_stale(void)
{
	struct question agent = plain, folder = plain;

	stale(&plain, grow, "app.jar changed (size 4 -> 6)");
	stale(&plain, edit, "app.jar was modified since");
	stale(&plain, replace, "app.jar was replaced");
	stale(&plain, vanish, "app.jar is gone");
	agent.option = "-javaagent:agent.jar=x=y";
	stale(&agent, add_agent, "agent.jar was not there");
	folder.class_path = "classes";
	CHECK_EQ(mkdir("classes", 0755), 0);
	CHECK_EQ(mkdir("classes/pkg", 0755), 0);
	stale(&folder, add_class, "classes changed (2 -> 3 files)");
}

/* What layers of images and copies do to a file is no change. */
static void test_fresh(void)
{
	static void (*const changes[])(void) = {touch, copy};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		CLEANUP_MANIFEST struct manifest m;
		struct key_facts then, now;
		char text[512] = "";

		write_text("app.jar", "1234");
		CHECK_EQ(manifest_init(&m, &err), 0);
		collect(&plain, &then);
		CHECK_EQ(key_store(&then, &m, &err), 0);
		changes[i]();
		collect(&plain, &now);
		CHECK_EQ(key_compare(&m, &now, text, sizeof(text)), 0);
		CHECK_EQ(key_recheck(&m, text, sizeof(text)), 0);
		key_facts_free(&then);
		key_facts_free(&now);
	}
}

static void write_bytes(const char *path, const void *bytes, size_t n)
{
	FILE *file = fopen(path, "w");

	CHECK(file != NULL);
	CHECK_EQ(fwrite(bytes, 1, n, file), n);
	CHECK_EQ(fclose(file), 0);
}

/* A jar is known by its central directory, of which this is all that is looked at. */
static void test_prints(void)
{
	uint8_t jar[64] = "local entries are not lookedatENTRY+CRC32+";
	uint64_t print, other;
	const size_t directory = 30, end = directory + 12, size = end + 22;

	memcpy(jar + end, "PK\5\6\0\0\0\0\1\0\1\0\14\0\0\0\36\0\0\0\0\0", 22);
	write_bytes("p.jar", jar, size);
	CHECK(content_print("p.jar", &print));
	jar[0] = 'L';
	write_bytes("p.jar", jar, size);
	CHECK(content_print("p.jar", &other));
	CHECK(print == other);
	jar[directory] = 'e';
	write_bytes("p.jar", jar, size);
	CHECK(content_print("p.jar", &other));
	CHECK(print != other);
	memset(jar + end + 12, 0xff, 4); /* zip64, or a lie: not believed, read whole */
	write_bytes("p.jar", jar, size);
	CHECK(content_print("p.jar", &print));
	jar[0] = 'l';
	write_bytes("p.jar", jar, size);
	CHECK(content_print("p.jar", &other));
	CHECK(print != other);
	write_bytes("p.jar", jar, 21);
	CHECK(content_print("p.jar", &print));
	CHECK_EQ(truncate("p.jar", CONTENT_PRINT_MAX + 1), 0);
	CHECK(!content_print("p.jar", &print));
	CHECK(!content_print("none.jar", &print));
	CHECK(!content_print("/dev/null", &print));
	CHECK_EQ(unlink("p.jar"), 0);
}

static void test_large_files(void)
{
	const char *whole = "file size=9 mtime=5000000000 inode=1";

	CHECK(path_fact_holds("x", whole, "file size=9 mtime=5000000000 inode=2"));
	CHECK(path_fact_holds("x", "file size=9 mtime=5000000007 inode=1", whole));
	CHECK(!path_fact_holds("x", whole, "file size=9 mtime=6000000000 inode=1"));
	CHECK(!path_fact_holds("x", "file size=9 mtime=5000000007 inode=1",
			       "file size=9 mtime=5000000008 inode=1"));
	CHECK(!path_fact_holds("x", whole, "file size=8 mtime=5000000000 inode=1"));
	CHECK(!path_fact_holds("x", whole, "missing"));
}

static void test_other_differences(void)
{
	CLEANUP_MANIFEST struct manifest m;
	struct key_facts facts;
	char text[512];

	write_text("app.jar", "1234");
	CHECK_EQ(manifest_init(&m, &err), 0);
	collect(&plain, &facts);
	CHECK_EQ(key_compare(&m, &facts, text, sizeof(text)), 1);
	CHECK_STR(text, "the snapshot is of another command line");
	CHECK_EQ(key_store(&facts, &m, &err), 0);
	CHECK_EQ(manifest_set_note(&m, "fact.path:/srv/old.jar", "missing", &err), 0);
	CHECK_EQ(key_compare(&m, &facts, text, sizeof(text)), 1);
	CHECK_STR(text, "old.jar is not used any more");
	CHECK_EQ(manifest_set_note(&m, "fact.jdk", "11.0.2 Acme", &err), 0);
	CHECK_EQ(key_compare(&m, &facts, text, sizeof(text)), 1);
	CHECK_STR(text, "the JDK changed (11.0.2 Acme -> 17.0.1 Acme)");
	key_facts_free(&facts);
}

static void test_differences_of_facts(void)
{
	char text[128];

	path_fact_difference("file size=1 mtime=2 inode=3", "folder files=1 size=1 newest=2", text,
			     sizeof(text));
	CHECK_STR(text, "was a file and is a folder");
	path_fact_difference("garbage", "file size=1 mtime=2 inode=3", text, sizeof(text));
	HAS(text, "garbage");
}

int main(void)
{
	char clean[PATH_MAX + 16];

	snprintf(root, sizeof(root), "/tmp/jsnap-test-key-XXXXXX");
	CHECK(mkdtemp(root) != NULL);
	CHECK_EQ(chdir(root), 0);
	write_text("libjvm.so", "jvm");
	write_text("modules", "modules");
	write_text("app.jar", "1234");
	test_key();
	test_files_of_variables();
	test_question_is_unambiguous();
	test_stale();
	test_fresh();
	test_prints();
	test_large_files();
	test_other_differences();
	test_differences_of_facts();
	snprintf(clean, sizeof(clean), "rm -rf %s", root);
	return system(clean) == 0 ? 0 : 1;
}
