#!/bin/bash
# Several runs of the same program at once: each serves or says why not, as under java; they leave one
# snapshot, whole, and it restores.
#
# twins.sh JDK cap|userns [N]
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "$1"
use_mode "$2"
app_use tiny
n=${3:-4}
command=("$jsnap" run --store "$dir/store" "${warmup[@]}" -XX:+UseSerialGC "${java_args[@]}")

serves() { [ "$(get /hello)" = hello ]; }

one_is_left() {
	local i left=0
	for i in "${pids[@]}"; do
		ended "$i" || left=$((left + 1))
	done
	[ $left -le 1 ]
}

# All want the same port, and one gets it; the others end as java ends there, with status 1.
together() { # NAME
	local i running=0
	pids=()
	for ((i = 0; i < n; i++)); do
		start "$1$i" "${command[@]}"
		pids+=("$pid")
	done
	until_true "$patience" "one of $n serves" serves
	until_true "$patience" "the others end" one_is_left
	for ((i = 0; i < n; i++)); do
		if ended "${pids[i]}"; then
			status=0
			wait "${pids[i]}" || status=$?
			expect "the exit status of one that found the port taken" $status 1
			grep -q "BindException\|Address already in use" "$1$i.err" || fail "$1$i.err does not say why it ended"
		else
			running=$((running + 1))
			winner=${pids[i]}
		fi
		expect "times that $1$i says how it started" "$(grep -c '^jsnap: cold start:\|^jsnap: restored' "$1$i.err")" 1
	done
	expect "programs that go on" $running 1
}

for round in cold restored; do
	together $round
	until_true "$patience" "the snapshot" snapshot_settled
	expect "snapshots" "$(find store -name '*.jsnap' | wc -l)" 1
	"$jsnap" verify --store "$dir/store" >verify.out 2>verify.err || fail "jsnap verify after round $round: $(cat verify.err)"
	stop "$winner" TERM
	expect "the exit status after SIGTERM" $status 143
done
start_timed last "$port" "$path" "${command[@]}"
said last "jsnap: restored" "the run after them"
app_check 100
stop "$pid" TERM
nothing_left
