#!/bin/bash
# Files that are not jsnap's stay: what --image names and is no image (a text, the application itself), what
# has the names of files beside an image and is none of them, what only looks like a temporary file, and what stands under the name of a file that is kept with its contents,
# until those are there.
#
# spared.sh JDK cap|userns
. "$(dirname "$0")/lib.sh"
. "$JSNAP_TEST_WORK/scripts/program_lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "$1"
use_mode "$2"
cp "$cache/args.jar" app.jar
mkdir files
echo "years of work" >files/precious
echo "mine" | tee files/precious.hot files/precious.pages files/precious.bad files/.precious.my-own.tmp >files/precious.lock
cp app.jar files/app.jar
cp -a files before

spared() { # NAME STATUS WHAT COMMAND...
	local name=$1 wanted=$2 what=$3 status=0
	shift 3
	"$@" </dev/null >spared.out 2>spared.err || status=$?
	expect "$what: the exit status" $status "$wanted"
	grep -q "files/$name exists and is no jsnap image; it is not replaced" spared.err || fail "$what: $(cat spared.err)"
	diff -r files before || fail "$what: a file is another than before"
}

spared precious 3 "run" "$jsnap" run --tids $tids --image files/precious -jar app.jar 3 "two words"
grep -q '^args: 1$' spared.err || fail "run: the program did not run"
# One that is damaged is an image still: its start tells, or its end. It is called so, and replaced.
port=$(free_port)
tiny=(--tids $tids --image damaged -Xmx64m -XX:+UseSerialGC -jar "$cache/tiny.jar" "$port")
"$jsnap" checkpoint "${tiny[@]}" </dev/null >checkpoint.out 2>checkpoint.err || fail "$(cat checkpoint.err)"
for where in start magic end; do
	case $where in
	start) at=0 ;;
	magic) at=12 ;;
	end) at=$(($(stat -c %s damaged) - 1)) ;;
	esac
	printf '#' | dd of=damaged bs=1 seek=$at conv=notrunc status=none
	start $where "$jsnap" run "${tiny[@]}"
	until_true "$patience" "its $where damaged: another image" grep -q "jsnap: snapshot .* taken" $where.err
	grep -q "jsnap: cold start: .*damaged" $where.err || fail "its $where damaged: $(cat $where.err)"
	"$jsnap" verify damaged >verify.out 2>&1 || fail "its $where damaged: $(cat verify.out)"
	stop "$pid" TERM
done
spared app.jar 125 "checkpoint" "$jsnap" checkpoint --tids $tids --image files/app.jar -jar files/app.jar 0
grep -q '^args:' spared.err && fail "checkpoint: the program ran"
program_start
for live in "" --leave-running; do
	spared precious 125 "dump" "$jsnap" dump --pid "$program" --image files/precious $live
	program_answers
done
# A place that was made for it, and names that only begin as those of jsnap's own.
image=$(mktemp -p images)
echo "mine" | tee "images/.${image##*/}.my-own.tmp" >"images/.${image##*/}.jsnap.tmp"
"$jsnap" dump --pid "$program" --image "$image" --leave-running || fail "an empty file is a place for an image"
"$jsnap" dump --pid "$program" --image "$image" || fail "an image is a place for another"
wait "$program" || true
start again "$jsnap" restore --tids $tids "$image"
program_answers
stop "$pid" TERM
expect "files that are not jsnap's" "$(find images -name '.*.tmp' | wc -l)" 2

# An image whose hot copy, working set, mark and lock would have the names of other files.
app_use tiny
mkdir beside
echo "mine" | tee beside/snap.hot beside/snap.pages beside/snap.bad >beside/snap.lock
cp -a beside before-it
serve() { # NAME WORDS...: what jsnap says
	local name=$1
	start_timed "$name" "$port" "$path" "$jsnap" run --tids $tids --image beside/snap "${warmup[@]}" -XX:+UseSerialGC "${java_args[@]}"
	for words in "${@:2}"; do said "$name" "$words" "an image beside other files"; done
	stop "$pid" TERM
}
not_replaced="exists and is no jsnap"
serve taken "snapshot tiny .* taken" "beside/snap.hot $not_replaced hot copy"
serve restored "jsnap: restored" "no hot copy is kept: beside/snap.hot $not_replaced hot copy"
"$jsnap" verify beside/snap >verify.out || fail "verify: $(cat verify.out)"
expect "what verify says" "$(cat verify.out)" "beside/snap: whole, and would restore here"
rm before-it/snap.hot beside/snap.hot
serve copied "jsnap: restored" "no working set is kept: beside/snap.pages $not_replaced working set"
[ -e beside/snap.hot ] || fail "no hot copy was made where there is place for one"
rm beside/snap.hot beside/snap
diff -r beside before-it || fail "a file beside an image is another than before"

# The file that the program had open, as it was; somebody has written another since.
contents() { seq 5000; }
contents >kept
start holder bash -c 'exec 5<>kept 6>>kept; exec sleep 1000'
holds() { [ "$(cat "/proc/$pid/comm")" = sleep ]; }
until_true 10 "the program has its file" holds
"$jsnap" dump --pid "$pid" --fd-policy "file:$dir/kept=keep" --image images/kept.jsnap || fail "jsnap dump"
wait "$pid" || true
restore_kept() {
	start kept "$jsnap" restore --tids $tids images/kept.jsnap
	until_true 10 "the program runs" runs
}
runs_as() {
	local child
	for child in $(children "$pid"); do [ "$(cat "/proc/$child/comm" 2>/dev/null)" != sleep ] || echo "$child"; done
}
runs() { [ -n "$(runs_as)" ]; }
restore_kept
stop "$pid" TERM
echo "newer" >kept
status=0
(ulimit -f 4 && exec "$jsnap" restore --tids $tids images/kept.jsnap) 2>full.err || status=$?
expect "the exit status when the file can't be made" $status 125
grep -q "$dir/kept\|restored file" full.err || fail "it is not said which file: $(cat full.err)"
expect "the newer file" "$(cat kept)" newer
[ -z "$(find . -name '.jsnap-*')" ] || fail "left behind: $(find . -name '.jsnap-*')"
restore_kept
cmp kept <(contents) || fail "the file is not what the program had"
expect "the file of both descriptors" "$(stat -Lc %i "/proc/$(runs_as)/fd/5" "/proc/$(runs_as)/fd/6" kept | sort -u | wc -l)" 1
stop "$pid" TERM
nothing_left
