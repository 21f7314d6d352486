#!/bin/bash
# The contract of org.crac, with the library as it is published, on a JDK that knows nothing of it: what a
# program sees on its first run (where it goes on after the snapshot) and on its second (restored).
#
# crac.sh JDK cap|userns [patient]	(patient: a resource that takes minutes, and has them, alone)
. "$(dirname "$0")/lib.sh"

use_jdk "$1"
use_mode "$2"
program=(-cp "$cache/crac.jar:$cache/crac-api.jar" CracMain)

run() { # NAME MODE ARGUMENT...: to its end, in the mode's own store
	local name=$1 mode=$2
	shift 2
	timeout 120 "$jsnap" run --store "$dir/store/$mode" --tids $tids --ready api --hook-timeout 2s \
		"${program[@]}" "$mode" "$@" \
		</dev/null >"$name.out" 2>"$name.err" || fail "$name: exit status $?"
	until_true 60 "$name: the image is written" written "$mode"
}

# Its writer holds the lock until then, and a run that finds it held for long starts cold.
written() {
	local lock
	for lock in "store/$1"/*.lock; do
		[ ! -e "$lock" ] || flock -n "$lock" true || return 1
	done
}

says() { # NAME LINE...: exactly these, in this order
	local name=$1
	shift
	printf '%s\n' "$@" >wanted
	diff -u wanted "$name.out" >&2 || fail "$name: another output"
}

mkdir -p store

# A --hook-timeout beyond jsnap's own patience with a JVM is kept.
if [ "${3:-}" = patient ]; then
	mkfifo slow.in
	port=$(free_port)
	start slow bash -c 'exec "$@" <slow.in' - "$jsnap" run --store "$dir/store/slow" --tids $tids --hook-timeout 10m \
		"${program[@]}" deaf "$port"
	exec 7>slow.in
	until_true "$patience" "slow: the resources are told" grep -q "before D" slow.out
	# Time is what this is about: more than the two minutes of jsnap's own.
	for ((i = 0; i < 130; i++)); do
		sleep 1
		ended "$pid" && fail "slow: the application is gone"
		! grep -q "jsnap: no snapshot: " slow.err || fail "slow: after $i s: $(cat slow.err)"
	done
	printf '!' >&7
	until_true "$patience" "slow: the snapshot" snapshot_exists store/slow
	printf '!' >&7
	exec 7>&-
	wait "$pid" || fail "slow: exit status $?"
	until_true 60 "slow: the image is written" written slow
	nothing_left
	exit 0
fi

# In reverse order of registration before, in order after.
run order1 order
says order1 "before C" "before B" "before A" "after A" "after B" "after C" returned end
run order2 order
says order2 "after A" "after B" "after C" returned end
grep -q "jsnap: restored" order2.err || fail "order: the second run was not restored"

# Everyone is told whatever others threw; a nested context's exceptions are told one by one, after its own words.
run nested nested
says nested "before B" "before N1" "before N2" "before A" "after A" "after N1" "after N2" "after B" \
	"thrown CheckpointException" \
	"suppressed IllegalStateException N1 will not" "suppressed IllegalStateException N2 will not" \
	"suppressed IllegalStateException N1 cannot" "suppressed IllegalStateException N2 cannot" end
run words words
says words "before B" "before N1" "before N2" "before A" "after A" "after N1" "after N2" "after B" \
	"thrown CheckpointException" "suppressed CheckpointException in other words" \
	"suppressed IllegalStateException N1 will not" "suppressed IllegalStateException N2 will not" \
	"suppressed RestoreException in other words" \
	"suppressed IllegalStateException N1 cannot" "suppressed IllegalStateException N2 cannot" end
run before before
says before "before C" "before B" "before A" "after A" "after B" "after C" "thrown CheckpointException" \
	"suppressed IllegalStateException C will not" "suppressed IllegalStateException A will not" \
	"suppressed IllegalStateException C cannot" end
snapshot_exists store/before && fail "a snapshot of a program whose resources refuse"
run after1 after
says after1 "before C" "before B" "before A" "after A" "after B" "after C" "thrown RestoreException" \
	"suppressed IllegalStateException A cannot" "suppressed IllegalStateException C cannot" end
run after2 after
says after2 "after A" "after B" "after C" "thrown RestoreException" \
	"suppressed IllegalStateException A cannot" "suppressed IllegalStateException C cannot" end

# Who comes while the others are told is told next; who comes after the restore is not.
run registration registration
says registration "before C" "before B" "before late" "before A" "after A" "after B" "after C" "after late" returned end

# The context keeps nobody alive.
run weak weak
says weak "before kept" "after kept" returned end

# Nor does it remember those that are gone, however many.
run forgotten forgotten
says forgotten "grown by 0 times 16 MiB" end

# A resource that asks for a snapshot while it is being told.
run again again
says again "before A" "thrown CheckpointException" "suppressed CheckpointException a snapshot is being taken already, by this thread" \
	"after A" returned end

# `jsnap restore` takes no snapshots: whoever asks for one is told, and does not go on as if there were one.
# And he is not warmed, which is said.
timeout 120 "$jsnap" checkpoint --store "$dir/store/twice" --tids $tids --ready api --warmup "exec:touch $dir/warmed" "${program[@]}" twice \
	</dev/null >twice1.out 2>twice1.err || fail "twice: jsnap checkpoint: status $?: $(cat twice1.err)"
says twice1 "before A"
[ ! -e warmed ] || fail "twice: who waits for its snapshot is warmed"
grep -q -- "--warmup is left out" twice1.err || fail "twice: no word of the warm-up: $(cat twice1.err)"
timeout 120 "$jsnap" restore --tids $tids store/twice/*.jsnap </dev/null >twice2.out 2>twice2.err ||
	fail "twice: jsnap restore: status $?: $(cat twice2.err)"
says twice2 "after A" returned "before A" "after A" "thrown CheckpointException" \
	'suppressed CheckpointException the program was brought back by `jsnap restore`, which takes no snapshots; `jsnap run` does' \
	end

# One that hangs is interrupted when its time is up, and named with its stack.
run hang hang
says hang "before B" "before H" "before A" "after A" "after H" "after B" "thrown CheckpointException" \
	"suppressed InterruptedException sleep interrupted" end
grep -q 'beforeCheckpoint of CracMain$Hanging has not returned within 2.0 s' hang.err || fail "hang: nobody was named"
grep -q 'CracMain$Hanging.beforeCheckpoint(CracMain.java' hang.err || fail "hang: no stack"

# One that is late and heeds no interrupt leaves none behind.
run late late
says late "before A" "after A" returned "interrupted false" end
grep -q 'beforeCheckpoint of CracMain.* has not returned within 2.0 s' late.err || fail "late: nobody was named"

# Where no thread is to be had nobody looks after the time, and all are told what comes.
within=(unshare -U --map-current-user)
if "${within[@]}" true 2>/dev/null; then
	"${within[@]}" bash -c 'ulimit -u 200 && exec "$@"' - timeout 120 "$jsnap" run --store "$dir/store/crowded" --tids $tids --ready api \
		--hook-timeout 60s -XX:+UseSerialGC "${program[@]}" crowded </dev/null >crowded.out 2>crowded.err || fail "crowded: status $?"
	grep -v "^OpenJDK\|^\[" crowded.out >lines || true
	mv lines crowded.out
	says crowded "before A" crowded "after A" returned end
else
	say "left out, no user namespaces: no thread to be had"
fi

# A snapshot that jsnap itself takes tells them too; one that hears no interrupt costs the snapshot alone.
held() { # NAME MODE OPTION...: in the background, its standard input held open at descriptor 7
	local name=$1 mode=$2
	shift 2
	mkfifo "$name.in"
	port=$(free_port)
	"$jsnap" run --store "$dir/store/$mode" --tids $tids --hook-timeout 2s "${@//PORT/$port}" "${program[@]}" "$mode" "$port" \
		<"$name.in" >"$name.out" 2>"$name.err" &
	pid=$!
	exec 7>"$name.in"
}
said_out() { grep -q "$2" "$1.out"; }
end_held() { # NAME
	printf '!' >&7
	exec 7>&-
	status=0
	wait "$pid" || status=$?
	expect "$1: the exit status" $status 0
}
held outside outside
until_true "$patience" "outside: the resources are told" said_out outside "after B"
until_true "$patience" "outside: the snapshot" snapshot_exists store/outside
end_held outside
says outside "before B" "before A" "after A" "after B" end

# Hooks come before the first of them is told, and after the last.
held careful careful --before-checkpoint "exec:cp careful.out hook.before" --after-restore "exec:cp careful.out hook.after"
until_true "$patience" "careful: the hooks" test -e hook.after
until_true "$patience" "careful: the snapshot" snapshot_exists store/careful
end_held careful
says careful "before B" "before A" "after A" "after B" end
[ ! -s hook.before ] || fail "careful: resources before the hook: $(cat hook.before)"
head -n 4 wanted | cmp - hook.after || fail "careful: by the hook's time only: $(cat hook.after)"

# One whose exception cannot even be asked what it says.
held mute mute
until_true "$patience" "mute: there is no snapshot" grep -q "jsnap: no snapshot: .*Mute, which does not tell its words" mute.err
until_true "$patience" "mute: the resources are told" said_out mute "after B"
end_held mute
says mute "before B" "before M" "before A" "after A" "after M" "after B" end

# Who has been told may have closed what requests need: nobody asks any more.
held asked asked --warmup "http://127.0.0.1:PORT/" --warmup-requests 30
until_true "$patience" "asked: the resources are told" said_out asked "after"
until_true "$patience" "asked: the snapshot" snapshot_exists store/asked
end_held asked
says asked "before 30" "after 30" end

# Who asks in the midst of the warm-up, with his server closed, has his snapshot then.
held midway midway --ready tcp:PORT --warmup "http://127.0.0.1:PORT/" --warmup-requests 100000000 --warmup-time 10m
until_true "$patience" "midway: the snapshot" snapshot_exists store/midway
until_true "$patience" "midway: the answer" said_out midway returned
! grep "jsnap: no snapshot: " midway.err || fail "midway: the warm-up is said to have failed"
end_held midway
says midway before after returned end

held deaf deaf
until_true "$patience" "deaf: there is no snapshot" grep -q "jsnap: no snapshot: .*Hanging has not returned within" deaf.err
ended "$pid" && fail "deaf: the application is gone"
printf '!' >&7
until_true 30 "deaf: it goes on" said_out deaf "after B"
end_held deaf
says deaf up "before B" "before D" "let go D" "before A" "after A" "after D" "after B" end
snapshot_exists store/deaf && fail "deaf: a snapshot"
nothing_left
