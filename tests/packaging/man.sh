#!/bin/bash
# The man pages: every verb, option and key is in them, and the readers of man pages have
# nothing to say against them. What must be there comes from --help and the sample jsnap.ini, which are
# written by other code than the pages.
. "$(dirname "$0")/lib.sh"

need man mandoc groff
jsnap=$build/launcher/jsnap
for page in jsnap.1 jsnap.ini.5; do
	file=$build/packaging/$page
	quietly mandoc -T lint -W warning "$file"
	groff -man -ww -Tutf8 -z "$file" 2>groff.err
	man --warnings -E UTF-8 -l -Tutf8 -Z "$file" 2>man.err >/dev/null
	[ ! -s groff.err ] && [ ! -s man.err ] || fail "$page: $(cat groff.err man.err)"
	MANWIDTH=200 man -l "$file" | sed 's/.\x08//g' >"$page.txt"
	grep -qE '@[A-Z_]+@' "$file" && fail "$page has a marker that was not filled in"
done
# A reader that accepts everything would show nothing.
printf '.TH X 1 2026-11-25\n.SH NAME\nx \\- y\n.NOSUCH\n' >bad.1
mandoc -T lint -W warning bad.1 >/dev/null && fail "mandoc finds nothing wrong with an unknown macro"

verbs=$("$jsnap" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p')
[ "$(wc -w <<<"$verbs")" -ge 9 ] || fail "jsnap --help lists no verbs: $verbs"
options=0
for verb in "" $verbs; do
	[ -z "$verb" ] || grep -q "^ *jsnap $verb " jsnap.1.txt || fail "the synopsis lacks $verb"
	for option in $("$jsnap" $verb --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p'); do
		grep -qE "^ +$option( |$)" jsnap.1.txt || fail "jsnap(1) lacks $option of '$verb'"
		options=$((options + 1))
	done
done
[ $options -gt 60 ] || fail "only $options options in the help texts"
section=
keys=0
while read -r line; do
	case $line in
	"["*) section=$line ;;
	"#"[a-z]*" ="*)
		key=${line#\#}
		awk -v title="$section" -v key="${key%% *}" 'index($0, title ":") { here = 1 }
			here && $1 == key && $2 == "=" { found = 1 } END { exit !found }' jsnap.ini.5.txt ||
			fail "jsnap.ini(5) lacks ${key%% *} of $section"
		keys=$((keys + 1))
		;;
	esac
done <"$source/conf/jsnap.ini"
[ $keys -gt 20 ] || fail "only $keys keys in the sample jsnap.ini"
say "$options options of all verbs and $keys keys are in the pages"
