#!/bin/bash
# An image comes from where images are kept, by HTTP and through a pipe, into `jsnap restore -`; it is
# restored without ever being a file here. A transfer that breaks off is refused and leaves nothing.
#
# stream.sh JDK cap|userns
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

command -v python3 >/dev/null || skip "no python3 for an HTTP server"
use_jdk "$1"
use_mode "$2"
app_use tiny
mkdir served
"$jsnap" checkpoint --image "$dir/served/app.jsnap" --tids $tids "${warmup[@]}" "${java_args[@]}" \
	</dev/null >checkpoint.out 2>checkpoint.err || fail "jsnap checkpoint exited with $?"
from=$(free_port)
start server python3 -m http.server --bind 127.0.0.1 --directory served "$from"
server=$pid
serves() { curl -sf --max-time 5 -o /dev/null "http://127.0.0.1:$from/"; }
until_true 30 "the HTTP server serves" serves

# A client that disconnects, a proxy that gives up: the image ends early.
size=$(stat -c %s served/app.jsnap)
for part in 0 100 $((size / 2)) $((size - 1)); do
	status=0
	curl -s "http://127.0.0.1:$from/app.jsnap" | head -c "$part" | "$jsnap" restore --tids $tids - >cut.out 2>cut.err || status=$?
	expect "the exit status after $part of $size bytes" $status 125
	grep -q 'standard input' cut.err || fail "after $part bytes: $(cat cut.err)"
done
until_true 10 "no program runs after a refusal" no_process
# shellcheck disable=SC2016
start_timed piped "$port" "$path" bash -c 'exec "$0" restore --tids "$1" - < <(curl -sf "$2")' \
	"$jsnap" $tids "http://127.0.0.1:$from/app.jsnap"
said piped "jsnap: restored .*(tids: $tids)" "the restore from a pipe"
say "restored through HTTP and a pipe: $ttfr_ms ms for $size bytes"
app_check 100
stop "$pid" TERM
expect "the exit status after SIGTERM" $status 143
[ -z "$(find . -name '*.jsnap' -not -path './served/*')" ] || fail "the image was kept"
stop "$server" TERM
nothing_left
