#!/bin/bash
# Snapshots on demand: `jsnap checkpoint --pid` of a program that `jsnap run` started cold and of one that it
# restored, by its own PID and by jsnap's; hooks before each snapshot and after it; and who is refused.
#
# demand.sh JDK cap|userns
. "$(dirname "$0")/lib.sh"

use_jdk "$1"
use_mode "$2"
port=$(free_port)
run=("$jsnap" run --store "$dir/store" --tids $tids --before-checkpoint "exec:echo before >>$dir/hooks"
	--before-checkpoint "http://127.0.0.1:$port/hello"
	--after-restore "exec:echo after >>$dir/hooks" -jar "$cache/tiny.jar" "$port")
hooks() { [ "$(tr '\n' ' ' <hooks 2>/dev/null)" = "$1" ]; }
answers() { [ "$(get "$1")" = "$2" ]; }
demand() { # NAME PID
	timeout 120 "$jsnap" checkpoint --pid "$2" >"$1.out" 2>"$1.err" || fail "$1: $(cat "$1.err")"
	grep -q "snapshot of process $2 is in $dir/store/" "$1.err" || fail "$1 says: $(cat "$1.err")"
}
identity() { stat -c '%i %Y' store/*.jsnap; }

start first "${run[@]}"
until_true "$patience" "it answers" answers /hello hello
until_true "$patience" "the first snapshot" snapshot_settled
until_true 20 "hooks around it" hooks "before after "
first=$(identity)

# Of a program that was started cold: by java's PID.
demand cold "$(java_below "$pid")"
until_true 20 "hooks around it" hooks "before after before after "
[ "$(identity)" != "$first" ] || fail "the snapshot is the old one"
for ((i = 0; i < 5; i++)); do get /hello >/dev/null; done
count=$(get /count)
second=$(identity)

# By jsnap's own PID; the newest snapshot is what the next run restores.
demand again "$pid"
[ "$(identity)" != "$second" ] || fail "the snapshot is the old one"
stop "$pid" TERM

start restored "${run[@]}"
until_true "$patience" "it answers" answers /hello hello
said restored "jsnap: restored" "the second run"
[ "$(get /count)" -ge "$count" ] || fail "$(get /count) requests counted: restored from an older snapshot"
until_true 20 "hooks after the restore" hooks "before after before after before after after "

# Of a restored program: the next generation.
count=$(get /count)
demand generation "$(java_below "$pid")"
stop "$pid" TERM
start third "${run[@]}"
until_true "$patience" "it answers" answers /hello hello
said third "jsnap: restored" "the third run"
[ "$(get /count)" -gt "$count" ] || fail "$(get /count) requests counted: restored from an older snapshot"

# The hooks of `jsnap restore`: a command, and a page that does not exist, which is told and no more.
stop "$pid" TERM
rm hooks
start alone "$jsnap" restore --tids $tids --after-restore "exec:echo after >>$dir/hooks" \
	--after-restore "http://127.0.0.1:$port/nowhere" --after-restore "exec:echo never >>$dir/hooks" store/*.jsnap
until_true "$patience" "it answers" answers /hello hello
said alone "jsnap: restored" "jsnap restore"
until_true 20 "hooks after jsnap restore" hooks "after "
said alone "jsnap: --after-restore http://127.0.0.1:$port/nowhere, request 1: it answers with status 404" "a hook that fails"
answers /hello hello || fail "the program does not answer any more"
hooks "after " || fail "hooks after one that failed: $(cat hooks)"

# A hook that fails costs the snapshot, and whoever demanded it is told why; the program stays.
stop "$pid" TERM
start failing "$jsnap" run --store "$dir/other" --tids $tids --no-checkpoint --before-checkpoint "exec:exit 3" \
	-jar "$cache/tiny.jar" "$port"
until_true "$patience" "it answers" answers /hello hello
status=0
"$jsnap" checkpoint --pid "$pid" >failed.out 2>failed.err || status=$?
expect "the exit status with a hook that fails" $status 125
grep -q "no snapshot of process $pid: --before-checkpoint exec:exit 3: it exits with status 3" failed.err ||
	fail "it says: $(cat failed.err)"
snapshot_exists other && fail "a snapshot in spite of the hook"
answers /hello hello || fail "the program does not answer any more"
stop "$pid" TERM

# Threads that went on before the capture, jsnap having been slow: no snapshot of that, and the program stays. (Faults
# are for jsnap without capabilities.)
if [ "$2" = userns ]; then
	JSNAP_FAULT=hold-late=2500 start slow "$jsnap" run --store "$dir/other" --tids $tids --no-checkpoint \
		-jar "$cache/tiny.jar" "$port"
	until_true "$patience" "it answers" answers /hello hello
	status=0
	"$jsnap" checkpoint --pid "$pid" >slow.demand 2>&1 || status=$?
	expect "the exit status when the hold was over" $status 125
	grep -q "it was stopped too late" slow.demand || fail "it says: $(cat slow.demand)"
	snapshot_exists other && fail "a snapshot in spite of that"
	answers /hello hello || fail "the program does not answer any more"
	stop "$pid" TERM

	# A debugger has the right to suspend threads for itself alone: said, and a snapshot all the same.
	start debugged "$jsnap" run --store "$dir/other" --tids $tids --no-checkpoint \
		-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=127.0.0.1:0 -jar "$cache/tiny.jar" "$port"
	until_true "$patience" "it answers" answers /hello hello
	"$jsnap" checkpoint --pid "$pid" >debugged.demand 2>&1 || fail "with a debugger: $(cat debugged.demand)"
	said debugged "does not let jsnap hold the program's threads" "with a debugger"
	stop "$pid" TERM
fi

status=0
"$jsnap" checkpoint --pid $$ >nobody.out 2>nobody.err || status=$?
expect "the exit status for a process that no jsnap supervises" $status 125
grep -q "no jsnap answers for process $$" nobody.err || fail "it says: $(cat nobody.err)"
nothing_left
