#!/bin/bash
# jsnap's seccomp profile is Docker's for amd64 without further capabilities, and what docs/privileges.md names:
# rule by rule, and what comes of the address families of sockets under both.
. "$(dirname "$0")/lib.sh"

use_jdk 17
profile=$here/../../packaging/container/jsnap-seccomp.json
numbers=$(echo '#include <sys/syscall.h>' | cc -E -dM - | sed -n 's/^#define __NR_\([a-z0-9_]*\) .*/\1/p')
python3 - "$(docker_filter)" "$profile" "$numbers" <<'END' || fail "jsnap-seccomp.json is not Docker's list and three calls"
import json, sys
docker, ours = (json.load(open(path)) for path in sys.argv[1:3])
here = set(sys.argv[3].split())
def counts(rule): # on amd64, without capabilities, on any kernel that runs JDK 17
	includes, excludes = rule.get("includes", {}), rule.get("excludes", {})
	return not includes.get("caps") and "amd64" in includes.get("arches", ["amd64"]) and "amd64" not in excludes.get("arches", [])
def rules(profile):
	plain, rest = set(), []
	for rule in filter(counts, profile["syscalls"]):
		if rule["action"] == "SCMP_ACT_ALLOW" and not rule.get("args"):
			plain |= set(rule["names"])
			continue
		args = [(a["index"], a["value"], a.get("valueTwo", 0), a["op"]) for a in rule.get("args", [])]
		rest += [(name, rule["action"], rule.get("errnoRet"), args) for name in rule["names"]]
	return plain, sorted(rest, key=str)
plain, rest = rules(docker)
our_plain, our_rest = rules(ours)
more, less = our_plain - plain, (plain & here) - our_plain
rest = [rule for rule in rest if rule[0] != "clone3"]
default = [[profile[key] for key in ("defaultAction", "defaultErrnoRet")] for profile in (docker, ours)]
print("more: %s; less: %s; with conditions: %d" % (sorted(more), sorted(less), len(rest)), file=sys.stderr)
sys.exit(more != {"clone3", "kcmp", "pidfd_getfd"} or bool(less) or rest != our_rest or default[0] != default[1])
END

cat >families.py <<'END'
import socket
for family in range(64):
	try:
		socket.socket(family, socket.SOCK_DGRAM).close()
	except OSError as error:
		print(family, error.errno)
END
options docker nocap 1000 nnp
for name in docker ours; do
	[ $name = docker ] || options=("${options[@]/#seccomp=*/seccomp=$profile}")
	run $name -- python3 "$dir/families.py"
	wait "$pid" || fail "$name: $(tail -n 3 $name.err)"
done
grep -qx '38 1' docker.out || fail "Docker's filter lets AF_ALG through"
diff docker.out ours.out || fail "sockets differ"
say "$(wc -l <ours.out) of 64 address families are not to be had"
