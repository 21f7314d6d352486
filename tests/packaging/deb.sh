#!/bin/bash
# The .deb on a clean root of Debian 12: dpkg installs it, the file capability is set, and `jsnap run`
# works there as a plain user: cold, then restored. Where no file capability can be set, it installs all
# the same and another way is taken; as a service with an ambient capability; and it goes without a trace.
. "$(dirname "$0")/lib.sh"

need_root
need dpkg-deb chroot unshare pivot_root setpriv ip
[ -s "$cache/root.tar" ] || skip "no root to install into; run tests/packaging/fetch.sh"

deb=$(ls "$build"/deb/out/jsnap_*.deb) || fail "no package; it is made by the test packaging/build-deb"
mkdir clean work
tar -xf "$cache/root.tar" -C clean

# fresh NAME: a throw-away copy of the clean root, with the package file in it.
fresh() {
	mkdir -p "work/$1/upper" "work/$1/work" "$1"
	mount -t overlay -o "lowerdir=clean,upperdir=work/$1/upper,workdir=work/$1/work" overlay "$1"
	at_end+=("umount -R '$dir/$1'")
	cp "$deb" "$1/jsnap.deb"
	mkdir -p "$1/srv"
	cp "$apps/tiny.jar" "$1/srv/tiny.jar"
	printf 'app:x:1000:1000::/srv/app:/bin/sh\n' >>"$1/etc/passwd"
	install -d -o 1000 -g 1000 "$1/srv/app"
}

# inside ROOT COMMAND...: with its own PIDs, whose end is the end of all in it, and loopback. The root is
# moved to, not chroot'ed into: a chroot forbids user namespaces (user_namespaces(7)).
inside() {
	local root=$1
	shift
	# shellcheck disable=SC2016
	unshare --mount --pid --net --fork --kill-child bash -c '
		ip link set lo up
		mount -t proc proc "$1/proc"
		mount --rbind /dev "$1/dev"
		cd "$1"
		pivot_root . mnt
		umount -l /mnt
		shift
		exec "$@"' - "$dir/$root" "$@"
}

# as_user ROOT SETPRIV_OPTIONS...: runs serve.sh inside as uid 1000, twice: its words are in ROOT.1, ROOT.2.
as_user() {
	local root=$1 turn
	shift
	cat >"$root/srv/serve.sh" <<-'END'
		# Started by jsnap, asked, ended by SIGTERM as soon as the snapshot is there. bash's own
		# /dev/tcp asks: this root has no curl.
		ask() {
			exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /hello HTTP/1.0\r\n\r\n' >&3 && cat <&3
		}
		export HOME=/srv/app
		cd
		jsnap run --warmup http://127.0.0.1:8080/hello --warmup-requests 50 "$@" -jar /srv/tiny.jar 8080 >out 2>err &
		i=0
		until ask 2>/dev/null >answer && grep -q hello answer; do
			i=$((i + 1))
			[ $i -lt 600 ] || { echo "no answer"; cat err; exit 1; }
			sleep 0.1
		done
		until [ -n "$(ls .cache/jsnap/*.hot 2>/dev/null)" ] && ! ls .cache/jsnap/*tmp* >/dev/null 2>&1 || [ $i -ge 900 ]; do
			i=$((i + 1))
			sleep 0.1
		done
		for status in /proc/[0-9]*/status; do
			grep -q '^Name:.*java' $status && grep '^Cap[PEA]' $status >caps
		done
		kill -TERM $!
		wait $!
		echo "status $?"
		cat err caps
	END
	for turn in 1 2; do
		inside "$root" setpriv --reuid 1000 --regid 1000 --clear-groups "$@" bash /srv/serve.sh >"$root.$turn" 2>&1 || {
			cat "$root.$turn" >&2
			fail "jsnap run, $root, turn $turn"
		}
	done
	grep -q '^jsnap: cold start' "$root.1" || fail "$root: the first run says: $(cat "$root.1")"
	grep -q '^jsnap: restored' "$root.2" || fail "$root: the second run says: $(cat "$root.2")"
	expect "$root: the exit status after SIGTERM" "$(grep '^status' "$root.2")" "status 143"
	expect "$root: capabilities of the restored program" \
		"$(sed -n 's/^Cap...:\t//p' "$root.2" | sort -u)" 0000000000000000
	say "$root: $(grep '^jsnap: restored' "$root.2")"
}

# As on any host.
fresh host
quietly chroot host dpkg -i /jsnap.deb
[ ! -s quietly.out ] || ! grep -q '^jsnap:' quietly.out || fail "postinst complains: $(cat quietly.out)"
expect "the file capability" "$(getcap host/usr/bin/jsnap)" "host/usr/bin/jsnap cap_checkpoint_restore=p"
quietly chroot host dpkg --verify jsnap
expect "the version" "$(chroot host jsnap --version)" "jsnap $(dpkg-deb -f "$deb" Version)"
as_user host
grep -q 'tids: clone3' host.2 || fail "the file capability was not used: $(cat host.2)"

# As a service under systemd/jsnap@.service: no_new_privs voids the file capability, the ambient one holds.
fresh service
quietly chroot service dpkg -i /jsnap.deb
setcap -r service/usr/bin/jsnap
as_user service --inh-caps +checkpoint_restore --ambient-caps +checkpoint_restore --bounding-set -all,+checkpoint_restore --no-new-privs
grep -q 'tids: clone3' service.2 || fail "the ambient capability was not used: $(cat service.2)"

# As in a container build that may not set file capabilities.
fresh bare
quietly setpriv --bounding-set -setfcap --inh-caps -setfcap chroot bare dpkg -i /jsnap.deb
grep -q 'no file capability' quietly.out || fail "postinst does not say that there is no file capability: $(cat quietly.out)"
expect "the file capability that could not be set" "$(getcap bare/usr/bin/jsnap)" ""
as_user bare
grep -qE 'tids: (userns|walk)' bare.2 || fail "bare: $(cat bare.2)"

# No setcap at all; and away again: the configuration stays until it is purged.
fresh slim
mv slim/usr/sbin/setcap slim/usr/sbin/setcap.away 2>/dev/null || mv slim/sbin/setcap slim/sbin/setcap.away
quietly chroot slim dpkg -i /jsnap.deb
grep -q 'libcap2-bin' quietly.out || fail "postinst does not name the package that is missing: $(cat quietly.out)"
echo "# mine" >>slim/etc/jsnap/jsnap.ini
quietly chroot slim dpkg -r jsnap
grep -q '# mine' slim/etc/jsnap/jsnap.ini || fail "the administrator's configuration is gone after removal"
quietly chroot slim dpkg -P jsnap
left=$(find slim/etc slim/usr -path '*jsnap*' ! -path '*/doc-base/*')
[ -z "$left" ] || fail "left after purge: $left"
