/*
 * After RESTORED the application sees the new environment: in the map it holds, through
 * System.getenv and in its children, which do not inherit the control channel.
 */
#include "subject.h"

#include "../../unit/check.h"

static void check_line(struct subject *subject, const char *expected)
{
	CHECK_STR(subject_line(subject), expected);
}

/* Bytes that are not UTF-8 are a variable like any other; what has no name is none. */
static void refresh(struct subject *subject)
{
	CLEANUP_PAYLOAD struct agent_payload question = {0}, answer = {0};

	agent_payload_add(&question, "env", "PATH=/usr/bin:/bin");
	agent_payload_add(&question, "env", "JSNAP_TEST_NEW=new=value");
	agent_payload_add(&question, "env", "MANGLED=\xff\xfe\xc0");
	agent_payload_add(&question, "env", "not a variable");
	agent_payload_add(&question, "env", "=nameless");
	agent_payload_add(&question, "prop", "jsnap.test=a property");
	agent_payload_add(&question, "prop", "=");
	agent_payload_add(&question, "prop", "jsnap.mangled=\xff\xc0");
	agent_payload_add(&question, "whatever", "ignored");
	subject_ask(subject, AGENT_RESTORED, &question, AGENT_REFRESHED, &answer);
	CHECK_EQ(agent_payload_u64(&answer, "env", 0), 3);
	CHECK_STR(agent_payload_get(&answer, "java_env"), "1");
	CHECK_EQ(agent_payload_u64(&answer, "props", 0), 2);
}

static void test_refresh(const char *jdk)
{
	struct subject subject;

	subject_start(&subject, jdk, (const char *[]){"-Xcheck:jni", NULL}, "environment");
	check_line(&subject, "before old null");
	refresh(&subject);
	subject_go_on(&subject);
	check_line(&subject, "held null new=value 3");
	check_line(&subject, "asked null new=value 3");
	check_line(&subject, "same true");
	check_line(&subject, "child :new=value");
	check_line(&subject, "child has socket false");
	check_line(&subject, "property a property");
	subject_go_on(&subject);
	subject_finish(&subject);
}

static void test_kept(const char *jdk)
{
	CLEANUP_PAYLOAD struct agent_payload question = {0}, answer = {0};
	struct subject subject;

	subject_start(&subject, jdk, NULL, "environment");
	check_line(&subject, "before old null");
	agent_payload_add(&question, "env-refresh", "0");
	agent_payload_add(&question, "env", "JSNAP_TEST_NEW=new");
	subject_ask(&subject, AGENT_RESTORED, &question, AGENT_REFRESHED, &answer);
	CHECK(!agent_payload_get(&answer, "env"));
	subject_go_on(&subject);
	CHECK(!strncmp(subject_line(&subject), "held old null ", 14));
	while (strncmp(subject_line(&subject), "property", 8) != 0)
		;
	subject_go_on(&subject);
	subject_finish(&subject);
}

int main(int argc, char **argv)
{
	const char *jdk = subject_jdk(argc, argv);

	setenv("JSNAP_TEST_OLD", "old", 1);
	unsetenv("JSNAP_TEST_NEW");
	subject_compile(jdk);
	test_refresh(jdk);
	test_kept(jdk);
	return 0;
}
