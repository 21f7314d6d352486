/* CRaC's policies: any bytes give rules that can be asked, or an error with words. */
#include "launcher/policy/crac_policies.h"

#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/un.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = 1234};
	const struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	const struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/run/x/socket"};
	const struct checkpoint_fd asked[] = {
		{.fd = 4, .kind = CHECKPOINT_FD_FILE, .name = "/var/log/{a}/app-1.log"},
		{.fd = 5, .kind = CHECKPOINT_FD_PIPE, .name = "pipe:[77]"},
		{5, CHECKPOINT_FD_TCP, 0, "socket:[7]", &in, &in6, sizeof(in), sizeof(in6)},
		{6, CHECKPOINT_FD_UNIX, 0, "socket:[8]", NULL, &un, 0, sizeof(un)},
		{7, CHECKPOINT_FD_LISTENER, 0, "socket:[9]", &un, NULL, 4, 0},
	};
	CLEANUP_FD_POLICY struct fd_policy policy = {.defaults = true};
	struct jsnap_error err = {0};
	int r = crac_policies_parse(&policy, (const char *)data, size, "fuzz", &err);

	if (r < 0 && (err.code <= 0 || !*err.text))
		abort();
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		if (fd_policy_decide(&policy, &asked[i]) > CHECKPOINT_REFUSE)
			abort();
	return 0;
}
