#!/bin/bash
# Many restores of one snapshot in a row: none fails, none leaves a process or a file behind.
#
# restores.sh tiny|tomcat|spring JDK G1|Serial cap|userns [N]
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "$2"
use_mode "$4"
app_use "$1"
n=${5:-100}
command=("$jsnap" run --store "$dir/store" --tids $tids "${warmup[@]}" "-XX:+Use${3}GC" "${java_args[@]}")
command[1]=checkpoint
"${command[@]}" </dev/null >checkpoint.out 2>checkpoint.err || fail "jsnap checkpoint exited with $?"
command[1]=run
files=
for ((i = 1; i <= n; i++)); do
	start_timed restored "$port" "$path" "${command[@]}"
	echo "$ttfr_ms" >>times
	said restored "jsnap: restored" "restore $i"
	rm restored.err
	# By turns the two ways a service is ended.
	if ((i % 2)); then
		stop "$pid" TERM
		expect "the exit status of restore $i after SIGTERM" $status 143
	else
		java=$(java_below "$pid")
		kill -KILL "$pid"
		wait "$pid" 2>/dev/null || true
		# An orphan now: it keeps its number until init has reaped it.
		until_true 10 "the program dies with jsnap" gone "$java"
	fi
	until_true 10 "restore $i leaves no process" no_process
	# The record of the working set comes with the first restore that lived long enough to be recorded.
	now=$(find store tmp home -type f -not -path '*/hsperfdata*' -not -name '.java_pid*' -not -name '*.pages' | sort)
	[ $i -gt 1 ] || files=$now
	expect "the files after restore $i" "$now" "$files"
done
sort -n times | awk '{ t[NR] = $1 } END { printf "%d restores: median %.1f ms, least %.1f, most %.1f\n", NR, t[int((NR + 1) / 2)], t[1], t[NR] }'
nothing_left
