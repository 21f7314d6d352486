/* Errors: a failure stays one whoever adds to it, and its text is one line that no terminal obeys.
 */
#include "base/error.h"

#include "check.h"

#include <errno.h>

int main(void)
{
	struct jsnap_error err = {0};

	CHECK_EQ(error_set(&err, ENOENT, "open %s", "/x\x1b[2J\ny\xc2\x9bz\x7f"), -ENOENT);
	CHECK_STR(err.text, "open /x?[2J y??z?");
	CHECK_EQ(error_context(&err, "restore of %s", "a\tb"), -ENOENT);
	CHECK_STR(err.text, "restore of a b: open /x?[2J y??z?");
	CHECK_EQ(error_hint(&err, "try\r%s", "again"), -ENOENT);
	CHECK_STR(err.text, "restore of a b: open /x?[2J y??z?; try again");
	errno = EACCES;
	CHECK_EQ(error_errno(&err, "stat %s", "\xc3\xa4"), -EACCES);
	CHECK_STR(err.text, "stat \xc3\xa4: Permission denied");

	/* Nobody said what failed: that something did is not lost. */
	err = (struct jsnap_error){0};
	CHECK_EQ(error_context(&err, "threads"), -EIO);
	CHECK_EQ(err.code, EIO);
	CHECK_STR(err.text, "threads: it failed");

	CHECK_EQ(error_set(NULL, EBUSY, "x"), -EBUSY);
	CHECK_EQ(error_context(NULL, "x"), -EIO);
	CHECK_EQ(error_hint(NULL, "x"), -EIO);
	return 0;
}
