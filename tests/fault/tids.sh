#!/bin/bash
# Ways to the original TIDs that are open only in part: no time namespaces, a clock that is behind, no room in
# the budget, a number that only turns out to be taken when it is its turn. Each is given up by name, and the
# next one is tried. In PID namespaces of one's own, as in containers, and with no capability but where one
# is needed.
#
# tids.sh
. "${JSNAP_TEST_WORK:?set it to what tests/jvm/setup.sh BUILD_DIR prints}/scripts/lib.sh"
. "${JSNAP_TEST_WORK:?set it to what tests/jvm/setup.sh BUILD_DIR prints}/scripts/program_lib.sh"

command -v python3 >/dev/null || skip "no python3"
use_mode userns

# young root|capable|nobody [OPTION...] COMMAND...: in a PID namespace of its own, with every right in there, as
# root or as the user of the image, or with none.
young() {
	local ids=(--map-user=1000 --map-group=1000)
	case $1 in
	root) ids=(--map-root-user) ;;
	capable) ids+=(--keep-caps) ;;
	esac
	shift
	unshare "${ids[@]}" --pid --mount-proc --fork --kill-child "$@"
}

# take NAME OPTION...: an image from there; its first PID is above what the places below use up by themselves.
cat >take.sh <<'END'
for ((i = 0; i < 200; i++)); do /bin/true; done
"$1" "$PWD/v" &
until [ -e v/ready ]; do kill -0 $! && sleep 0.02 || exit 1; done
exec "$2" dump --pid $! --image "$3"
END
take() {
	local image=images/$1.jsnap
	shift
	rm -f v/*
	young nobody "$@" bash take.sh "$JSNAP_TEST_WORK/scripts/victim_$victim" "$jsnap" "$image" || fail "jsnap dump"
}
take x
mapfile -t tids < <("$jsnap" inspect --json images/x.jsnap | python3 -c '
import json, sys
for thread in json.load(sys.stdin)["threads"]:
	print(thread["tid"])')
[ "${#tids[@]}" -gt 2 ] || fail "the snapshot has ${#tids[@]} threads"

# filtered NAME COMMAND...: under a seccomp filter (seccomp(2)). no-time-ns: unshare with CLONE_NEWTIME is EINVAL,
# as for a kernel without it; no-clone3: clone3 is ENOSYS, as by Docker's default filter; no-sleep: who waits with
# nanosleep or clock_nanosleep is killed; kill-unshare: who calls unshare.
cat >filtered.py <<'END'
import ctypes, os, struct, sys
load_nr, load_flags = (0x20, 0, 0, 0), (0x20, 0, 0, 16)
def errno(number): return (0x06, 0, 0, 0x50000 | number)
allow = (0x06, 0, 0, 0x7fff0000)
filters = {
	"no-time-ns": [load_nr, (0x15, 0, 3, 272), load_flags, (0x45, 0, 1, 0x80), errno(22), allow],
	"no-clone3": [load_nr, (0x15, 0, 1, 435), errno(38), allow],
	"kill-unshare": [load_nr, (0x15, 0, 1, 272), (0x06, 0, 0, 0x80000000), allow],
	"no-sleep": [load_nr, (0x15, 1, 0, 35), (0x15, 0, 1, 230), (0x06, 0, 0, 0x80000000), allow],
}
code = filters[sys.argv[1]]
text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(text)))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
	sys.exit("prctl: %s" % os.strerror(ctypes.get_errno()))
os.execv(sys.argv[2], sys.argv[2:])
END

# restored NAME WAY COMMAND...: the program is back in its place by that way, answers, and is ended.
restored() {
	local name=$1 way=$2
	shift 2
	start "$name" "$@"
	said "$name" "jsnap: restored .*(tids: $way)" "$name"
	program_answers
	end_processes
	wait "$pid" || true
	until_true 10 "$name: all is gone" no_program
	say "$name: $(grep 'jsnap: restored' "$name.err")"
}

# refused NAME WORDS COMMAND...: with 125, in these words, and nothing is left.
refused() {
	local name=$1 words=$2 status=0
	shift 2
	start "$name" "$@"
	until_true 60 "$name ends" ended "$pid"
	wait "$pid" || status=$?
	expect "the exit status of $name" $status 125
	grep -q "$words" "$name.err" || fail "$name does not say '$words': $(cat "$name.err")"
	until_true 10 "$name: no process is left" no_program
	say "$name: $(head -c 300 "$name.err")"
}
restore=("$jsnap" restore --log-level debug images/x.jsnap)

restored plain userns young nobody "${restore[@]}"
restored no-time-namespace walk young nobody python3 filtered.py no-time-ns "${restore[@]}"
grep -q "userns does not work here: .*no time namespaces" no-time-namespace.err || fail "no word of time namespaces"
grep -q "the walk takes [1-9][0-9]* numbers, about [0-9.]* ms" no-time-namespace.err || fail "the price of the walk is not said"


# doctor comes to the same conclusions.
doctor() { # WHAT PYTHON-EXPRESSION COMMAND...: of what it says as JSON (d)
	local what=$1 expression=$2
	shift 2
	"$@" doctor --json >doctor.out 2>doctor.err || true
	python3 -c 'import json, sys; d = json.load(open("doctor.out")); sys.exit(not ('"$expression"'))' || fail "doctor $what: $(cat doctor.out)"
}
doctor "without time namespaces" 'd["tids"] == "walk" and "time namespaces" in d["probes"]["userns"]["advice"]' \
	young nobody python3 filtered.py no-time-ns "$jsnap"
# Where clone3 alone is hidden, and where a filter answers with a signal: what doctor says is what happens.
doctor "without clone3" 'd["tids"] == "userns"' young nobody python3 filtered.py no-clone3 "$jsnap"
restored no-clone3 userns young nobody python3 filtered.py no-clone3 "${restore[@]}"
doctor "where unshare kills" 'd["tids"] == "walk" and not d["probes"]["userns"]["works"]' \
	young nobody python3 filtered.py kill-unshare "$jsnap"
restored kill-unshare walk young nobody python3 filtered.py kill-unshare "${restore[@]}"
# (A sanitized jsnap looks for leaks by a process of its own.)
ASAN_OPTIONS=detect_leaks=0 refused no-process "clone a helper: .*raise the limit: ulimit -u" \
	young nobody prlimit --nproc=1 "${restore[@]}" --tids userns
doctor "with a capability that does not count" '"packaging/selinux" in d["probes"]["clone3"]["advice"]' \
	unshare --map-root-user "$jsnap"
doctor "as root without capabilities" '"another user than root" in d["probes"]["userns"]["advice"]' \
	young root setpriv --bounding-set=-all --inh-caps=-all "$jsnap"
doctor "in an old PID namespace" 'not d["probes"]["walk"]["works"] and "--walk-budget" in d["probes"]["walk"]["advice"]' \
	young root bash -c 'echo 5000 >/proc/sys/kernel/ns_last_pid; exec "$0" "$@" --walk-budget 1ms' "$jsnap"

# A machine that was never suspended is behind one that was, in this clock alone.
take later --time --boottime 36000
for way in walk clone3 ns-last-pid; do
	refused boottime-$way "CLOCK_BOOTTIME would go backwards by 3[56][0-9]* s" \
		young capable "$jsnap" restore --tids $way images/later.jsnap
done
restored boottime-userns userns young nobody "$jsnap" restore images/later.jsnap

# In the user namespace too there is nothing but the walk where clone3 is denied and /proc/sys is read-only.
read_only='mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys &&
	exec unshare --map-user=1000 --map-group=1000 "$@"'
inside=(young root bash -c "$read_only" bash python3 filtered.py no-clone3 "${restore[@]}" --tids userns)
restored inside userns "${inside[@]}" --metrics "$dir/inside.metrics"
grep -q "the walk takes [1-9][0-9]* numbers, about [0-9.]* ms" inside.err || fail "the price of the walk inside is not said"
grep -q '^jsnap_walk_numbers{.*} [1-9]' inside.metrics || fail "the walk inside is not in the metrics: $(cat inside.metrics)"
refused inside-budget "walking there takes [0-9]* numbers" "${inside[@]}" --walk-budget 1ms

# A number that is only a process group's or only a session's is nobody's PID, and yet not to be had.
cat >holder.py <<'END'
import ctypes, os, subprocess, sys, threading, time
kind, wanted = sys.argv[1], int(sys.argv[2])
def created(): # threads and processes since the machine started
	return int([line for line in open("/proc/stat") if line.startswith("processes")][0].split()[1])
end, held = os.pipe()
ready, told = os.pipe()
def go_on_after(number):
	with open("/proc/sys/kernel/ns_last_pid", "w") as last:
		last.write(str(number))
go_on_after(wanted - 1)
leader = os.fork()
if leader == 0:
	if kind == "leaderless":
		threading.Thread(target=os.read, args=(end, 1)).start()
		os.close(held)
		os.write(told, b"x")
		ctypes.CDLL(None).syscall(60, 0) # exit(2), of this thread
	os.setsid() if kind == "session" else os.setpgid(0, 0)
	go_on_after(5000)
	if os.fork() == 0:
		if kind == "session":
			os.setpgid(0, 0)
		os.close(held)
		os.write(told, b"x")
		os.read(end, 1)
	os._exit(0)
if leader != wanted:
	sys.exit("got %d, not %d" % (leader, wanted))
if kind != "leaderless":
	os.waitpid(leader, 0)
os.close(end)
os.read(ready, 1)
while kind == "leaderless" and ") Z" not in open("/proc/%d/stat" % leader).read():
	time.sleep(0.01)
before = created()
status = subprocess.run(sys.argv[3:]).returncode
print("created", created() - before)
sys.exit(status)
END
number=${tids[${#tids[@]} / 2]}
# Nor will a process come to its end whose first thread alone has ended. No time is lost on either.
at_once=(python3 filtered.py no-sleep "${restore[@]}")
refused group "PID $number is taken as the process group of process [0-9]* (python3)" \
	young capable python3 holder.py group "$number" "${at_once[@]}" --tids ns-last-pid
refused leaderless "PID $number is taken by process $number (python3)$" \
	young capable python3 holder.py leaderless "$number" "${at_once[@]}" --tids ns-last-pid
refused session-leader "PID ${tids[0]} is taken as the session of process [0-9]* (python3)" \
	young capable python3 holder.py session "${tids[0]}" "${at_once[@]}" --tids clone3
refused session "PID $number is taken as the session of process [0-9]* (python3)" \
	young capable python3 holder.py session "$number" "${restore[@]}" --tids ns-last-pid
# All that the machine did meanwhile; trying on and on would be 262,144.
[ "$(sed -n 's/^created //p' session.out)" -lt 200000 ] || fail "$(cat session.out): the number is tried for too often"

# Somebody else is quicker, for the first process and for each thread, three times, and has the number for a
# moment: it is asked for again, and what was got instead may be the next one's. Whoever clones is held
# (seccomp_unotify(2)) until the number has gone.
cat >quicker.py <<'END'
import ctypes, fcntl, os, select, socket, struct, sys, time
wanted = {int(tid): 3 for tid in sys.argv[1].split()}
ours, theirs = socket.socketpair()
program = os.fork()
if program == 0:
	code = [(0x20, 0, 0, 0), (0x15, 0, 1, 56), (0x06, 0, 0, 0x7fc00000), (0x06, 0, 0, 0x7fff0000)] # clone(2)
	text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
	filter = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(text)))
	libc = ctypes.CDLL(None, use_errno=True)
	if libc.prctl(38, 1, 0, 0, 0):
		sys.exit("prctl: %s" % os.strerror(ctypes.get_errno()))
	listener = libc.syscall(317, 1, 8, filter)
	if listener < 0:
		sys.exit("seccomp: %s" % os.strerror(ctypes.get_errno()))
	socket.send_fds(theirs, [b"x"], [listener])
	os.close(listener)
	os.execv(sys.argv[2], sys.argv[2:])
listener = socket.recv_fds(ours, 1, 1)[1][0]
poll = select.poll()
poll.register(listener, select.POLLIN)
while True:
	for fd, events in poll.poll(1):
		if not events & select.POLLIN:
			sys.exit(0)
		call = fcntl.ioctl(listener, 0xc0502100, bytes(80))
		number = int(open("/proc/sys/kernel/ns_last_pid").read()) + 1
		if wanted.get(number, 0) > 0:
			got = os.fork()
			if got == 0:
				time.sleep(0.003)
				os._exit(0)
			wanted[got] = wanted.get(got, 0) - 1
			print("had", got, file=sys.stderr, flush=True)
		fcntl.ioctl(listener, 0xc0182101, call[:8] + struct.pack("qiI", 0, 0, 1))
	try:
		while os.waitpid(-1, os.WNOHANG)[0]:
			pass
	except ChildProcessError:
		pass
END
restored quicker ns-last-pid young capable python3 quicker.py "${tids[*]}" "${restore[@]}" --tids ns-last-pid
for tid in "${tids[@]}"; do
	[ "$(grep -cx "had $tid" quicker.err)" -ge 3 ] || fail "nobody else had number $tid three times"
done
nothing_left
