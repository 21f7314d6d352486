#!/bin/bash
# The completions, asked as each shell asks them: verbs, every verb's options, values, snapshots' keys,
# and nothing of jsnap's own inside the java part. What must come is taken from --help.
#
# completions.sh bash|zsh|fish
. "$(dirname "$0")/lib.sh"

shell=$1
need "$shell"
export PATH=$build/launcher:$PATH
generated=$build/packaging

# complete LINE: prints the candidates for the end of LINE, one a line.
case $shell in
bash)
	cat >ask.bash <<-'END'
		. "$1"
		COMP_LINE=$2 COMP_POINT=${#2}
		# readline splits at = too
		COMP_LINE_SPLIT=${2//=/ = }
		read -ra COMP_WORDS <<<"$COMP_LINE_SPLIT"
		[[ $2 != *[\ ] ]] || COMP_WORDS+=('')
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		_jsnap
		printf '%s\n' "${COMPREPLY[@]}"
	END
	complete() { bash --norc ask.bash "$generated/jsnap.bash" "$1"; }
	quietly bash -n "$generated/jsnap.bash"
	quietly bash --norc -c '. "$1" && complete -p jsnap' - "$generated/jsnap.bash"
	;;
fish)
	quietly fish --no-config --no-execute "$generated/jsnap.fish"
	complete() {
		fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$generated/jsnap.fish" "$1" | cut -f 1 |
			sed 's/^--[a-z-]*=//'
	}
	;;
zsh)
	quietly zsh -f -n "$generated/_jsnap"
	mkdir functions
	cp "$generated/_jsnap" functions/
	# A terminal in which the line is typed and completed; every candidate is written down.
	cat >ask.zsh <<-'END'
		zmodload zsh/zpty
		wait-for() {
			integer i
			for ((i = 0; i < 1200; i++)); do
				zpty -r -t asked part && rest+=$part
				[[ -e $1 ]] && return
				sleep 0.02
			done
			print -u2 -r -- "zsh did not answer: $rest"
			exit 1
		}
		zpty asked zsh -f -i
		zpty -w asked "source inner.zsh"
		wait-for ready
		while IFS= read -r line; do
			rm -f found
			zpty -n -w asked $'\025'"$line"$'\t'
			wait-for found
			print -r -- "$(<found)"
			print END
		done
		zpty -d asked
	END
	cat >inner.zsh <<-'END'
		TERM=dumb PS1= COLUMNS=200
		setopt no_beep
		fpath=($PWD/functions $fpath)
		autoload -Uz compinit
		compinit -D -u
		compadd() {
			local -a hits
			# -O, -A and -D ask for what matches and add nothing
			[[ ${(M)@:#-*[OAD]} ]] && { builtin compadd "$@"; return }
			builtin compadd -O hits "$@"
			print -rl -- $hits >>found.part
			builtin compadd "$@"
		}
		write-down() {
			: >found.part
			zle complete-word
			mv found.part found
		}
		line-init() { : >ready; }
		zle -N write-down
		zle -N zle-line-init line-init
		bindkey '^I' write-down
	END
	mkfifo lines answers
	zsh -f ask.zsh <lines >answers &
	exec 5>lines 6<answers
	complete() {
		local word
		printf '%s\n' "$1" >&5
		while read -r word <&6 && [ "$word" != END ]; do
			echo "${word%=}"
		done
	}
	;;
esac

check() { # LINE CANDIDATE...: exactly these
	local line=$1 got wanted
	shift
	got=$(complete "$line" | sort -u)
	wanted=$(printf '%s\n' "$@" | sort -u)
	[ "$got" = "$wanted" ] || fail "$shell, after '$line':
$(diff <(echo "$wanted") <(echo "$got"))"
}

verbs=$("$build/launcher/jsnap" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p')
check "jsnap " $verbs
options_of() { jsnap "$@" --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p'; }
for verb in $verbs; do
	check "jsnap $verb --" $(options_of "$verb")
done
check "jsnap run --tids " auto clone3 userns ns-last-pid walk
check "jsnap run --tids=w" walk
check "jsnap run --store x --hot-copy " on off
check "jsnap --quiet prune --dry" --dry-run
check "jsnap run --ready t" tcp:
key=0123456789abcdef0123456789abcdef
mkdir -p home/.cache/jsnap folder
: >home/.cache/jsnap/app-$key.jsnap
chmod 700 home/.cache/jsnap
case $(complete "jsnap inspect " | tr '\n' ' ') in *"${key:0:12}"*) ;; *) fail "$shell does not offer the store's keys" ;; esac
case $(complete "jsnap list --store fo") in folder*) ;; *) fail "$shell does not offer folders for --store" ;; esac
for line in "jsnap run -jar x.jar --ti" "jsnap checkpoint -- --ti"; do
	case $(complete "$line") in *--tids*) fail "$shell offers jsnap's options in the java part: $line" ;; esac
done
