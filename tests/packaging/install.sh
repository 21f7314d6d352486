#!/bin/bash
# `cmake --install` to a DESTDIR: what a package needs is there, and nothing else; the installed command
# finds its agent; what the build made is what was installed.
. "$(dirname "$0")/lib.sh"

quietly env DESTDIR="$dir/root" cmake --install "$build"
prefix=$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$build/CMakeCache.txt")
root=$dir/root$prefix
for file in bin/jsnap share/man/man1/jsnap.1 share/man/man5/jsnap.ini.5 share/bash-completion/completions/jsnap \
	share/zsh/site-functions/_jsnap share/fish/vendor_completions.d/jsnap.fish share/doc/jsnap/LIMITATIONS.md \
	share/doc/jsnap/privileges.md; do
	[ -s "$root/$file" ] || fail "not installed: $prefix/$file"
done
cmp "$build/packaging/jsnap.1" "$root/share/man/man1/jsnap.1"
ini=$(find "$dir/root" -name jsnap.ini)
cmp "$source/conf/jsnap.ini" "$ini"
# What the sample says by default is what holds without it.
"$root/bin/jsnap" --config "$ini" --print-config >with
"$root/bin/jsnap" --print-config >without
diff <(sed 's/ *#.*//' with | grep -v ^config) <(sed 's/ *#.*//' without | grep -v ^config) || fail "the sample changes a setting"
agent=$(find "$dir/root" -name libjsnap-agent.so)
[ -s "$agent" ] || agent=$(find "$dir/root" -name 'libjsnap*agent*')
[ -s "$agent" ] || fail "the agent is not installed"
find "$dir/root" -perm /022 ! -type l | grep . && fail "others may write these"
find "$dir/root" -name '*test*' -o -name '*generate*' | grep . && fail "belongs to the build only"

# The agent is found beside the command, wherever the tree stands: java is asked what it would load.
real=$(dirname "$(dirname "$(readlink -f "$(command -v javac || echo /usr/lib/jvm/java-17-openjdk-amd64/bin/javac)")")")
[ -e "$real/lib/server/libjvm.so" ] || skip "no JDK here"
mkdir -p jdk/bin
for file in "$real"/*; do
	[ "${file##*/}" = bin ] || ln -s "$file" jdk/
done
cat >jdk/bin/java <<-'END'
	#!/bin/sh
	echo "$JDK_JAVA_OPTIONS $JAVA_TOOL_OPTIONS $*" >>"$ASKED"
	exit 3
END
chmod +x jdk/bin/java
: >x.jar
status=0
ASKED=$dir/asked JAVA_HOME=$dir/jdk "$root/bin/jsnap" run -jar x.jar >run.out 2>&1 || status=$?
grep -qF "$agent" asked || fail "jsnap run (status $status) does not load $agent: $(cat asked run.out)"

# Setuid is refused, not used.
if [ "$(id -u)" = 0 ] && ! findmnt -no OPTIONS -T "$dir" | grep -qw nosuid; then
	chmod 755 "$dir"
	cp "$root/bin/jsnap" "$dir/jsnap"
	chmod 4755 "$dir/jsnap"
	status=0
	setpriv --reuid 65534 --regid 65534 --clear-groups "$dir/jsnap" list >setuid.out 2>&1 || status=$?
	expect "the exit status of a setuid jsnap" $status 125
	grep -q "does not run setuid" setuid.out || fail "a setuid jsnap says: $(cat setuid.out)"
fi
