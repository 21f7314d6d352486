/* java command lines: @argfiles, JDK_JAVA_OPTIONS, modes, class paths, and finding the JDK. */
#include "check.h"

#include "base/io.h"
#include "launcher/java/argfile.h"
#include "launcher/java/java_command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define HAS(text, part) CHECK(strstr((text), (part)) != NULL)

static char root[PATH_MAX]; /* a folder that is gone at the end; the working folder */

static void write_text(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	CHECK(fd >= 0);
	CHECK_EQ(write_full(fd, text, strlen(text)), 0);
	close(fd);
}

static char *joined(char *const *items, size_t n)
{
	static char text[4096];

	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		strcat(text, i ? "|" : "");
		strcat(text, items[i]);
	}
	return text;
}

static void splits(const char *text, const char *expected)
{
	struct words words = {0};

	CHECK_EQ(argfile_split(text, strlen(text), &words), 0);
	CHECK_STR(joined(words.items, words.count), expected);
	words_free(&words);
}

/* The cases of the JDK's own argument file tests and of java(1). */
static void test_argfile(void)
{
	splits("", "");
	splits("  \n\t\f\r\n", "");
	splits("a b\nc\td\fe", "a|b|c|d|e");
	splits("-cp \"c:\\\\java libs\\\\one.jar\" \n", "-cp|c:\\java libs\\one.jar");
	splits("'-Dq=\"x\"' \"it's\"", "-Dq=\"x\"|it's");
	splits("partial\"quote me\"this", "partialquote methis");
	splits("\"a\\tb\\nc\\q\"", "a\tb\ncq");
	splits("a\\b", "a\\b");
	splits("one # comment\n'#two' three#gone\nfour", "one|#two|four");
	splits("\"open \n next\"x y\"", "open |nextx y");
	splits("\"first \\\n   second\\\r\n\t third\" x", "first secondthird|x");
	splits("\"open at the end", "open at the end");
	splits("a \"\" b", "a||b");
	splits("# only a comment", "");
}

static void test_variable(void)
{
	struct words words = {0};

	CHECK_EQ(argfile_split_variable(" -Da='x y'  -Db=\"\"z -c\\d ", &words), 0);
	CHECK_STR(joined(words.items, words.count), "-Da=x y|-Db=z|-c\\d");
	words_free(&words);
	CHECK_EQ(argfile_split_variable("'open", &words), -EINVAL);
	words_free(&words);
}

static struct java_command command;

/* Parses `line`, split at blanks, with an environment of `env` and the fake JDK. */
static struct java_command *parse(const char *line, const char *env)
{
	static char buffer[1024], variable[256], home[PATH_MAX + 32];
	char *argv[64], *envp[] = {home, variable, NULL}, *rest = buffer, *word;
	struct jsnap_error err = {0};
	int argc = 0, status = 125, r;

	java_command_free(&command);
	snprintf(buffer, sizeof(buffer), "%s", line);
	snprintf(home, sizeof(home), "JAVA_HOME=%s/jdk", root);
	snprintf(variable, sizeof(variable), "%s", env);
	while ((word = strsep(&rest, " ")))
		argv[argc++] = word;
	r = java_command_parse(argv, argc, envp, &command, &status, &err);
	if (r < 0)
		fprintf(stderr, "%s\n", err.text);
	CHECK_EQ(r, 0);
	CHECK_STR(command.argv[0], command.jdk.executable);
	CHECK(command.argv[command.argc] == NULL);
	return &command;
}

static const char *argv_of(const struct java_command *c)
{
	return joined(c->argv + 1, (size_t)c->argc - 1);
}

static const char *path_of(const struct java_command *c)
{
	return joined(c->class_path, c->n_class_path);
}

static void test_modes(void)
{
	struct java_command *c = parse("-Xmx1g app.jar --x -y", "A=b");

	CHECK_STR(argv_of(c), "-Xmx1g|-jar|app.jar|--x|-y");
	CHECK_EQ(c->mode, JAVA_MODE_JAR);
	CHECK_STR(joined(c->options, c->n_options), "-Xmx1g");
	CHECK_STR(joined(c->args, c->n_args), "--x|-y");
	CHECK_STR(path_of(c), "app.jar");
	CHECK_STR(c->name, "app");
	CHECK(c->no_snapshot == NULL);
	c = parse("-jar -Da=b dir/x-1.2.jar", "A=b");
	CHECK_STR(argv_of(c), "-jar|-Da=b|dir/x-1.2.jar");
	CHECK_STR(c->name, "x-1.2");
	c = parse("-cp a.jar:b com.acme.Main x.jar", "CLASSPATH=ignored");
	CHECK_EQ(c->mode, JAVA_MODE_CLASS);
	CHECK_STR(argv_of(c), "-cp|a.jar:b|com.acme.Main|x.jar");
	CHECK_STR(path_of(c), "a.jar|b");
	CHECK_STR(c->name, "Main");
	CHECK_STR(path_of(parse("Main", "CLASSPATH=x::y")), "x|.|y");
	CHECK_STR(path_of(parse("Main", "A=b")), ".");
	CHECK_STR(path_of(parse("-classpath x --class-path=y -Djava.class.path=z Main", "A=b")),
		  "z");
	c = parse("-p mods --add-modules a,b -m acme/com.acme.Main one", "A=b");
	CHECK_EQ(c->mode, JAVA_MODE_MODULE);
	CHECK_STR(c->program, "acme/com.acme.Main");
	CHECK_STR(c->name, "acme");
	CHECK_STR(joined(c->options, c->n_options), "-p|mods|--add-modules|a,b");
	CHECK_STR(joined(c->module_path, c->n_module_path), "mods");
	CHECK_STR(joined(c->args, c->n_args), "one");
	CHECK_EQ(parse("--module=acme x", "A=b")->mode, JAVA_MODE_MODULE);
	CHECK_STR(joined(command.args, command.n_args), "x");
	c = parse("App.java x", "A=b");
	CHECK_EQ(c->mode, JAVA_MODE_SOURCE);
	CHECK_STR(c->name, "App");
	CHECK_EQ(parse("Missing.java", "A=b")->mode, JAVA_MODE_CLASS);
	CHECK_EQ(parse("--source 17 script", "A=b")->mode, JAVA_MODE_SOURCE);
}

static void test_no_program(void)
{
	CHECK_EQ(parse("-version", "A=b")->mode, JAVA_MODE_NONE);
	HAS(command.no_snapshot, "-version starts no program");
	HAS(parse("-Xmx1g", "A=b")->no_snapshot, "no program is named");
	HAS(parse("--dry-run app.jar", "A=b")->no_snapshot, "--dry-run");
	HAS(parse("-cp", "A=b")->no_snapshot, "-cp needs an argument");
	HAS(parse("@missing app.jar", "A=b")->no_snapshot, "cannot read @missing");
	CHECK_STR(argv_of(&command), "@missing|app.jar");
	HAS(parse("app.jar", "JDK_JAVA_OPTIONS='x")->no_snapshot, "not closed");
	HAS(parse("app.jar", "JDK_JAVA_OPTIONS=-jar x")->no_snapshot, "JDK_JAVA_OPTIONS");
	HAS(parse("app.jar", "JDK_JAVA_OPTIONS=Main")->no_snapshot, "JDK_JAVA_OPTIONS");
	CHECK_EQ(java_command_check_program(parse("-version", "A=b"), NULL), -EINVAL);
}

static void test_expansion(void)
{
	struct java_command *c = parse("@opts -Dlast @opts", "JDK_JAVA_OPTIONS=-Da='x y' -Db");

	CHECK_STR(argv_of(c), "@opts|-Dlast|@opts");
	CHECK_STR(joined(c->options, c->n_options), "-Da=x y|-Db|-Dfile=1|-Dlast|-Dfile=1");
	CHECK_STR(path_of(c), "lib/one.jar");
	c = parse("@program @opts @@x", "A=b");
	CHECK_STR(c->program, "file.jar");
	CHECK_STR(joined(c->args, c->n_args), "inner|@opts|@@x");
	CHECK_EQ(c->mode, JAVA_MODE_CLASS); /* java's own words, so java's own meaning */
	c = parse("--disable-@files @opts", "A=b");
	CHECK_STR(c->program, "@opts");
	CHECK_STR(parse("-cp x @@opts", "A=b")->program, "@opts");
	CHECK_STR(parse("-jar @jar", "A=b")->program, "app.jar");
	CHECK_EQ(command.mode, JAVA_MODE_JAR);
}

static void test_wildcard(void)
{
	CHECK_STR(path_of(parse("-cp lib/*:x Main", "A=b")), "lib/one.jar|lib/two.JAR|x");
	CHECK_STR(path_of(parse("-cp empty/*:none/* Main", "A=b")), "empty/*|none/*");
	CHECK_STR(path_of(parse("Main", "CLASSPATH=lib/*")), "lib/one.jar|lib/two.JAR");
}

static void test_check_program(void)
{
	static const char end_record[] = "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	struct jsnap_error err;
	int fd = open("good.jar", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	CHECK_EQ(write_full(fd, "bytes", 5), 0);
	CHECK_EQ(write_full(fd, end_record, 22), 0);
	close(fd);
	CHECK_EQ(java_command_check_program(parse("good.jar", "A=b"), &err), 0);
	CHECK_EQ(truncate("good.jar", 26), 0);
	CHECK_EQ(java_command_check_program(parse("good.jar", "A=b"), &err), -ENOEXEC);
	HAS(err.text, "good.jar is not a jar");
	CHECK_EQ(truncate("good.jar", 0), 0);
	CHECK_EQ(java_command_check_program(&command, &err), -ENOEXEC);
	CHECK_EQ(java_command_check_program(parse("nope.jar", "A=b"), &err), -ENOENT);
	CHECK_STR(err.text, "no such file: nope.jar");
	CHECK_EQ(java_command_check_program(parse("-jar lib", "A=b"), &err), -EISDIR);
	CHECK_EQ(java_command_check_program(parse("App.java", "A=b"), &err), 0);
}

static void test_jdk(void)
{
	struct jsnap_error err = {0};
	struct java_jdk jdk;
	char *none[] = {(char *)"PATH=/nonexistent", NULL};
	char *broken[] = {(char *)"JAVA_HOME=/nonexistent", (char *)"PATH=/usr/bin", NULL};
	char *plain[] = {(char *)"PATH=nox:jdk/bin", NULL}, *nox[] = {(char *)"PATH=nox", NULL};
	int status = 125;

	CHECK_EQ(java_jdk_find(none, &jdk, &status, &err), -ENOENT);
	CHECK_EQ(status, 127);
	HAS(err.text, "no java found");
	status = 125;
	CHECK_EQ(java_jdk_find(broken, &jdk, &status, &err), -ENOENT);
	CHECK_EQ(status, 127);
	HAS(err.text, "JAVA_HOME is /nonexistent");
	CHECK_EQ(java_jdk_find(plain, &jdk, &status, &err), 0);
	CHECK_STR(jdk.executable, "jdk/bin/java");
	CHECK_STR(jdk.version, "21.0.1");
	CHECK_STR(jdk.vendor, "Acme \\\"Co\\\"");
	CHECK_EQ(jdk.feature, 21);
	CHECK_EQ(jdk.libjvm.size, 3);
	CHECK_EQ(strncmp(jdk.home, "/", 1), 0);
	java_jdk_free(&jdk);
	CHECK_EQ(java_jdk_find(nox, &jdk, &status, &err), -EACCES);
	CHECK_EQ(status, 126);
}

static void prepare(void)
{
	static const char *const folders[] = {"jdk", "jdk/bin", "jdk/lib", "jdk/lib/server",
					      "lib", "empty",	"nox"};

	snprintf(root, sizeof(root), "/tmp/jsnap-test-java-XXXXXX");
	CHECK(mkdtemp(root) != NULL);
	CHECK_EQ(chdir(root), 0);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		CHECK_EQ(mkdir(folders[i], 0755), 0);
	write_text("jdk/bin/java", "#!/bin/sh\n", 0755);
	write_text("jdk/release",
		   "X=\"\"\nJAVA_VERSION=\"21.0.1\"\nIMPLEMENTOR=\"Acme \\\"Co\\\"\"", 0644);
	write_text("jdk/lib/server/libjvm.so", "jvm", 0644);
	write_text("jdk/lib/modules", "modules", 0644);
	write_text("nox/java", "", 0644);
	write_text("lib/two.JAR", "", 0644);
	write_text("lib/one.jar", "", 0644);
	write_text("lib/three.zip", "", 0644);
	write_text("App.java", "class App {}", 0644);
	write_text("opts", "-Dfile=1 # comment\n--class-path lib/one.jar", 0644);
	write_text("program", "-Dx file.jar inner", 0644);
	write_text("jar", "app.jar", 0644);
}

int main(void)
{
	char clean[PATH_MAX + 16];

	test_argfile();
	test_variable();
	prepare();
	test_modes();
	test_no_program();
	test_expansion();
	test_wildcard();
	test_check_program();
	test_jdk();
	java_command_free(&command);
	snprintf(clean, sizeof(clean), "rm -rf %s", root);
	return system(clean) == 0 ? 0 : 1;
}
