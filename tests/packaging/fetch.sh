#!/bin/bash
# Brings what the packaging tests need from package registries into one cache folder and prints it;
# from then on they run without a network. Runs at the same time wait for each other.
#
# fetch.sh [FOLDER]: default $JSNAP_TEST_CACHE/packaging, see tests/fetch_apps.sh. The folder holds:
#   kubernetes/	a Python environment with kubernetes-validate, which carries the API's schemas
#   base.pp		Debian's SELinux base policy
#   root.tar		as root: a Debian root without apt, with a Java runtime and what jsnap links
set -eu

readonly VALIDATOR=kubernetes-validate==1.37.0
readonly PACKAGES=openjdk-17-jre-headless,libcap2,libcap2-bin,libinih1,libsodium23,libxxhash0,libzstd1

default=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/jsnap-tests
[ "$(id -u)" != 0 ] || default=/var/cache/jsnap-tests
cache=${1:-${JSNAP_TEST_CACHE:-$default}/packaging}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
exec 9>"$cache/.lock"
flock 9
PATH=$PATH:/usr/sbin:/sbin
work=$(mktemp -d "$cache/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT

quietly() { # COMMAND...
	"$@" >"$work/log" 2>&1 9>&- </dev/null || { tail -n 20 "$work/log" >&2; echo "fetch.sh: $* failed" >&2; exit 1; }
}

have() { [ "$(cat "$cache/.$1" 2>/dev/null)" = "$2" ]; }

have kubernetes $VALIDATOR || {
	echo "fetching $VALIDATOR" >&2
	rm -rf "$cache/kubernetes"
	quietly python3 -m venv "$cache/kubernetes"
	quietly "$cache/kubernetes/bin/pip" install -q --disable-pip-version-check $VALIDATOR
	echo $VALIDATOR >"$cache/.kubernetes"
}

have selinux 1 || {
	echo "fetching selinux-policy-default" >&2
	mkdir "$work/selinux"
	(cd "$work/selinux" && quietly apt-get download selinux-policy-default)
	quietly dpkg-deb -x "$work"/selinux/*.deb "$work/selinux/files"
	bzip2 -dc "$work/selinux/files/usr/share/selinux/default/base.pp.bz2" >"$work/base.pp"
	mv "$work/base.pp" "$cache/base.pp"
	echo 1 >"$cache/.selinux"
}

[ "$(id -u)" != 0 ] || have root $PACKAGES || {
	echo "making a root of Debian 12 with $PACKAGES" >&2
	sources=/etc/apt/sources.list
	[ -s $sources ] || sources=/etc/apt/sources.list.d/debian.sources
	# a Java package's postinst wants the folder that slim systems lack
	quietly mmdebstrap --variant=essential --include=$PACKAGES --setup-hook='mkdir -p "$1/usr/share/man/man1"' \
		bookworm "$work/root.tar" $sources
	mv "$work/root.tar" "$cache/root.tar"
	echo $PACKAGES >"$cache/.root"
}
echo "$cache"
