#!/bin/bash
# When a program is ready, by each kind of condition that needs no more than the program: none before it holds,
# a snapshot soon after. And what happens when it never is, or its warm-up fails: no snapshot, the reason,
# and a program that serves on.
#
# ready.sh JDK cap|userns
. "$(dirname "$0")/lib.sh"

use_jdk "$1"
use_mode "$2"
port=$(free_port)
answers() { [ "$(get /hello)" = hello ]; }

inside=() # a command that runs jsnap somewhere else
begin() { # NAME OPTION...: a run that answers
	local name=$1
	shift
	rm -rf store
	start "$name" "${inside[@]}" "$jsnap" run --store "$dir/store" --tids $tids "$@" -XX:+UseSerialGC -jar "$cache/tiny.jar" "$port"
	until_true "$patience" "$name: it answers" answers
}
end() {
	answers || fail "$1: it does not answer"
	stop "$pid" TERM
	expect "$1: the exit status" "$status" 143
}

# One that holds from the start, one that comes to hold, and two of them: both must.
begin tcp --ready "tcp:$port"
until_true "$patience" "tcp: the snapshot" snapshot_settled
end tcp
begin page --ready "http://localhost:$port/hello"
until_true "$patience" "a page: the snapshot" snapshot_settled
end page
# A name that the name service knows: a file of ours in the place of /etc/hosts.
inside=(unshare -Urm sh -c 'mount --bind hosts /etc/hosts && exec "$@"' sh)
echo "127.0.0.1 here.example" >hosts
if "${inside[@]}" true 2>/dev/null; then
	begin name --ready "http://here.example:$port/hello" --warmup "http://here.example:$port/hello"
	until_true "$patience" "a name: the snapshot" snapshot_settled
	end name
else
	say "left out, no user namespaces: a name in a URL"
fi
inside=()
condition() { echo "exec:touch $dir/asked-$1; test -e $dir/$1"; }
asked() { [ -e "asked-$1" ]; }
begin two --ready "$(condition one)" --ready "$(condition two)"
for it in one two; do
	until_true "$patience" "the condition $it is asked" asked $it
	snapshot_exists && fail "a snapshot without the file $it"
	: >$it
done
until_true "$patience" "two conditions: the snapshot" snapshot_settled
end two

refused() { # NAME WORDS OPTION...
	local name=$1 words=$2
	shift 2
	begin "$name" "$@"
	until_true "$patience" "$name: the reason" grep -q "^jsnap: no snapshot: " "$name.err"
	grep -q "^jsnap: no snapshot: .*$words" "$name.err" || fail "$name says: $(cat "$name.err")"
	expect "$name: lines that say so" "$(grep -c "^jsnap: no snapshot" "$name.err")" 1
	end "$name"
	snapshot_exists && fail "$name: there is a snapshot"
	return 0
}
refused never "not ready in time (file:$dir/never" --ready "file:$dir/never" --timeout 3s
refused absent "not ready in time (http://127.0.0.1:$port/nowhere: it answers with status 404" \
	--ready "http://127.0.0.1:$port/nowhere" --timeout 3s
refused nameless "not ready in time (http://nowhere.invalid/: .* the host 'nowhere.invalid'" \
	--ready "http://nowhere.invalid/" --timeout 3s
refused cold "warm-up exec:sleep 600: it did not end in time" --warmup "exec:sleep 600" --timeout 3s
refused broken "warm-up http://127.0.0.1:$port/nowhere, request 1.*status 404" --warmup "http://127.0.0.1:$port/nowhere"
refused failing "warm-up exec:exit 3.*exits with status 3" --warmup "exec:exit 3"

# The same under `checkpoint`, whose work it is: it fails, and ends the program.
status=0
timeout 120 "$jsnap" checkpoint --image "$dir/no.jsnap" --tids $tids --ready "file:$dir/never" --timeout 3s -jar "$cache/tiny.jar" "$port" \
	2>checkpoint.err || status=$?
expect "the status of checkpoint" $status 125
grep -q "not ready in time" checkpoint.err || fail "checkpoint says: $(cat checkpoint.err)"
[ ! -e no.jsnap ] || fail "checkpoint has left an image"
nothing_left
