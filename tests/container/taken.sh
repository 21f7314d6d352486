#!/bin/bash
# Attempts to restore where somebody else has one of the TIDs: each fails by name, and the other process
# is none the worse.
#
# taken.sh [N]
. "$(dirname "$0")/lib.sh"

use_jdk 17
app_use tiny
own $nobody
n=${1:-20}
jsnap=$JSNAP_TEST_WORK/userns/bin/jsnap
(alone "$jsnap" checkpoint --image "$dir/store/tiny.jsnap" "${java_args[@]}" >first.out 2>first.err) || fail "jsnap checkpoint"
HOME=$dir/home setpriv --reuid=$nobody --regid=$nobody --clear-groups "$jsnap" inspect --json "$dir/store/tiny.jsnap" >inspect.json
mapfile -t tids < <(python3 -c '
import json
for thread in json.load(open("inspect.json"))["threads"]:
	print(thread["tid"])')
[ "${#tids[@]}" -gt 5 ] || fail "the snapshot has ${#tids[@]} threads"

# Takes the number, lets jsnap try, and must be as it was.
cat >holder.py <<'END'
import os, subprocess, sys
wanted = int(sys.argv[1])
end, held = os.pipe() # exec closes it
while True:
	pid = os.fork()
	if pid == 0:
		if os.getpid() != wanted:
			os._exit(0)
		os.execlp("sleep", "sleep", "1000")
	if pid == wanted:
		break
	os.waitpid(pid, 0)
	if pid > wanted:
		sys.exit("number %d was passed" % wanted)
os.close(held)
os.read(end, 1)
result = subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
print(result.stderr)
if result.returncode != 125:
	sys.exit("jsnap exited with %d" % result.returncode)
if "is taken by process %d (sleep)" % wanted not in result.stderr:
	sys.exit("the holder of %d is not named" % wanted)
if os.waitpid(wanted, os.WNOHANG) != (0, 0):
	sys.exit("the holder of %d has ended" % wanted)
os.kill(wanted, 15)
if os.waitpid(wanted, 0)[1] != 15:
	sys.exit("the holder of %d did not end by SIGTERM" % wanted)
END
for ((i = 0; i < n; i++)); do
	tid=${tids[i * (${#tids[@]} - 1) / (n > 1 ? n - 1 : 1)]}
	(alone python3 "$dir/holder.py" "$tid" "$jsnap" restore --tids walk "$dir/store/tiny.jsnap" >try.log 2>&1) ||
		fail "attempt $i: $(tail -n 2 try.log)"
done
say "$n attempts: $(tail -n 2 try.log)"
# And run goes on, cold, with the holder's name in its line.
cat >cold.py <<'END'
import os, subprocess, sys
end, held = os.pipe() # exec closes it
while True:
	pid = os.fork()
	if pid == 0:
		os.execlp("sleep", "sleep", "1000") if os.getpid() == 101 else os._exit(0)
	if pid == 101:
		break
	os.waitpid(pid, 0)
os.close(held)
os.read(end, 1)
jsnap = subprocess.Popen(sys.argv[1:], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
line = jsnap.stderr.readline()
jsnap.terminate()
jsnap.wait()
print(line)
sys.exit("cold start" not in line or "is taken by process 101 (sleep)" not in line)
END
[ "${tids[1]}" = 101 ] || fail "the second thread has TID ${tids[1]}"
(alone python3 "$dir/cold.py" "$jsnap" run --image "$dir/store/tiny.jsnap" --tids walk "${java_args[@]}" >cold.log 2>&1) ||
	fail "jsnap run does not start cold by name: $(cat cold.log)"
