#!/bin/bash
# Builds tests/apps/shop, reactive and clients, the services with connections to others, into the cache folder of
# fetch_apps.sh, and prints it: shop.jar, reactive.jar, clients/ (a class path). Does nothing for one whose sources have
# not changed.
set -eu

tests=$(cd "$(dirname "$0")" && pwd)
. "$tests/cache.sh"
cache_open "$@"
cd "$tests/apps"
for name in shop reactive; do
	stamp=$(digest -- $name)
	have $name.jar "$stamp" || {
		build $name
		keep $name.jar "$stamp" "$work/$name/target/$name.jar"
	}
done
stamp=$(digest -- clients)
have clients "$stamp" || {
	build clients
	class_path clients
	keep clients "$stamp" "$work/class_path"
}
echo "$cache"
