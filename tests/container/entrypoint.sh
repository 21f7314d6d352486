#!/bin/bash
# jsnap behind a container's own start script, under Docker's default filter and without any privilege:
# what the script starts uses numbers up, and below --first-tid is room for it. Where there is not enough,
# the program starts cold and says so, and its next snapshot lies higher.
. "$(dirname "$0")/lib.sh"

use_jdk 17
app_use tiny
own 1000
options docker nocap 1000 nnp
jsnap=$JSNAP_TEST_WORK/userns/bin/jsnap
cat >start.sh <<'END'
#!/bin/bash
for ((i = 0; i < $1; i++)); do /bin/true; done
shift
exec "$@"
END
chmod 755 start.sh
words=(--store "$dir/store" -XX:+UseSerialGC "${java_args[@]}")

# serve NAME HELPERS WORDS: a container whose script starts that many programs first
serve() {
	run "$1" -- "$dir/start.sh" "$2" "$jsnap" run "${words[@]}"
	await "$1" "$path"
	until_true 10 "$1.err says '$3'" grep -q "$3" "$1.err"
}

finish_container() { # NAME
	pm kill -s TERM "$1-$$" >/dev/null
	until_true 60 "container $1 ends" ended "$pid"
}

settled() { [ -n "$(find store -name '*.jsnap')" ] && [ -z "$(find store -name '*tmp*')" ] && grep -q "snapshot .* taken" "$1.err"; }

serve first 5 "jsnap: cold start: there is no snapshot"
until_true "$patience" "the snapshot" settled first
finish_container first
serve second 60 "jsnap: restored .*(tids: walk)"
expect "the first process" "$(inner_tids "$(java_of "$inner")" | head -n 1)" 100
# Orphans that fall to jsnap, as PID 1, are reaped: here it is, for the script exec'ed it.
pm exec "second-$$" bash -c 'sleep 0.1 & disown; exit 0' || fail "podman exec"
no_zombie() { ! ps -o stat= --ppid "$inner" | grep -q '^Z'; }
until_true 10 "orphans are reaped" no_zombie
finish_container second
serve third 250 "jsnap: cold start: .*the PID counter, at [0-9]*, is past the snapshot's PID 100"
until_true "$patience" "the next snapshot" settled third
finish_container third
serve fourth 250 "jsnap: restored .*(tids: walk)"
say "behind 250 other programs: $(grep -o 'restored .*' fourth.err), first TID $(inner_tids "$(java_of "$inner")" | head -n 1)"
finish_container fourth
