#!/bin/bash
# What becomes of files and sockets by rule: logs that were rotated, truncated or removed since the
# snapshot go on; a flight recording is no obstacle; a port is opened elsewhere; rules say no, in jsnap's form
# and CRaC's, by name, and the program serves all the same.
#
# files.sh JDK cap|userns
. "$(dirname "$0")/lib.sh"

use_jdk "$1"
use_mode "$2"
port=$(free_port)
path=/hello
options=(--store "$dir/store" --tids $tids --warmup "http://127.0.0.1:$port/hello" --warmup-requests 50)
java_args=(-XX:+UseSerialGC -Xmx64m "-Xlog:gc*:file=$dir/gc.log:uptime" -XX:StartFlightRecording=filename="$dir/end.jfr"
	-jar "$cache/tiny.jar" "$port")

collected() { # the log has something about one more collection
	local before
	before=$(grep -c "Pause Full" gc.log 2>/dev/null || true)
	get /gc >/dev/null
	until_true 10 "a line in the log, $1" log_grew "${before:-0}"
}
log_grew() { [ "$(grep -c "Pause Full" gc.log 2>/dev/null || true)" -gt "$1" ]; }

start_timed first "$port" /hello "$jsnap" run "${options[@]}" "${java_args[@]}"
until_true "$patience" "the snapshot" snapshot_settled
collected "before"
stop "$pid" TERM

for what in grown rotated truncated removed; do
	case $what in
	rotated) mv gc.log gc.log.1 ;;
	truncated) : >gc.log ;;
	removed) rm gc.log ;;
	esac
	rm -f new.jfr
	start_timed $what "$port" /hello "$jsnap" run "${options[@]}" "${java_args[@]}"
	said $what "jsnap: restored" "a log that was $what"
	collected "$what"
	# The recording that ran lost its finished parts with the first JVM; another one can be made.
	for words in "JFR.check" "JFR.start name=new" "JFR.dump name=new filename=$dir/new.jfr"; do
		# shellcheck disable=SC2086
		"$JAVA_HOME/bin/jcmd" "$(java_below "$pid")" $words >>jcmd.out 2>&1 || fail "jcmd $words: $(tail -3 jcmd.out)"
	done
	"$JAVA_HOME/bin/jfr" summary new.jfr >jfr.out || fail "the flight recording is damaged"
	LC_ALL=C grep -qaP '\x00' gc.log && fail "a log that was $what has a hole"
	stop "$pid" TERM
done

# The same program elsewhere.
other=$(free_port)
start_timed moved "$other" /hello "$jsnap" restore --tids $tids --listen "$port=$other" "$(find store -name '*.jsnap')"
(exec 3<>/dev/tcp/127.0.0.1/"$port") 2>/dev/null && fail "it listens on the old port too"
stop "$pid" TERM
status=0
"$jsnap" restore --tids $tids --listen 1=2 "$(find store -name '*.jsnap')" 2>nowhere.err || status=$?
expect "the status of --listen for a port that is not there" $status 125
grep -q "1 .*$port" nowhere.err || fail "--listen does not say which ports there are: $(cat nowhere.err)"

refused() { # WORDS RULE-OPTION...: no snapshot, and its reason
	local words=$1
	shift
	rm -rf store refused.err
	start_timed refused "$port" /hello "$jsnap" run "${options[@]}" "${java_args[@]:0:3}" "$@"
	until_true "$patience" "the reason for no snapshot" grep -q "^jsnap: no snapshot:" refused.err
	grep -q "$words" refused.err || fail "the reason is another: $(cat refused.err)"
	expect "GET /hello" "$(get /hello)" hello
	stop "$pid" TERM
}
rule=(-jar "$cache/tiny.jar" "$port")
opened() { # FRAME: the refusal names it
	grep -q "it was opened at .*$1" refused.err || fail "who opened it is not said: $(cat refused.err)"
}
# From a configuration file, for an application of this name and not for others.
printf '[files]\npolicy = listen=carry\n[files ti*]\npolicy = listen:*:%s=error\n[files other]\npolicy = fd:0=error\n' "$port" >jsnap.ini
options+=(--config "$dir/jsnap.ini")
refused "fd [0-9]* (socket:\[[0-9]*\]) is a listening socket" "${rule[@]}"
unset 'options[-1]' 'options[-1]'
options+=(--fd-policy "listen:*:$port=error")
refused "fd [0-9]* (socket:\[[0-9]*\]) is a listening socket" "${rule[@]}"
opened 'Tiny\.main(Tiny\.java:[0-9]*)'
unset 'options[-1]' 'options[-1]'
printf 'type: FILE\npath: **/gc.log\naction: error\n' >policies.yaml
refused "fd [0-9]* ($dir/gc.log) is a file, and the policy says: error" \
	-Djdk.crac.resource-policies="$dir/policies.yaml" "${rule[@]}"
# A rule for all files is for the program's: the JVM goes on having its classes.
rm -rf store
printf 'type: FILE\naction: close\n' >policies.yaml
for what in cold restored; do
	start_timed $what "$port" /hello "$jsnap" run "${options[@]}" -XX:+UseSerialGC -Xmx64m \
		-Djdk.crac.resource-policies="$dir/policies.yaml" "${rule[@]}"
	[ $what = restored ] || until_true "$patience" "the snapshot" snapshot_settled
	stop "$pid" TERM
done
said restored "jsnap: restored" "a program whose files were all closed by rule"
expect "its exit status" $status 143
printf 'type: FILE\npth: x\naction: error\n' >policies.yaml
status=0
"$jsnap" run "${options[@]}" -Djdk.crac.resource-policies="$dir/policies.yaml" "${rule[@]}" 2>bad.err || status=$?
expect "the status of rules with a mistake" $status 125
grep -q 'policies.yaml:2: there is no property "pth"' bad.err || fail "$(cat bad.err)"
nothing_left
