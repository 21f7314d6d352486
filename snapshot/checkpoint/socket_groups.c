/*
 * Multicast memberships. The kernel lists which groups each interface listens to, but not for whom;
 * a socket that is asked about a group's sources answers only where it has joined it
 * (net/ipv4/igmp.c, ip_mc_gsfget; net/ipv6/mcast.c, ip6_mc_msfget).
 */
#include "checkpoint/socket_ask.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define TABLE_MAX (1u << 20)

struct group {
	unsigned interface;
	struct sockaddr_storage address;
};

static int text_of(struct capture *c, const char *table, char **ret_text, struct jsnap_error *err)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/net/%s", c->options->pid, table);
	r = read_file(path, TABLE_MAX, ret_text, NULL);
	if (r == -ENOENT) /* a kernel without multicast, or without IPv6 */
		return 0;
	return r < 0 ? error_set(err, -r, "read %s: %s", path, strerror(-r)) : 0;
}

/* Appends what the socket says of one group, if it has joined it. */
static int ask_group(struct socket_asker *a, int level, const struct group *group,
		     unsigned char *all, size_t *used, size_t size, struct jsnap_error *err)
{
	unsigned char answer[GROUP_FILTER_SIZE(M_GROUP_SOURCES_MAX)] = {0};
	struct group_filter *filter = (struct group_filter *)answer;
	struct m_sockopt option = {
		.level = level, .name = MCAST_MSFILTER, .size = sizeof(struct m_group)};
	struct m_group joined = {0};
	uint32_t got;
	long result;
	int r;

	filter->gf_interface = group->interface;
	filter->gf_group = group->address;
	filter->gf_numsrc = M_GROUP_SOURCES_MAX;
	r = socket_ask_option(a, level, MCAST_MSFILTER, answer, sizeof(answer), &got, &result, err);
	if (r < 0 || result < 0)
		return r;
	if (filter->gf_numsrc > M_GROUP_SOURCES_MAX)
		return socket_refuse(a, err,
				     "has joined a multicast group for more than three sources, "
				     "which is not carried");
	if (*used + sizeof(option) + sizeof(joined) > size)
		return socket_refuse(a, err, "has joined more multicast groups than are carried");
	if (!if_indextoname(group->interface, joined.interface))
		return error_errno(err, "fd %d (%s): the interface %u of its multicast group",
				   a->fd, a->name, group->interface);
	joined.mode = filter->gf_fmode;
	joined.n_sources = filter->gf_numsrc;
	joined.addresses[0] = group->address;
	memcpy(&joined.addresses[1], filter->gf_slist,
	       filter->gf_numsrc * sizeof(joined.addresses[0]));
	memcpy(all + *used, &option, sizeof(option));
	memcpy(all + *used + sizeof(option), &joined, sizeof(joined));
	*used += sizeof(option) + sizeof(joined);
	return 0;
}

/* /proc/net/igmp: "INDEX DEVICE : ..." and below it, indented, each group as the hexadecimal number
 * that its bytes are on this machine. */
static int ask_ipv4(struct socket_asker *a, unsigned char *all, size_t *used, size_t size,
		    struct jsnap_error *err)
{
	CLEANUP_FREE char *text = NULL;
	struct group group = {0};
	struct sockaddr_in *address = (struct sockaddr_in *)&group.address;
	char *rest = NULL;
	int r = text_of(a->c, "igmp", &text, err);

	for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; r == 0 && line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (line[0] != '\t') {
			group.interface = (unsigned)strtoul(line, NULL, 10);
			continue;
		}
		address->sin_family = AF_INET;
		address->sin_addr.s_addr = (in_addr_t)strtoul(line, NULL, 16);
		r = ask_group(a, IPPROTO_IP, &group, all, used, size, err);
	}
	return r;
}

/* /proc/net/igmp6: "INDEX DEVICE GROUP USERS FLAGS TIMER", the group in 32 hexadecimal digits. */
static int ask_ipv6(struct socket_asker *a, unsigned char *all, size_t *used, size_t size,
		    struct jsnap_error *err)
{
	CLEANUP_FREE char *text = NULL;
	char *rest = NULL;
	int r = text_of(a->c, "igmp6", &text, err);

	for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; r == 0 && line;
	     line = strtok_r(NULL, "\n", &rest)) {
		struct group group = {0};
		struct sockaddr_in6 *address = (struct sockaddr_in6 *)&group.address;
		char digits[33];

		if (sscanf(line, "%u %*s %32[0-9a-f]", &group.interface, digits) != 2 ||
		    strlen(digits) != 32)
			continue;
		address->sin6_family = AF_INET6;
		for (size_t i = 0; i < 16; i++)
			(void)!sscanf(digits + 2 * i, "%2hhx", &address->sin6_addr.s6_addr[i]);
		r = ask_group(a, IPPROTO_IPV6, &group, all, used, size, err);
	}
	return r;
}

int socket_ask_groups(struct socket_asker *a, const struct m_socket *s, unsigned char *all,
		      size_t *used, size_t size, struct jsnap_error *err)
{
	int r = ask_ipv4(a, all, used, size, err); /* an IPv6 socket may join these as well */

	return r < 0 || s->family != AF_INET6 ? r : ask_ipv6(a, all, used, size, err);
}
