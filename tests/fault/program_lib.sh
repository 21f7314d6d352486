# A program without a JVM to dump and restore, and to ask whether it lives; sourced after lib.sh. It is
# the victim `threads` of tests/victims, or the one that $victim names; their protocol is files.
victim=${victim:-threads}
mkdir -p v images

program_start() {
	rm -f v/*
	start program "$JSNAP_TEST_WORK/scripts/victim_$victim" "$dir/v"
	program=$pid
	until_true 20 "the program is ready" test -e v/ready
}

program_answers() {
	: >v/ping
	until_true 20 "the program answers" test ! -e v/ping
}

no_program() {
	local pid
	for pid in $(our_processes); do
		case $(cat "/proc/$pid/comm" 2>/dev/null) in
		bash | "") ;;
		*) [ "$(process_state "$pid")" = Z ] || return 1 ;;
		esac
	done
}
