# Services that depend on others, and those others; sourced after lib.sh.
#
# service_use SERVICE [SUPPORT] sets `port`, `path`, `java_args`, `warmup`, and starts what the service needs:
# PostgreSQL from the distribution's packages, or H2, and another service that it calls. Services: shop, reactive,
# pool, hikari, tomcat-jdbc, dbcp, druid (tests/apps/pool, the last four by the pool of that name), micronaut, quarkus, and
# apache4, apache5, okhttp, jdk, url, jetty, reactor (tests/apps/clients by the HTTP client of that name).
# SUPPORT is its framework's own support for org.crac:
#
#	off		it is not there, or told to be idle; the default
#	on		it hears of each snapshot and restore
#	onrefresh	Spring's asks for the snapshot itself, before the server is up

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

# H2 as a server, its database in memory.
start_h2() {
	h2_port=$(free_port)
	"$JAVA_HOME/bin/java" -XX:+UseSerialGC -Xmx64m -XX:TieredStopAtLevel=1 -cp "$cache/h2.jar" org.h2.tools.Server \
		-tcp -tcpPort "$h2_port" -ifNotExists -baseDir "$dir/tmp" </dev/null >h2.out 2>h2.err &
	h2_pid=$!
	h2_answers() { grep -q "TCP server running" h2.out; }
	until_true 60 "H2 answers" h2_answers
}

service_use() {
	service=$1
	support=${2:-off}
	port=$(free_port)
	[ "$1" = pool ] || [ "$1" = tomcat-jdbc ] || [ "$1" = dbcp ] || [ -e "$cache/shop.jar" ] || fail "no services in $cache: tests/fetch_services.sh builds them"
	start_backend
	backend=http://127.0.0.1:$backend_port/hello
	path=/order
	case $service in
	shop | micronaut | quarkus | druid)
		start_postgres
		database=jdbc:postgresql://127.0.0.1:$pg_port/postgres
		;;
	esac
	told_before=() told_after=()
	case $service in
	apache4 | apache5 | okhttp | jdk | url | jetty | reactor) use_client "$service" ;;
	*) "use_${service//-/_}" ;;
	esac
	warmup=(--ready "http://127.0.0.1:$port$path" --warmup "http://127.0.0.1:$port$path"
		--warmup-requests "${JSNAP_TEST_WARMUP:-300}")
	[ $support != onrefresh ] || warmup=(--ready api)
}

use_shop() {
	use_spring shop.jar
	java_args+=(--spring.datasource.url="$database" --spring.datasource.username=test)
	[ $support = on ] || return 0
	java_args+=(--spring.datasource.hikari.allow-pool-suspension=true
		--logging.level.org.springframework.boot.jdbc.HikariCheckpointRestoreLifecycle=debug)
	told_before+=("Suspending Hikari pool" "Evicting Hikari connections")
	told_after+=("Resuming Hikari pool")
}

use_reactive() {
	path=/relay
	use_spring reactive.jar
	[ $support = off ] || java_args+=(--spring.profiles.active=restarted)
}

use_pool() {
	path=/ask
	java_args=(-jar "$cache/pool.jar" "$port" "$backend_port")
}

# use_held CLASS URL_SETTER SIZE_SETTER JAR...
use_held() {
	local type=$1 url=$2 size=$3
	shift 3
	path=/ask
	if [ -n "${pg_port:-}" ]; then
		database+="?user=test"
	else
		start_h2
		database="jdbc:h2:tcp://127.0.0.1:$h2_port/mem:held;DB_CLOSE_DELAY=-1"
	fi
	java_args=(-cp "$(IFS=:; echo "$cache/pool.jar:$cache/h2.jar:$*")" Held "$port" "$database" "$type" "$url" "$size")
}

use_hikari() {
	unzip -qj "$cache/shop.jar" 'BOOT-INF/lib/HikariCP-*' 'BOOT-INF/lib/slf4j-api-*' -d "$dir" || fail "no HikariCP in shop.jar"
	use_held com.zaxxer.hikari.HikariDataSource setJdbcUrl setMaximumPoolSize "$dir"/HikariCP-*.jar "$dir"/slf4j-api-*.jar
}

use_tomcat_jdbc() {
	use_held org.apache.tomcat.jdbc.pool.DataSource setUrl setMaxActive "$cache"/tomcat/{lib/tomcat-jdbc,bin/tomcat-juli}.jar
}

use_dbcp() {
	use_held org.apache.tomcat.dbcp.dbcp2.BasicDataSource setUrl setMaxTotal \
		"$cache"/tomcat/{lib/tomcat-dbcp,lib/tomcat-api,lib/servlet-api,bin/tomcat-juli}.jar
}

# Druid looks by means of the driver, which H2's has none for.
use_druid() {
	unzip -qj "$cache/shop.jar" 'BOOT-INF/lib/postgresql-*' -d "$dir" || fail "no driver in shop.jar"
	use_held com.alibaba.druid.pool.DruidDataSource setUrl setMaxActive "$cache"/clients/druid-*.jar "$dir"/postgresql-*.jar
}

use_client() {
	path=/ask
	java_args=(-cp "$cache/clients/*" Clients "$port" "$backend_port" "$1")
}

# Spring's support lights up when the library is there: a nested jar, stored.
use_spring() { # JAR
	local jar=$cache/$1 refresh=()
	if [ $support != off ]; then
		jar=$dir/$1
		cp "$cache/$1" "$jar"
		mkdir -p BOOT-INF/lib
		cp "$cache/crac-api.jar" BOOT-INF/lib/
		jar uf0 "$jar" BOOT-INF/lib/crac-api.jar
		told_after+=("Restarting Spring-managed lifecycle beans after JVM restore")
	fi
	[ $support != onrefresh ] || refresh=(-Dspring.context.checkpoint=onRefresh)
	java_args=("${refresh[@]}" -jar "$jar" --server.port="$port" --server.address=127.0.0.1 --backend="$backend"
		--spring.lifecycle.timeout-per-shutdown-phase=5s)
}

# A pool that Micronaut's support is to find must be one that can be suspended.
use_micronaut() {
	java_args=(-Dmicronaut.server.port="$port" -Dmicronaut.server.host=127.0.0.1 -Dbackend="$backend"
		-Ddatasources.default.url="$database" -Ddatasources.default.username=test
		-Ddatasources.default.maximum-pool-size=6 -Ddatasources.default.allow-pool-suspension=true)
	if [ $support = on ]; then
		told_before+=("Suspending Hikari pool" "Stopping netty server")
		told_after+=("Resuming hikari datasource" "Starting netty server")
	else
		java_args+=(-Dcrac.enabled=false)
	fi
	java_args+=(-cp "$cache/micronaut/*" app.Application)
}

# Its support says nothing: it closes the listener and opens it again. Agroal lends connections without a look.
use_quarkus() {
	java_args=(-Dquarkus.http.port="$port" -Dquarkus.http.host=127.0.0.1 -Dbackend="$backend"
		-Dquarkus.datasource.jdbc.url="$database" -Dquarkus.datasource.username=test
		-Dquarkus.datasource.jdbc.max-size=6)
	# Another implementation, which is not there: org.crac then does nothing, as on any JDK without one.
	[ $support = on ] || java_args+=(-Dorg.crac.Core.Compat=none)
	java_args+=(-jar "$cache/quarkus.jar")
}

# What stands in an output is what a support that is on has done there.
heard() { # OUTPUT WORDS...
	local output=$1 words
	shift
	for words in "$@"; do
		grep -q "$words" "$output" || fail "its support was not told: $output does not say '$words'"
	done
}

# Listeners in the snapshot, which a support that is on has closed.
listeners_in() { # INSPECT_OUTPUT
	expect "listeners in the snapshot, with the support $support" "$(grep -c "stream listening .*:$port$" "$1" || true)" \
		$([ $support = off ] && echo 1 || echo 0)
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
	micronaut | quarkus)
		expect "GET /order" "$(get /order)" postgres,hello
		[ "$(pool_connections)" -gt 0 ] || fail "the pool has no connection"
		;;
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
	kill -TERM "$backend_pid" ${h2_pid:+"$h2_pid"}
	[ -z "${pg_pid:-}" ] || kill -QUIT "$pg_pid"
	wait "$backend_pid" ${h2_pid:+"$h2_pid"} 2>/dev/null || true
	[ -z "${pg_pid:-}" ] || wait "$pg_pid" 2>/dev/null || true
}
