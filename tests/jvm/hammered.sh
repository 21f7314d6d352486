#!/bin/bash
# A program that clients ask without a pause from its first moment on, and nobody has configured anything: it is never
# quiet, gets its snapshot all the same, and the clients notice nothing. Then restored.
#
# hammered.sh JDK cap|userns
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/services.sh"

use_jdk "$1"
use_mode "$2"
port=$(free_port)
path=/hello
run=("$jsnap" run --store "$dir/store" --tids $tids -jar "$cache/tiny.jar" "$port")

start_hammer first 8 600
start first "${run[@]}"
until_true "$patience" "a snapshot" snapshot_exists
gone "$hammer" && fail "the clients have gone"
kill -TERM "$hammer"
hammered first "clients while the snapshot was taken"
expect "connections that were ended meanwhile" "$(load first reconnects)" 0
until_true "$patience" "the snapshot is written" snapshot_settled
stop "$pid" TERM

start_hammer second 8 600
start second "${run[@]}"
said second "jsnap: restored" "the second run"
sleep 1
kill -TERM "$hammer"
hammered second "clients of the restored one"
stop "$pid" TERM
nothing_left
