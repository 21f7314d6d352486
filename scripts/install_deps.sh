#!/bin/bash
# Installs what building and testing jsnap needs on Debian 12, with apt-get; as root, or through sudo.
# Does nothing when all is there.
#
# install_deps.sh [test]: with `test` also what only the tests need.
set -eu

packages=(build-essential cmake ninja-build pkg-config
	libzstd-dev libcap-dev libcap2-bin libinih-dev libxxhash-dev libsodium-dev
	openjdk-17-jdk-headless maven
	zstd curl unzip procps file)
# man pages and completions; policies; packages and roots; containers; what services talk to
[ "${1:-}" != test ] || packages+=(man-db groff-base mandoc zsh fish
	apparmor checkpolicy semodule-utils systemd python3-venv
	dpkg-dev lintian mmdebstrap iproute2 libcap2-bin
	podman buildah runc docker-registry postgresql)

# Docker's default filter comes as a module of its own.
[ "${1:-}" != test ] || command -v go >/dev/null || [ -x /usr/local/go/bin/go ] || packages+=(golang-go)

missing=()
for package in "${packages[@]}"; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null ||
		{ echo "install_deps.sh: neither root nor sudo; ask for: apt-get install ${missing[*]}" >&2; exit 1; }
	as_root=(sudo)
fi
echo "installing: ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq </dev/null
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
