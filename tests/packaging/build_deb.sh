#!/bin/bash
# Makes the .deb as its preset says, into the build folder: deb/out/jsnap_VERSION_ARCH.deb.
. "$(dirname "$0")/lib.sh"

need cpack dpkg-shlibdeps file lintian
quietly cmake -S "$source" --preset deb -B "$build/deb"
quietly cmake --build "$build/deb"
rm -f "$build"/deb/out/jsnap_*.deb
quietly cpack --config "$build/deb/CPackConfig.cmake" -B "$build/deb/out"
deb=$(ls "$build"/deb/out/jsnap_*.deb)
for field in Depends:libc6 Architecture:amd64; do
	dpkg-deb -f "$deb" "${field%%:*}" | grep -q "${field#*:}" || fail "the package's ${field%%:*} lacks ${field#*:}"
done
# The others are linked in, which is what starts it a millisecond sooner; their notices come with it.
dpkg-deb -f "$deb" Depends | grep -E 'libzstd|libinih|libcap|libsodium|libxxhash' && fail "the package needs shared libraries"
dpkg-deb -c "$deb" >contents
for file in usr/bin/jsnap etc/jsnap/jsnap.ini usr/share/man/man1/jsnap.1.gz usr/share/man/man5/jsnap.ini.5.gz \
	usr/share/bash-completion/completions/jsnap usr/share/doc/jsnap/licenses/libsodium usr/share/doc/jsnap/licenses/libc6 usr/lib/systemd/system/jsnap@.service; do
	grep -qE " \./$file$" contents || fail "the package lacks $file"
done
grep -E '^-......w|^-.{2}s|^.{3}s' contents && fail "others may write these, or they are setuid"
dpkg-deb --fsys-tarfile "$deb" | tar -xO ./usr/bin/jsnap | grep -aq JSNAP_FAULT && fail "the package's jsnap has fault injection"
[ "$(dpkg-deb -I "$deb" conffiles)" = /etc/jsnap/jsnap.ini ] || fail "jsnap.ini is no configuration file"
# Debian's own checks, but for the address of nobody, for the agent's jar, which is no library of others', and for the form
# of a changelog that is not written for Debian alone.
quietly lintian --allow-root --fail-on error,warning \
	--suppress-tags bogus-mail-host,bad-jar-name,syntax-error-in-debian-changelog "$deb"
