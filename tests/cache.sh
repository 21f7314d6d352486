# What the scripts share that bring programs from registries, or build them, into the folder of the tests'
# cache; sourced by each as its first act. Each thing there has a stamp of its own: a change to one leaves
# the others alone, which tests of another checkout may be using. bash, under `set -eu`.

# cache_open [FOLDER]: default $JSNAP_TEST_CACHE, else $XDG_CACHE_HOME/jsnap-tests, for root
# /var/cache/jsnap-tests, which the unprivileged user the tests run as can read. Sets `cache` and `work`, a
# folder for half-made things. Runs at the same time wait for each other.
cache_open() {
	local default=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/jsnap-tests
	[ "$(id -u)" != 0 ] || default=/var/cache/jsnap-tests
	cache=${1:-${JSNAP_TEST_CACHE:-$default}}
	mkdir -p "$cache"
	cache=$(cd "$cache" && pwd)
	exec 9>"$cache/.lock"
	flock 9
	work=$(mktemp -d "$cache/.work.XXXXXX")
	trap 'rm -rf "$work"' EXIT
}

die() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

maven() {
	command -v mvn >/dev/null || die "mvn is missing; scripts/install_deps.sh installs it"
	mvn -q -B "$@" >"$work/mvn.log" 2>&1 9>&- || { cat "$work/mvn.log" >&2; die "mvn $* failed"; }
}

# have NAME STAMP: it is there, and of that stamp.
have() { [ -e "$cache/$1" ] && [ "$(cat "$cache/.$1.stamp" 2>/dev/null)" = "$2" ]; }

# keep NAME STAMP FILE: FILE or folder takes its place at once, readable by whoever the tests run as.
keep() {
	chmod -R a+rX "$3"
	[ ! -d "$cache/$1" ] || rm -rf "${cache:?}/$1"
	mv "$3" "$cache/$1"
	echo "$2" >"$cache/.$1.stamp"
}

# fetch COORDINATES PATTERN: a Maven artifact; prints its file.
fetch() {
	echo "fetching $1" >&2
	rm -rf "$work/got"
	maven org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -Dartifact="$1" -DoutputDirectory="$work/got"
	echo "$work"/got/$2
}

# build APP: of tests/apps, by Maven, in `work`.
build() {
	echo "building $1" >&2
	cp -r "$1" "$work/$1"
	rm -rf "$work/$1/target"
	maven -f "$work/$1/pom.xml" -DskipTests package
}

# class_path APP: what it has built, and all that it needs, in $work/class_path.
class_path() {
	maven -f "$work/$1/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory="$work/class_path"
	cp "$work/$1/target/$1"*.jar "$work/class_path/"
}

# digest WORD... -- PATH...: of words and of what is in files and folders, but for their target/.
digest() {
	{
		while [ "$1" != -- ]; do
			echo "$1"
			shift
		done
		shift
		find "$@" -type f -not -path '*/target/*' -print0 | sort -z | xargs -0 cat
	} | sha256sum | cut -c1-32
}
