#!/bin/bash
# The policy files, each read by the tool that will read it; and each tool shown something wrong.
#
# policies.sh apparmor|selinux|systemd|kubernetes
. "$(dirname "$0")/lib.sh"

packaging=$source/packaging

check_apparmor() {
	need apparmor_parser
	local parse=(apparmor_parser --skip-kernel-load --skip-cache --base /etc/apparmor.d --policy-features /etc/apparmor.d/abi/3.0)
	quietly "${parse[@]}" --stdout "$packaging/apparmor/jsnap"
	"${parse[@]}" --stdout "$packaging/apparmor/jsnap" 2>/dev/null | grep -aq jsnap || fail "no compiled profile"
	# What its head says of user namespaces is in the language of the oldest parser; and nothing is denied that
	# a local file then could not allow any more.
	sed -n 's/^#\t//p' "$packaging/apparmor/jsnap" >local
	[ "$(grep -c , local)" = 4 ] || fail "the head of the profile names other rules: $(cat local)"
	sed -e '/include if exists/{r local' -e 'd}' "$packaging/apparmor/jsnap" >with-local
	quietly "${parse[@]}" --stdout with-local
	! grep -q '^ *deny' "$packaging/apparmor/jsnap" || fail "the profile denies for good"
	sed 's/checkpoint_restore/checkpoint_restroe/' "$packaging/apparmor/jsnap" >bad
	"${parse[@]}" bad 2>/dev/null && fail "apparmor_parser takes a capability that does not exist"
	return 0
}

# Compiled, and linked with Debian's base policy: its types, classes and permissions are the real ones.
check_selinux() {
	need checkmodule semodule_package semodule_link semodule_expand
	[ -s "$cache/base.pp" ] || skip "no base policy; run tests/packaging/fetch.sh"
	compile() { # FILE NAME
		checkmodule -M -m -o "$2.mod" "$1" && semodule_package -o "$2.pp" -m "$2.mod" -f "$packaging/selinux/jsnap.fc" &&
			semodule_link -o "$2.linked" "$cache/base.pp" "$2.pp" && semodule_expand "$2.linked" "$2.policy"
	}
	quietly compile "$packaging/selinux/jsnap.te" jsnap
	[ -s jsnap.policy ] || fail "no policy"
	grep -q 'capability2 checkpoint_restore' "$packaging/selinux/jsnap.te" || fail "the capability is not granted"
	sed 's/execmod/execmode/g' "$packaging/selinux/jsnap.te" >bad.te
	sed -i 's/^module jsnap/module bad/' bad.te
	compile bad.te bad >/dev/null 2>&1 && fail "a permission that does not exist is taken"
	return 0
}

check_systemd() {
	need systemd-analyze
	mkdir -p root/usr/bin root/etc/systemd/system root/usr/lib/systemd
	cp "$build/launcher/jsnap" root/usr/bin/
	# the units that every unit refers to
	cp -r /usr/lib/systemd/system root/usr/lib/systemd/ 2>/dev/null || cp -r /lib/systemd/system root/usr/lib/systemd/
	cp "$packaging/systemd/jsnap@.service" root/usr/lib/systemd/system/
	verify() { systemd-analyze verify --root="$dir/root" --man=no --recursive-errors=one jsnap@app.service; }
	quietly verify
	[ ! -s quietly.out ] || fail "systemd-analyze says: $(cat quietly.out)"
	quietly systemd-analyze security --offline=true --root="$dir/root" --threshold=50 jsnap@app.service
	grep -q '^AmbientCapabilities=CAP_CHECKPOINT_RESTORE$' "$packaging/systemd/jsnap@.service"
	quietly systemd-analyze capability CAP_CHECKPOINT_RESTORE
	sed -i 's/^NoNewPrivileges/NoNewPrivilegez/' root/usr/lib/systemd/system/jsnap@.service
	verify >bad.out 2>&1 && fail "a key that does not exist is taken"
	return 0
}

check_kubernetes() {
	local validate=$cache/kubernetes/bin/kubernetes-validate file version
	[ -x "$validate" ] || skip "no kubernetes-validate; run tests/packaging/fetch.sh"
	for file in restricted checkpoint-restore; do
		for version in 1.25 1.30 1.35; do
			quietly "$validate" --strict --no-warn -k $version "$packaging/kubernetes/$file.yaml"
		done
	done
	sed 's/readOnlyRootFilesystem/readOnlyRootFileSystem/' "$packaging/kubernetes/restricted.yaml" >bad.yaml
	"$validate" --strict --no-warn -k 1.30 bad.yaml >/dev/null 2>&1 && fail "a field that does not exist is taken"
	quietly "$cache/kubernetes/bin/python" - "$packaging/kubernetes" <<-'END'
		import sys, yaml

		# Pod Security Standards, restricted: what each container and the pod must say.
		def restricted(pod):
		    context = pod.get("securityContext", {})
		    wrong = [] if context.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost") else ["seccomp"]
		    wrong += [v["name"] for v in pod["volumes"] if not set(v) - {"name"} <= {"emptyDir", "configMap", "secret"}]
		    for container in pod["containers"]:
		        c = container["securityContext"]
		        wrong += [] if c.get("allowPrivilegeEscalation") is False else ["allowPrivilegeEscalation"]
		        wrong += [] if c.get("runAsNonRoot", context.get("runAsNonRoot")) else ["runAsNonRoot"]
		        wrong += [] if "ALL" in c["capabilities"]["drop"] else ["drop ALL"]
		        wrong += [x for x in c["capabilities"].get("add", []) if x != "NET_BIND_SERVICE"]
		    return wrong

		def pod(name):
		    return yaml.safe_load(open(f"{sys.argv[1]}/{name}.yaml"))["spec"]["template"]["spec"]

		assert restricted(pod("restricted")) == [], restricted(pod("restricted"))
		assert restricted(pod("checkpoint-restore")) == ["allowPrivilegeEscalation", "CHECKPOINT_RESTORE"]
	END
}

case $1 in
apparmor | selinux | systemd | kubernetes) "check_$1" ;;
*) fail "no policy $1" ;;
esac
