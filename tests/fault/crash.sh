#!/bin/bash
# A snapshot that can't be finished, refreshed or trusted, with a JVM: the program serves in any case, and
# the run after that is right again.
#
# crash.sh JDK
. "${JSNAP_TEST_WORK:?set it to what tests/jvm/setup.sh BUILD_DIR prints}/scripts/lib.sh"
. "${JSNAP_TEST_WORK:?set it to what tests/jvm/setup.sh BUILD_DIR prints}/scripts/apps.sh"

use_jdk "$1"
use_mode userns
app_use tiny
command=("$jsnap" run --store "$dir/store" --tids $tids "${warmup[@]}" -Xmx64m -XX:+UseSerialGC "${java_args[@]}")

serve() { # NAME FAULT
	rm -f "$1.err"
	start_timed "$1" "$port" "$path" env JSNAP_FAULT="$2" "${command[@]}"
}

serve writer writer
until_true "$patience" "a writer that was killed" grep -q "no snapshot: the process that wrote the image was killed" writer.err
get "$path" >/dev/null || fail "the program does not serve after its writer was killed"
stop "$pid" TERM
! snapshot_exists || fail "a writer that was killed left a snapshot"

# A file may be no longer than 256 KiB here (SIGXFSZ, setrlimit(2)).
rm -f limited.err
start_timed limited "$port" "$path" bash -c 'ulimit -f 256 && exec "$@"' limited "${command[@]}"
until_true "$patience" "an image too long for ulimit -f" grep -q "no snapshot: .*File too large" limited.err
get "$path" >/dev/null || fail "the program does not serve after its image was too long"
stop "$pid" TERM
! snapshot_exists || fail "an image that was too long left a snapshot"
[ -z "$(find store -name '*.tmp')" ] || fail "an image that was too long left $(find store -name '*.tmp')"

serve hot hot-commit
until_true "$patience" "a hot copy that failed" grep -q "the fault 'hot-commit'" hot.err
get "$path" >/dev/null || fail "the program does not serve after its hot copy failed"
stop "$pid" TERM
grep -q "snapshot tiny .* taken" hot.err && ! grep -q "jsnap: no snapshot" hot.err || fail "a snapshot without hot copy is not told of: $(cat hot.err)"
snapshot_exists || fail "a hot copy that failed cost the snapshot"
[ -z "$(find store -name '*.hot')" ] || fail "half a hot copy is left"
[ -z "$(find store -name '*.tmp')" ] || fail "a hot copy that failed left $(find store -name '*.tmp')"

serve first ""
until_true "$patience" "the snapshot" snapshot_exists
until_true "$patience" "restored or taken" grep -Eq "restored|taken" first.err
stop "$pid" TERM
serve refresh refresh
said refresh "cold start: the snapshot could not be restored: .*the fault 'refresh'" "a refresh that failed"
until_true "$patience" "a new snapshot" grep -q "snapshot tiny .* taken" refresh.err
stop "$pid" TERM

# The restored program crashes at once: its snapshot is not used again.
image=$(find store -name '*.jsnap')
rm -f bad.err
status=0
JSNAP_FAULT=probation "${command[@]}" </dev/null >bad.out 2>bad.err || status=$?
expect "the exit status of a JVM that crashed" $status 134
grep -q "jsnap: restored" bad.err || fail "not restored: $(cat bad.err)"
grep -q "SIGABRT.*marked bad, and the next start is cold" bad.err || fail "not marked: $(cat bad.err)"
rm -f hs_err* core*
status=0
"$jsnap" verify "$image" >v.out 2>&1 || status=$?
expect "verify of a bad snapshot" $status 1
grep -q "whole, but would not restore here: the snapshot is marked bad: the program crashed (SIGABRT)" v.out || fail "$(cat v.out)"
status=0
"$jsnap" restore --tids $tids "$image" </dev/null >r.out 2>r.err || status=$?
expect "restore of a bad snapshot" $status 125
grep -q "marked bad.*remove .*\.bad to try it again" r.err || fail "$(cat r.err)"
serve next ""
said next "jsnap: cold start: the snapshot is marked bad: the program crashed (SIGABRT)" "the run after a crash"
until_true "$patience" "a new snapshot" grep -q "snapshot tiny .* taken" next.err
stop "$pid" TERM
stale=store/.${image#store/}.0123456789abcdef.tmp
head -c 1000 "$image" >"$stale"
serve after ""
said after "jsnap: restored" "the run after that"
until_true 5 "what a killed writer left goes with a restore" test ! -e "$stale"
stop "$pid" TERM
# An end in time of another kind is no crash.
"$jsnap" verify "$image" >v.out 2>&1 || fail "the new snapshot: $(cat v.out)"
"$jsnap" prune --store "$dir/store" --all >/dev/null
[ -z "$(ls -A store)" ] || fail "prune left $(ls -A store)"
nothing_left
