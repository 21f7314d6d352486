/* Two samples of random numbers are compared source by source, and malformed ones are refused. */
#include "launcher/verbs/uniqueness.h"

#include "check.h"

#include <errno.h>

static int compare(const char *const *first, const char *const *second, char *words)
{
	CLEANUP_PAYLOAD struct agent_payload a = {0}, b = {0};
	struct jsnap_error err = {0};

	for (; *first; first++)
		agent_payload_add(&a, "sample", *first);
	for (; *second; second++)
		agent_payload_add(&b, "sample", *second);
	return uniqueness_compare(&a, &b, words, 256, &err);
}

#define COMPARE(first, second, words) \
	compare((const char *[]){first, NULL}, (const char *[]){second, NULL}, words)

int main(void)
{
	CLEANUP_PAYLOAD struct agent_payload own = {0}, other = {0};
	struct jsnap_error err = {0};
	char words[256];

	CHECK_EQ(COMPARE("A=1,2,3", "A=4,5,6", words), 0);
	CHECK_STR(words, "3 values of 1 random sources");
	CHECK_EQ(COMPARE("A=1,ffffffffffffffff,3", "A=9,FFFFFFFFFFFFFFFF,7", words), 1);
	CHECK_STR(words, "1 of 3 values of A");
	CHECK_EQ(compare((const char *[]){"A=1,2", "B=1,2", NULL},
			 (const char *[]){"B=2,1", "A=3,4", NULL}, words),
		 1);
	CHECK_STR(words, "2 of 2 values of B");
	CHECK_EQ(COMPARE("A=1", "B=1", words), -EPROTO);
	CHECK_EQ(COMPARE("A=x", "A=1", words), -EPROTO);
	CHECK_EQ(COMPARE("A=1;2", "A=1", words), -EPROTO);
	CHECK_EQ(COMPARE("nothing", "nothing", words), -ENODATA);
	agent_payload_add(&own, "sample", "A=1");
	agent_payload_add(&own, "own", "2 Random");
	agent_payload_add(&own, "own", "1 SplittableRandom");
	agent_payload_add(&other, "sample", "A=2");
	CHECK_EQ(uniqueness_compare(&own, &other, words, sizeof(words), &err), 0);
	CHECK_STR(
		words,
		"1 values of 1 random sources; of its own, with the sequences they had: 2 Random, "
		"1 SplittableRandom");
	return 0;
}
