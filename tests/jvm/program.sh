#!/bin/bash
# A program that ends by itself runs as under java: output, arguments, standard input, exit status, and
# one line on standard error that says why there is no snapshot.
#
# program.sh JDK cap|userns
. "$(dirname "$0")/lib.sh"

use_jdk "$1"
use_mode "$2"
jar=$cache/args.jar
for wanted in 0 3 255; do
	for verb in java jsnap; do
		start=("$JAVA_HOME/bin/java")
		[ $verb = java ] || start=("$jsnap" run --store "$dir/store" --tids $tids)
		status=0
		"${start[@]}" -jar "$jar" $wanted "two words" '' '*' </dev/null >$verb.out 2>$verb.err || status=$?
		expect "the exit status under $verb" $status $wanted
	done
	cmp java.out jsnap.out || fail "the output is another than under java"
	grep -q '^args: 3$' jsnap.err || fail "the program's standard error is not passed on"
	grep -q '^jsnap: ' jsnap.err || fail "no line says why there is no snapshot"
	expect "lines of jsnap's own" "$(grep -c '^jsnap: ' jsnap.err)" "$(grep '^jsnap: ' jsnap.err | sort -u | wc -l)"
done
"$jsnap" run --quiet --store "$dir/store" -jar "$jar" 0 >quiet.out 2>quiet.err
expect "what --quiet says" "$(cat quiet.err)" "args: 0"
[ -z "$(ls -A store)" ] || fail "left in the store by programs that ended: $(ls -A store)"
# What `&` of a script has ignored java handles all the same.
port=$(free_port)
serves() { [ "$(get /hello)" = hello ]; }
start killed "$jsnap" run --store "$dir/store" --no-checkpoint -jar "$cache/tiny.jar" "$port"
until_true 30 "it serves" serves
kill -QUIT "$pid"
until_true 20 "a thread dump" grep -q "Full thread dump" killed.out
# A signal's end is told as a shell tells it.
kill -KILL "$(java_below "$pid")"
status=0
wait "$pid" || status=$?
expect "the exit status after SIGKILL" $status 137

# While it starts, too: the JVM alone ends with 1 once in a hundred times (InternalError: Bad level: 2), and hardly more
# often than that under jsnap.
wrong=0
for ((i = 0; i < 30; i++)); do
	start ended "$jsnap" run --store "$dir/store" --no-checkpoint -jar "$cache/tiny.jar" "$(free_port)"
	sleep 0.0$((i * 2 + 30))
	stop "$pid" TERM
	[ "$status" = 143 ] || wrong=$((wrong + 1))
done
[ $wrong -le 5 ] || fail "$wrong of 30 starts that SIGTERM ended have another exit status"
nothing_left
