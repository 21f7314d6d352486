#!/bin/bash
# Signed and encrypted snapshots of a JVM: they come back with their key, by every verb; without it, with
# another, or with less protection than is asked for they are refused by name, and run serves all the same.
#
# sealed.sh JDK
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "$1"
use_mode userns
app_use tiny
umask 077
head -c 32 /dev/urandom >key
head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n' >other # the form of hexadecimal digits
secret=sealed-marker-$RANDOM$RANDOM
java=(-Xmx64m -XX:+UseSerialGC "-Dmarker=$secret" "${java_args[@]}")
warm=("${warmup[@]}" --tids $tids --store "$dir/store")
checked=0

take() { # OPTION...
	"$jsnap" checkpoint "${warm[@]}" "$@" "${java[@]}" </dev/null >checkpoint.out 2>checkpoint.err ||
		fail "checkpoint $*: $(cat checkpoint.err)"
	image=$(find store -name '*.jsnap')
}

refused() { # STATUS WORDS WHAT COMMAND...
	local wanted=$1 words=$2 what=$3 status=0
	shift 3
	"$@" </dev/null >r.out 2>r.err || status=$?
	[ $status = "$wanted" ] || fail "$what: exit status $status, not $wanted: $(cat r.out r.err)"
	grep -Eq -- "$words" r.out r.err || fail "$what: it does not say '$words': $(cat r.out r.err)"
	checked=$((checked + 1))
}

restores() { # WHAT COMMAND...
	local what=$1 key
	shift
	: >warm.err
	start_timed warm "$port" "$path" "$@"
	java_pid=$(java_below "$pid")
	# Neither the key nor one that was derived of it is in the process or in the jsnap beside it
	# (docs/image-format.md, "Signed and encrypted images").
	python3 - "$image" "$java_pid" "$pid" <<-'END' || fail "$what: a key is left in memory"
		import hashlib, sys
		key = open("key", "rb").read()
		def keyed(key, data):
		    return hashlib.blake2b(data, key=key, digest_size=32).digest()
		with open(sys.argv[1], "rb") as image:
		    head = image.read(1056)
		keys = {"key": key}
		for purpose in ("authenticity", "encryption", "hot copy"):
		    word = f"jsnap image: {purpose}".encode() + bytes(1)
		    keys[purpose] = keyed(key, word + head[992:1024])
		# These are the keys: the header's code was made with one of them.
		if keyed(key, b"jsnap key id" + bytes(1))[:8] == head[984:992]:
		    code = keyed(keys["authenticity"], (1).to_bytes(8, "little") + head[:1024])
		    if code != head[1024:1056]:
		        sys.exit("the format is not as documented")
		for pid in sys.argv[2:]:
		    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
		        for line in maps:
		            span, mode = line.split()[:2]
		            start, end = (int(x, 16) for x in span.split("-"))
		            if "r" not in mode or "[v" in line:
		                continue
		            mem.seek(start)
		            try:
		                data = mem.read(end - start)
		            except OSError:
		                continue
		            for name, value in keys.items():
		                if value[:16] in data or value[16:] in data:
		                    sys.exit(f"{name} of process {pid} at {line}")
	END
	stop "$pid" TERM
	checked=$((checked + 1))
}

cold() { # WORDS WHAT OPTION...
	local words=$1 what=$2
	shift 2
	: >cold.err
	start_timed cold "$port" "$path" "$jsnap" run "${warm[@]}" "$@" "${java[@]}"
	grep -Eq -- "jsnap: cold start: .*($words)" cold.err || fail "$what: run does not say '$words': $(cat cold.err)"
	checked=$((checked + 1))
}
command -v python3 >/dev/null || skip "no python3"

say "signed"
take --image-key key
[ -n "$(find store -name '*.hot')" ] || fail "a signed snapshot has no hot copy"
if command -v zstd >/dev/null; then zstd_extracts "$image" "$secret"; fi
restores "restore" "$jsnap" restore --image-key key --tids $tids "$image"
refused 125 'the image is signed with key [0-9a-f]{16}, not with' "another key" "$jsnap" restore --image-key other --tids $tids "$image"
refused 1 'bad: .*the image is signed with key' "verify with another key" "$jsnap" verify --image-key other "$image"
refused 125 'the image is signed, and must be encrypted' "not encrypted" \
	"$jsnap" restore --image-key key --protect encrypt --tids $tids "$image"
refused 0 'whole, and would restore here' "verify" "$jsnap" verify --image-key key "$image"
refused 0 'protection +signed with key [0-9a-f]{16}, which fits' "inspect" "$jsnap" inspect --image-key key "$image"
refused 0 'not checked' "inspect without the key" "$jsnap" inspect "$image"
refused 0 'whole, and would restore here' "too little memory to lock" bash -c "ulimit -l 0; exec '$jsnap' verify --image-key key '$image'"
grep -q 'the image key may be swapped out: .*ulimit -l' r.err || fail "no word of memory that can't be locked: $(cat r.err)"
refused 125 'images must be signed, and there is no key.*--image-key' "no key" "$jsnap" restore --protect sign --tids $tids "$image"
chmod 0644 other
refused 125 'image key other: others may read or write it \(mode 0644\)' "a key that others may read" \
	"$jsnap" restore --image-key other --tids $tids "$image"
before=$(stat -c %i "$image")
cold 'no snapshots can be kept: image key other: others may read' "a key that others may read" --image-key other
stop "$pid" TERM
[ "$(stat -c %i "$image")" = "$before" ] || fail "a bad key's file cost the snapshot"
chmod 0600 other
cold 'the snapshot is refused: .*the image is signed with key' "another key" --image-key other
until_true "$patience" "a new snapshot" grep -q "snapshot tiny .* taken" cold.err
stop "$pid" TERM
restores "run" "$jsnap" run "${warm[@]}" --image-key other "${java[@]}"
grep -q "jsnap: restored" warm.err || fail "not restored with the new key: $(cat warm.err)"

say "plain"
take --protect off
refused 125 'the image is plain, and must be signed' "a plain image" "$jsnap" restore --image-key key --tids $tids "$image"
cold 'the snapshot is refused: .*the image is plain, and must be signed' "a plain image" --image-key key --no-checkpoint
stop "$pid" TERM

say "encrypted"
take --image-key key --protect encrypt
[ -z "$(find store -name '*.hot' -o -name '*.pages')" ] || fail "something in plain is left: $(ls store)"
! grep -raq "$secret" store || fail "the marker is readable in the store"
if command -v zstd >/dev/null; then
	zstd -tq <"$image" || fail "zstd -t does not accept an encrypted image"
	[ -z "$(zstd -dcq <"$image" | head -c 1 | od -An -tx1)" ] || fail "zstd -dc prints something of an encrypted image"
fi
restores "restore" "$jsnap" restore --image-key key --tids $tids "$image"
restores "run" "$jsnap" run "${warm[@]}" --image-key key --protect encrypt "${java[@]}"
grep -q "jsnap: restored" warm.err || fail "not restored: $(cat warm.err)"
restores "restore -" bash -c 'exec "$2" restore --image-key key --tids "$3" - < <(cat "$1")' - "$image" "$jsnap" $tids
sleep 0.3
[ -z "$(find store -name '*.hot' -o -name '*.pages')" ] || fail "a restore left something in plain: $(ls store)"
refused 125 'the image is encrypted, and there is no key for it.*--image-key FILE' "no key" "$jsnap" restore --tids $tids "$image"
refused 125 'the image is encrypted, and there is no key' "inspect without key" "$jsnap" inspect "$image"
refused 125 'the image is encrypted with key' "inspect with another key" "$jsnap" inspect --image-key other "$image"
refused 1 'memory at .*' "inspect --find" "$jsnap" inspect --image-key key --find "$secret" "$image"
refused 0 'whole, and would restore here' "verify" "$jsnap" verify --image-key key "$image"
refused 1 'the image is encrypted, and there is no key' "verify without key" "$jsnap" verify "$image"
refused 0 'tiny' "list" "$jsnap" list --store "$dir/store"
refused 0 'removed 0 of 1' "prune --stale without key" "$jsnap" prune --store "$dir/store" --stale
refused 0 'removed 0 of 1' "prune --stale" "$jsnap" prune --store "$dir/store" --image-key key --stale
before=$(stat -c %i "$image")
cold 'the snapshot is refused: the image is encrypted, and there is no key' "no key"
sleep 1
stop "$pid" TERM
[ "$(stat -c %i "$image")" = "$before" ] || fail "an encrypted snapshot was replaced by a plain one"
restores "run with its plain copy" "$jsnap" run "${warm[@]}" --image-key key --protect encrypt --encrypted-hot-copy on "${java[@]}"
[ -n "$(find store -name '*.hot')" ] || fail "--encrypted-hot-copy on makes none"
refused 0 'hot copy.*holds in plain what the image encrypts: remove it' "verify with a plain copy" "$jsnap" verify --image-key key "$image"
take --image-key key --protect encrypt
[ -z "$(find store -name '*.hot' -o -name '*.pages')" ] || fail "the copy of the snapshot before is left: $(ls store)"

# bench starts what it measures by the same key; it has no row of hot copies where there are none.
for protect in sign encrypt; do
	"$jsnap" bench --tids $tids --runs 1 --warmup-runs 0 --image-key key --protect $protect "${warmup[@]}" "${java[@]}" \
		</dev/null >table 2>bench.err || fail "bench --protect $protect: $(cat bench.err)"
	grep -q "^restore, from zstd  *[0-9]" table || fail "bench --protect $protect: $(cat table)"
done
! grep -q "hot copy" table || fail "bench measured a hot copy of an encrypted snapshot: $(cat table)"
refused 125 'variant hot needs a hot copy, and there is none of encrypted' "bench of a hot copy that is not kept" \
	"$jsnap" bench --runs 1 --image-key key --protect encrypt --variant hot "${warmup[@]}" "${java[@]}"
say "$checked checks"
nothing_left
