#!/bin/bash
# On a terminal jsnap is what `java` is: Ctrl-\ prints a thread dump, Ctrl-Z stops the program and `fg`
# continues it, Ctrl-C ends it by way of its hooks; cold and restored. The terminal is script(1)'s. Only
# the program writes there but for lines of jsnap's; verbs that no program has the terminal of show how far
# they are.
#
# What was taken on a terminal, where its streams are one, is restored with each of them elsewhere.
#
# terminal.sh JDK cap|userns
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "$1"
use_mode "$2"
app_use tiny
export TERM=xterm # whatever the caller's is
mkfifo keys
cat >shell.sh <<-END
	set -m
	"$jsnap" run --store "$dir/store" --tids $tids ${warmup[*]} -XX:+UseSerialGC ${java_args[*]}
	echo "stopped with \$?"
	fg >/dev/null
	echo "ended with \$?"
END

screen_says() { grep -Eq -- "$1" screen; }

answers() { [ "$(get /hello)" = hello ]; }

session() { # WORDS of the line by which jsnap says how it started
	# A shell without job control starts what it puts in the background with SIGINT ignored.
	env --default-signal=INT,QUIT script -qec "bash shell.sh" /dev/null <keys >screen &
	local terminal=$!
	exec 7>keys
	until_true "$patience" "the program serves" answers
	until_true 10 "the screen says '$1'" screen_says "$1"
	until_true "$patience" "the snapshot" snapshot_settled
	printf '\034' >&7
	until_true 20 "Ctrl-\\ gives a thread dump" screen_says "Full thread dump"
	printf '\032' >&7
	until_true 20 "Ctrl-Z gives the terminal back" screen_says "stopped with 148"
	# `fg` follows by itself, for the shell reads its script on.
	until_true 20 "fg continues it" answers
	printf '\003' >&7
	until_true 20 "Ctrl-C ends it" screen_says "ended with 130"
	screen_says "shutdown hook ran" || fail "Ctrl-C: the shutdown hook did not run"
	exec 7>&-
	wait $terminal || fail "the terminal session: status $?"
}

shown() { LC_ALL=C grep -aqP "$1" screen; }
erases='\x1b\[K'

session "jsnap: cold start:"
! shown "$erases" || fail "a cold start erases what stands on the terminal"
session "jsnap: restored .*\(tids: $tids\)"
! shown "$erases" || fail "a restore erases what stands on the terminal"

# `&` of a script has SIGQUIT ignored, which java handles all the same.
start apart "$jsnap" run --store "$dir/store" --tids $tids "${warmup[@]}" -XX:+UseSerialGC "${java_args[@]}"
until_true "$patience" "the program serves" answers
said apart "jsnap: restored .*(tids: $tids)" "it was not restored from what was taken on a terminal"
kill -QUIT $pid
until_true 20 "its thread dump goes to standard output" grep -q "Full thread dump" apart.out
expect "its standard error" "$(readlink "/proc/$(java_below $pid)/fd/2")" "$dir/apart.err"
stop $pid TERM
expect "the exit status" $status 143
app_stopped apart

# How far it is, in a line that is taken away before anything else is written (ECMA-48: to its start, erase).
echo "\"$jsnap\" checkpoint --store \"$dir/store\" ${warmup[*]} -XX:+UseSerialGC ${java_args[*]}" >shell.sh
script -qec "bash shell.sh" /dev/null </dev/null >screen || fail "checkpoint on a terminal: status $?"
shown '\r\x1b\[Kjsnap: waiting until it is ready \(auto: [^\r]+\r\x1b\[K' || fail "no progress until it is ready"
shown '\r\x1b\[Kjsnap: warm-up http://\S+: \d+ of \d+ requests\r\x1b\[K' || fail "no progress of the warm-up"
shown '\r\x1b\[Kjsnap: compressing[^\r]*\r\x1b\[K' || fail "no progress of the compression"

# The engine's own verbs, too: nobody else's words are on the terminal then.
on_terminal() { # COMMAND
	echo "$1" >shell.sh
	script -qec "bash shell.sh" /dev/null </dev/null >>screen || fail "$1 on a terminal: status $?"
}
image=$(find store -name '*.jsnap' -print -quit)
on_terminal "\"$jsnap\" verify \"$image\""
shown '\r\x1b\[Kjsnap: verifying: [0-9.]+ [KMG]?B of [0-9.]+ MB\r\x1b\[K' || fail "no progress of verify"
start dumped sleep 60
on_terminal "\"$jsnap\" dump --pid $pid --image \"$dir/sleep.jsnap\""
shown '\r\x1b\[Kjsnap: compressing: [0-9.]+ [KM]?B of [0-9.]+ [KM]?B\r\x1b\[K' || fail "no progress of dump"
wait $pid || true
! shown 'jsnap: (waiting|warm-up|compressing|verifying)[^\r\n]*\r(?!\x1b\[K|\n)' || fail "progress stays on the terminal"
: >screen
on_terminal "TERM=dumb \"$jsnap\" verify \"$image\""
shown whole || fail "verify says nothing on a terminal that can't erase"
! shown '\x1b|verifying' || fail "progress on a terminal that can't erase"
"$jsnap" verify "$image" >plain 2>&1
! LC_ALL=C grep -qP "\x1b|verifying" plain || fail "progress without a terminal"
nothing_left
