#!/bin/bash
# seeds.sh N RUNNER JSNAP VICTIM: N new seeds of the victim `mixed`, by turns in each scenario. The
# runner prints what runs a failed one again.
set -u
n=${1:?usage: seeds.sh N RUNNER JSNAP VICTIM} runner=${2:?} jsnap=${3:?} victim=${4:?}
scenarios=("userns --generations 3" "cap --live 2" "userns --left 2" "cap --generations 1" "walk --generations 1")
skipped=0
for ((i = 0; i < n; i++)); do
	read -ra scenario <<<"${scenarios[i % ${#scenarios[@]}]}"
	status=0
	"$runner" --jsnap "$jsnap" --mode "${scenario[@]}" -- "$victim" $((RANDOM * 32768 + RANDOM)) >/dev/null || status=$?
	case $status in
	0) ;;
	77) skipped=$((skipped + 1)) ;;
	*) exit 1 ;;
	esac
done
echo "$n seeds, $skipped of them not tried"
[ "$skipped" -lt "$n" ] || exit 77
