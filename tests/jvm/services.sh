# Services that depend on others, and those others; sourced after lib.sh.
#
# service_use shop|reactive sets `port`, `path`, `java_args`, `warmup`, and starts what the service needs:
# PostgreSQL from the distribution's packages, and another service that it calls.

postgres_bin() {
	local found
	found=$(find /usr/lib/postgresql -maxdepth 3 -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
	[ -n "$found" ] && dirname "$found"
}

# A server of our own in the test's folder. PostgreSQL refuses to run as root; tests do not.
start_postgres() {
	pg=$(postgres_bin) || skip "no PostgreSQL in /usr/lib/postgresql"
	pg_port=$(free_port)
	"$pg/initdb" -D "$dir/pg" -U test -A trust --no-sync >initdb.out 2>&1 || { tail -5 initdb.out >&2; fail "initdb"; }
	"$pg/postgres" -D "$dir/pg" -h 127.0.0.1 -p "$pg_port" -k "$dir" -F -c max_connections=50 </dev/null \
		>postgres.out 2>postgres.err &
	pg_pid=$!
	until_true 60 "PostgreSQL starts" "$pg/pg_isready" -q -h 127.0.0.1 -p "$pg_port"
}

pg_query() { psql -X -q -t -A -h 127.0.0.1 -p "$pg_port" -U test -d postgres -c "$1"; }

# Connections of the service's pool, as the database sees them.
pool_connections() { pg_query "select count(*) from pg_stat_activity where application_name = 'PostgreSQL JDBC Driver'"; }

start_backend() {
	backend_port=$(free_port)
	"$JAVA_HOME/bin/java" -XX:+UseSerialGC -Xmx64m -XX:TieredStopAtLevel=1 -jar "$cache/tiny.jar" "$backend_port" \
		</dev/null >backend.out 2>backend.err &
	backend_pid=$!
	until_true 60 "the other service answers" curl -sf -o /dev/null "http://127.0.0.1:$backend_port/hello"
}

service_use() {
	service=$1
	port=$(free_port)
	[ -e "$cache/shop.jar" ] || fail "no services in $cache: tests/fetch_services.sh builds them"
	start_backend
	case $service in
	shop)
		start_postgres
		path=/order
		java_args=(-jar "$cache/shop.jar" --server.port="$port" --server.address=127.0.0.1
			--backend="http://127.0.0.1:$backend_port/hello"
			--spring.datasource.url="jdbc:postgresql://127.0.0.1:$pg_port/postgres" --spring.datasource.username=test)
		;;
	reactive)
		path=/relay
		java_args=(-jar "$cache/reactive.jar" --server.port="$port" --server.address=127.0.0.1
			--backend="http://127.0.0.1:$backend_port/hello")
		;;
	*) fail "no service $1" ;;
	esac
	warmup=(--ready "http://127.0.0.1:$port$path" --warmup "http://127.0.0.1:$port$path"
		--warmup-requests "${JSNAP_TEST_WARMUP:-300}")
}

# start_hammer NAME CONNECTIONS SECONDS: in the background; sets `hammer`.
start_hammer() {
	"$JSNAP_TEST_WORK/scripts/jsnap-hammer" "$port" "$path" "$2" "$3" >"$1.load" 2>"$1.load.err" &
	hammer=$!
}

# load NAME KEY: a figure of its line.
load() { awk -v key="$2" '{ for (i = 1; i < NF; i += 2) if ($i == key) print $(i + 1) }' "$1.load"; }

# hammered NAME WHAT: it is over, and nothing failed.
hammered() {
	wait "$hammer" || { cat "$1.load.err" >&2; fail "$2: $(cat "$1.load")"; }
	[ "$(load "$1" requests)" -gt 0 ] || fail "$2: no request was answered"
	say "$2: $(cat "$1.load")"
}

service_check() {
	local before
	case $service in
	shop)
		expect "GET /order" "$(get /order)" book,hello,hello
		expect "GET /item?id=2" "$(get '/item?id=2')" pen
		before=$(get /sold)
		expect "GET /sold, again" "$(get /sold)" $((before + 1))
		before=$(get /ticks)
		ticks_on() { [ "$(get /ticks)" -gt "$before" ]; }
		until_true 20 "the schedule goes on" ticks_on
		[ "$(pool_connections)" -gt 0 ] || fail "the pool has no connection"
		;;
	reactive)
		expect "GET /relay" "$(get /relay)" "relayed hello"
		expect "GET /later" "$(get /later)" later
		expect "GET /hello" "$(get /hello)" hello
		;;
	esac
}

stop_services() {
	kill -TERM "$backend_pid"
	[ -z "${pg_pid:-}" ] || kill -QUIT "$pg_pid"
	wait "$backend_pid" 2>/dev/null || true
	[ -z "${pg_pid:-}" ] || wait "$pg_pid" 2>/dev/null || true
}
