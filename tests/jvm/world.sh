#!/bin/bash
# What a restored program sees of its world: random numbers that no other restore has, this start's
# environment, properties, arguments, host name and time zone, a process that knows itself, and no burst of
# periodic tasks.
#
# world.sh JDK cap|userns
. "$(dirname "$0")/lib.sh"

jdk=$1
use_jdk "$jdk"
use_mode "$2"
port=$(free_port)
second=$(free_port)
asleep=4 # seconds between snapshot and restore, at least
once=9	  # seconds from shortly before the snapshot until tasks are due that run once

image=$dir/store/world.jsnap
folder=$dir # where it is restored
mkdir elsewhere

# in_place HOST ADDRESS COMMAND...: where the machine is called HOST and some.name.test has that address. A file
# capability counts for nothing in another user namespace, so cap stays where it is.
place=(bash -c 'mount --bind "$1.hosts" /etc/hosts && hostname "$1" && shift && exec setpriv --ambient-caps=-all "$@"' -)
in_place() {
	local host=$1
	printf '127.0.0.1 localhost\n127.0.0.1 %s\n%s some.name.test\n' "$host" "$2" >"$host.hosts"
	shift 2
	if [ "$tids" = userns ]; then
		exec unshare -U --map-current-user --keep-caps --uts --mount "${place[@]}" "$host" "$@"
	fi
	exec "$@"
}

# What the program knows right before the snapshot: both counters of ticks, and when that is; names.
cat >before.sh <<END
date +%s%6N >$dir/asked
curl -sf http://127.0.0.1:$port/arm?${once}000 >$dir/armed
curl -sf http://127.0.0.1:$port/poise >$dir/poised
curl -sf http://127.0.0.1:$port/ticks >$dir/ticks
for what in /host '/lookup?some.name.test' /processors; do curl -sf "http://127.0.0.1:$port\$what"; echo; done >$dir/known
END
start checkpoint in_place first-host 127.0.0.11 "$jsnap" checkpoint --image "$image" --tids $tids --ready "tcp:$port" \
	--before-checkpoint "exec:sh $dir/before.sh" --add-opens=java.base/java.util=ALL-UNNAMED \
	--add-opens=java.base/sun.security.provider=ALL-UNNAMED --add-opens=java.base/java.security=ALL-UNNAMED -jar "$cache/world.jar" "$port"
wait "$pid" || fail "jsnap checkpoint exited with $?"
taken_us=${EPOCHREALTIME/[.,]/}
taken=$EPOCHSECONDS
expect "ready for the snapshot" "$(cat poised)" poised
awake_us=$((taken_us - $(cat asked))) # at most, between that and the snapshot
read -r scheduled_before timed_before <<<"$(cat ticks)"
[ "$tids" != userns ] || expect "names before the snapshot" "$(head -2 known | tr '\n' ' ')" "first-host 127.0.0.11 "
expect "processors before the snapshot" "$(tail -1 known)" "$(nproc)"

restore() { # NAME PORT OPTION...: in the background
	local name=$1 to=$2
	shift 2
	start "$name" env -C "$folder" FRESH="$name" TZ=Asia/Tokyo "$jsnap" restore --image "$image" --tids $tids \
		--listen "$port=$to" --set-property "who=$name" "$@"
	until_true "$patience" "$name answers" up "$to"
}
up() { curl -sf --max-time 5 "http://127.0.0.1:$1/up" >/dev/null; }
ask() { curl -sf --max-time 60 "http://127.0.0.1:$1$2"; }
# Every source's values into NAME.SOURCE. A pinned virtual thread draws all the time: what it has drawn since.
seen() { [ -n "$(ask "$1" /first)" ]; }
draw() { # NAME PORT
	local source
	until_true "$patience" "$1's first thread is through" seen "$2" # it counts a DRBG on
	ask "$2" /draw >drawn
	for source in $(cat sources); do
		ask "$2" "/random?$source" >"$1.$source"
		expect "values of $source" "$(wc -l <"$1.$source")" 1000
	done
	ask "$2" "/pinned?$((taken_us / 1000))" >"$1.pinned"
	[ "$jdk" = 17 ] || [ -s "$1.pinned" ] || fail "a pinned virtual thread has drawn nothing"
}
# Threads have their seeds from one counter: what one source had first another may have then.
shared() { # A B: how many values of A's that B has, from any source, of each that has such
	local source count
	sort -u $(sed "s/^/$2./" sources) "$2.pinned" >"$2.all"
	for source in $(cat sources) pinned; do
		count=$(comm -12 <(sort -u "$1.$source") "$2.all" | wc -l)
		[ "$count" = 0 ] || echo "$source:$count"
	done
}

# Two restores: side by side where each has a namespace of its own, else one after the other.
restore one "$port"
one=$pid
ask "$port" /sources >sources
folder=$dir/elsewhere
if [ "$2" = cap ]; then
	draw one "$port"
	stop "$one" TERM
	restore two "$second"
	draw two "$second"
else
	restore two "$second"
	draw one "$port"
	draw two "$second"
fi
folder=$dir
overlap=$(shared one two)
[ -z "$overlap" ] || fail "two restores share random numbers: $overlap"
say "$(wc -w <sources) sources, 1000 values each: nothing shared"
[ "$2" = cap ] || stop "$one" TERM

# The world, as the second sees it, what it ran first included.
until_true "$patience" "what it saw at once" seen "$second"
folders="$dir/elsewhere $dir/elsewhere $dir/elsewhere"
expect "seen at once" "$(ask "$second" /first)" "two two Asia/Tokyo $folders true none"
expect "the environment" "$(ask "$second" '/env?FRESH')" two
expect "a property" "$(ask "$second" '/property?who')" two
expect "the working folder" "$(ask "$second" /folders)" "$folders"
expect "the time zone" "$(ask "$second" /zone)" "Asia/Tokyo Asia/Tokyo Thu Jan 01 09:00:00 JST 1970"
expect "alive, itself, the bean's PID, just started" "$(ask "$second" /process)" "true true true true"
restored=$(ask "$second" /restored)
expect "the bean's time of restore" "$(ask "$second" '/bean?RestoreTime')" "$restored"
[ "$((restored / 1000))" -ge "$taken" ] || fail "it says it was restored at $restored, before the snapshot"
[ "$(ask "$second" '/bean?UptimeSinceRestore')" -lt 600000 ] || fail "an uptime since the restore of more than ten minutes"
stop "$pid" TERM

# Another machine, by its name, its name service and its processors.
processor=$(taskset -cp $$ | sed 's/.*[:,-] *//')
start elsewhere in_place other-host 127.0.0.12 taskset -c "$processor" "$jsnap" restore --image "$image" --tids $tids
until_true "$patience" "it answers elsewhere" up "$port"
if [ "$tids" = userns ]; then
	expect "the host name" "$(ask "$port" /host)" other-host
	expect "an address" "$(ask "$port" '/lookup?some.name.test')" 127.0.0.12
	until_true "$patience" "what it saw at once" seen "$port"
	expect "an address at once" "$(ask "$port" /first | sed 's/.* //')" 127.0.0.12
fi
expect "processors where there is one" "$(ask "$port" /processors)" 1
expect "processors of all threads" "$(for task in /proc/"$(java_below "$pid")"/task/*/status; do
	awk '/^Cpus_allowed_list:/ { print $2 }' "$task"; done | sort -u)" "$processor"
stop "$pid" TERM

# Without the refresh they do share: so the test above can fail.
restore plain1 "$port" --reseed off
draw plain1 "$port"
stop "$pid" TERM
restore plain2 "$port" --reseed off
draw plain2 "$port"
stop "$pid" TERM
overlap=$(shared plain1 plain2)
for source in $(cat sources) $([ "$jdk" = 17 ] || echo pinned); do
	grep -q "^$source:[1-9]" <<<"$overlap" || fail "with --reseed off $source is not shared: $overlap"
done
say "with --reseed off: $(tr '\n' ' ' <<<"$overlap")"

# jsnap tells the same by itself, without letting the program run.
"$jsnap" verify --uniqueness --tids $tids "$image" >verify.out || fail "verify: $(cat verify.out)"
grep -Eq "share nothing: [0-9]{5} values of [0-9]{2} random sources; of its own, with the sequences they had: [0-9]+ Random" verify.out ||
	fail "verify says: $(cat verify.out)"
[ "$(sed -n 's/.* values of \([0-9]*\) random sources.*/\1/p' verify.out)" -gt 70 ] ||
	fail "verify has not drawn from each SecureRandom: $(cat verify.out)"
! grep -q '^RandomGenerator$' sources || grep -q ' L64X128MixRandom' verify.out ||
	fail "verify does not say that there is a generator of the program's: $(cat verify.out)"
status=0
"$jsnap" verify --uniqueness --reseed off --tids $tids "$image" >verify.out || status=$?
expect "verify's exit status with --reseed off" $status 1
for source in "Math.random" "Collections.shuffle" "ThreadLocalRandom" "new SplittableRandom" "UUID" "new SecureRandom" \
	"state of ThreadLocalRandom of new threads" "state of seeds of new Random" "state of StrictMath.random" \
	"ThreadLocalRandom of its threads" "its SecureRandom [0-9]* (NativePRNG)" "its SecureRandom [0-9]* (SHA1PRNG)" \
	"its SecureRandom [0-9]* (DRBG)"; do
	grep -q "may share random numbers: .*[0-9]* of [0-9]* values of $source" verify.out ||
		fail "verify does not find that $source is shared: $(cat verify.out)"
done

# Arguments of this restore; and no burst: 200 ms a tick, asleep for seconds. The first is one second on.
while [ $((EPOCHSECONDS - taken)) -lt $asleep ]; do sleep 0.2; done
ticks() { read -r scheduled timed <<<"$(ask "$port" /ticks)"; }
start last "$jsnap" restore --image "$image" --tids $tids --listen "$port=$port" -- one "two words" ''
restored_us=$start_us
until_true "$patience" "it answers" up "$port"
expect "the arguments" "$(ask "$port" /arguments)" "one|two words|"
# What was missed would be made up for at once: at the third tick it has been.
ticked() {
	ticks
	[ "$scheduled" -ge $((scheduled_before + 3)) ] && [ "$timed" -ge $((timed_before + 3)) ]
}
until_true 60 "both tick on" ticked
most=$(((awake_us + ${EPOCHREALTIME/[.,]/} - restored_us + 1000000) / 200000 + 2))
for counter in "ScheduledThreadPoolExecutor $((scheduled - scheduled_before))" "Timer $((timed - timed_before))"; do
	[ "${counter#* }" -le $most ] || fail "${counter#* } ticks of a ${counter% *} where $most are due: a burst"
done
say "ticks after a sleep of $(((restored_us - taken_us) / 1000)) ms: $((scheduled - scheduled_before)) and $((timed - timed_before)), at most $most are due"

# Tasks that are due once are due later too, by the time asleep.
read -r fired timer delayed since <<<"$(ask "$port" /fired)"
[ "$since" -ge $((once * 1000 - awake_us / 1000 - 500)) ] || expect "what fired within $since ms" "$fired $timer $delayed" "0 0 0"
stop "$pid" TERM

while [ $((EPOCHSECONDS - taken)) -le $once ]; do sleep 0.2; done
start burst "$jsnap" restore --image "$image" --tids $tids --catch-up on
asleep_us=$((start_us - taken_us))
until_true "$patience" "it answers" up "$port"
# Those of the sleep, nearly, beyond the ones that are due anyway.
made_up() {
	local due
	ticks
	due=$(((${EPOCHREALTIME/[.,]/} - start_us + asleep_us * 9 / 10) / 200000))
	[ $((scheduled - scheduled_before)) -ge $due ] && [ $((timed - timed_before)) -ge $due ]
}
until_true 30 "--catch-up on makes up for $((asleep_us / 1000)) ms" made_up
say "ticks with --catch-up on: $((scheduled - scheduled_before)) and $((timed - timed_before)) after $((asleep_us / 1000)) ms asleep"
# And those that were due while it was asleep, long before their threads would have looked by themselves.
all_fired() {
	read -r fired timer delayed since <<<"$(ask "$port" /fired)"
	[ "$fired" != 0 ] && [ "$timer" != 0 ] && [ "$delayed" != 0 ]
}
until_true 60 "tasks that were due once" all_fired
for when in "$fired" "$timer" "$delayed"; do
	[ "$when" -lt $((once * 500)) ] || fail "tasks due once ran $fired, $timer and $delayed ms after the restore"
done
say "due once while it was asleep: ran $fired, $timer and $delayed ms after the restore"
stop "$pid" TERM
nothing_left
