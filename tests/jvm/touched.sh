#!/bin/bash
# A jar whose time or inode is another is still the same jar; one whose content is another is not.
#
# touched.sh JDK cap|userns
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "$1"
use_mode "$2"
app_use tiny
cp "$cache/tiny.jar" own.jar
command=("$jsnap" run --store "$dir/store" --tids "$tids" --no-checkpoint "${warmup[@]}" -XX:+UseSerialGC
	-jar "$dir/own.jar" "$port")
"$jsnap" checkpoint --store "$dir/store" --tids "$tids" "${warmup[@]}" -XX:+UseSerialGC -jar "$dir/own.jar" "$port" \
	</dev/null >checkpoint.out 2>checkpoint.err || fail "jsnap checkpoint exited with $?"

run_it() { # NAME WORDS
	start_timed "$1" "$port" "$path" "${command[@]}"
	said "$1" "$2" "$1"
	app_check 20
	stop "$pid" TERM
}

touch -d 2001-02-03 own.jar
"$jsnap" verify store/*.jsnap >verify.out || fail "verify: $(cat verify.out)"
run_it touched "jsnap: restored"
cp own.jar another.jar
mv another.jar own.jar
run_it copied "jsnap: restored"
echo more >more
"$JAVA_HOME/bin/jar" --update --file own.jar more
run_it longer "jsnap: cold start: .*own.jar changed"
nothing_left
