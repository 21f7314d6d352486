#!/bin/bash
# What a walk to a low TID costs more than clone3, by scripts/measure_walk.sh: medians of restores by turns.
#
# walk_price.sh HIGHEST_TID RUNS MOST_MS
. "$(dirname "$0")/lib.sh"

use_jdk 17
use_mode userns
JSNAP=$jsnap JSNAP_TEST_CACHE=$cache PATH=$JAVA_HOME/bin:$PATH "$JSNAP_TEST_WORK/scripts/measure_walk.sh" "$1" "$2" >figures ||
	fail "measure_walk.sh"
say "$(cat figures)"
awk -v most="$3" '/^restored by clone3/ { more = $10 - $5; found = 1 } END { exit !(found && more <= most) }' figures ||
	fail "a walk to $1 costs more than $3 ms"
