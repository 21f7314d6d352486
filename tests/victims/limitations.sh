#!/bin/bash
# limitations.sh BUILD_DIR LIMITATIONS.md: every test that the table names exists, and every victim
# test stands in the table; so neither can drift from the other.
set -u
build=${1:?usage: limitations.sh BUILD_DIR LIMITATIONS.md}
table=${2:?usage: limitations.sh BUILD_DIR LIMITATIONS.md}
faults=0

# victim/sockets-cap-3 and victim/plain-sockets are both of the victim `sockets`.
tests=$(ctest --test-dir "$build" -N | sed -n 's/^ *Test *#[0-9]*: victim\/\(plain-\)\{0,1\}//p' |
	sed -E 's/-(cap|userns|walk|ns-last-pid)(-([0-9]+|live|left))?$//' | sort -u)
[ -n "$tests" ] || { echo "ctest lists no victim test in $build" >&2; exit 1; }
# The last column of rows; other tests than victims' are named with their tier (unit/..., jvm/...).
named=$(sed -n 's/^|.*| *\([^|]*\) *|$/\1/p' "$table" | sed 1,2d | tr ',' '\n' | sed 's/^ *//; s/ *$//' |
	grep -v '^-*$' | sort -u)

while read -r name; do
	case $name in
	*/*) ctest --test-dir "$build" -N -R "^${name//\*/.*}$" | grep -q 'Total Tests: 0' || continue ;;
	*) grep -qx -- "${name//\*/.*}" <<<"$tests" && continue ;;
	esac
	echo "$table names the test '$name', which does not exist" >&2
	faults=1
done <<<"$named"
while read -r name; do
	found=
	while read -r pattern; do
		# shellcheck disable=SC2053 # a pattern on purpose
		[[ $name == $pattern ]] && found=1
	done <<<"$named"
	[ -n "$found" ] && continue
	echo "the victim '$name' stands in no row of $table" >&2
	faults=1
done <<<"$tests"
# What a row calls refused is refused in its tests, and the other way round.
while IFS='|' read -r _ object carried names _; do
	case $carried in
	*refused*) ;;
	*) grep -q 'refused-' <<<"$names" || continue
		echo "$table: '$object' names a refusal, and does not say refused" >&2
		faults=1 ;;
	esac
	[[ $carried =~ ^\ *(the\ restore\ is\ )?refused ]] || continue
	grep -Eq 'refused-|[a-z]/' <<<"$names" && continue
	echo "$table: '$object' is refused, it says, and names no such test" >&2
	faults=1
done < <(sed -n '/^| Object /,/^$/p' "$table")
[ $faults = 0 ] && echo "$(wc -l <<<"$named") names, $(wc -l <<<"$tests") victims"
exit $faults
