# The applications: how each is started, asked and judged; sourced after lib.sh.
#
# app_use NAME sets `port`, `path` (of the first request), `java_args` (what follows `java`) and
# `warmup` (options for jsnap). app_check asks for the right answers, app_stopped reads the output of a
# stopped one.

app_use() {
	app=$1
	port=$(free_port)
	path=/hello
	case $app in
	tiny)
		java_args=(-jar "$cache/tiny.jar" "$port")
		;;
	spring)
		java_args=(-jar "$cache/spring.jar" --server.port="$port" --server.address=127.0.0.1)
		;;
	tomcat)
		path=/
		app_use_tomcat
		;;
	h2)
		path=/
		tcp_port=$(free_port)
		mkdir -p database
		java_args=(-cp "$cache/h2.jar" org.h2.tools.Server -web -webPort "$port" -tcp -tcpPort "$tcp_port" -ifNotExists
			-baseDir "$dir/database")
		;;
	*) fail "no application $app" ;;
	esac
	[ -e "$cache/h2.jar" ] || fail "no applications in $cache: tests/fetch_apps.sh brings them"
	warmup=(--warmup "http://127.0.0.1:$port$path" --warmup-requests "${JSNAP_TEST_WARMUP:-200}")
	if [ "$app" = h2 ]; then
		# A table in a database file, which stays open.
		printf '#!/bin/sh\nexec "%s" -cp "%s" org.h2.tools.Shell -url "%s" -user sa -password "" -sql "%s"\n' \
			"$JAVA_HOME/bin/java" "$cache/h2.jar" "$(h2_url)" \
			"create table if not exists t(n int primary key); merge into t values (1), (2), (39)" >fill.sh
		chmod +x fill.sh
		warmup+=(--warmup "exec:$dir/fill.sh")
	fi
}

# The java command line that catalina.sh run makes, with a base folder of its own.
app_use_tomcat() {
	mkdir -p base/logs base/temp base/work base/webapps
	cp -r "$cache/tomcat/conf" base/
	cp -r "$cache/tomcat/webapps/ROOT" base/webapps/
	sed -i -e 's/port="8005"/port="-1"/' -e "s/port=\"8080\"/port=\"$port\" address=\"127.0.0.1\"/" base/conf/server.xml
	java_args=(-Djava.util.logging.config.file="$dir/base/conf/logging.properties"
		-Djava.util.logging.manager=org.apache.juli.ClassLoaderLogManager
		-Djdk.tls.ephemeralDHKeySize=2048
		-Djava.protocol.handler.pkgs=org.apache.catalina.webresources
		-Dsun.io.useCanonCaches=false
		-Dorg.apache.catalina.security.SecurityListener.UMASK=0027
		--add-opens=java.base/java.lang=ALL-UNNAMED
		--add-opens=java.base/java.lang.reflect=ALL-UNNAMED
		--add-opens=java.base/java.io=ALL-UNNAMED
		--add-opens=java.base/java.util=ALL-UNNAMED
		--add-opens=java.base/java.util.concurrent=ALL-UNNAMED
		--add-opens=java.rmi/sun.rmi.transport=ALL-UNNAMED
		-classpath "$cache/tomcat/bin/bootstrap.jar:$cache/tomcat/bin/tomcat-juli.jar"
		-Dcatalina.base="$dir/base" -Dcatalina.home="$cache/tomcat" -Djava.io.tmpdir="$dir/base/temp"
		org.apache.catalina.startup.Bootstrap start)
}

h2_url() { echo "jdbc:h2:tcp://127.0.0.1:$tcp_port/./test;DB_CLOSE_DELAY=-1"; }

h2_query() {
	"$JAVA_HOME/bin/java" -XX:TieredStopAtLevel=1 -cp "$cache/h2.jar" org.h2.tools.Shell -url "$(h2_url)" \
		-user sa -password "" -sql "$1"
}

# The same address N times over one connection at a time; every answer must be as the first.
many_requests() {
	local n=$1 path=$2 wanted=$3 got
	got=$(curl -sf --max-time 600 "http://127.0.0.1:$port$path${path:+?}r=[1-$n]" -w '\n' | sort | uniq -c |
		awk '{ $1 = $1; print }')
	expect "the answers to $n requests for $path" "$got" "$n $wanted"
}

app_check() {
	case $app in
	tiny)
		expect "GET /hello" "$(get /hello)" hello
		many_requests "$1" /hello hello
		;;
	spring) app_check_spring "$1" ;;
	tomcat)
		get / >page
		grep -q "successfully installed Tomcat" page || fail "Tomcat's page is another"
		curl -sf --max-time 600 "http://127.0.0.1:$port/favicon.ico?r=[1-$1]" >icons
		cmp icons <(for ((i = 0; i < $1; i++)); do cat base/webapps/ROOT/favicon.ico; done) ||
			fail "an answer of $1 was wrong"
		;;
	h2)
		get / | grep -qi "h2 console\|login" || fail "the console's page is another"
		h2_query "select sum(n) from t" | grep -qw "${h2_sum:-42}" || fail "the table has another sum"
		curl -sf --max-time 600 "http://127.0.0.1:$port/stylesheet.css?r=[1-$1]" >sheets
		get /stylesheet.css >sheet
		[ "$(stat -c %s sheet)" -gt 1000 ] || fail "the console's style sheet is empty"
		cmp sheets <(for ((i = 0; i < $1; i++)); do cat sheet; done) || fail "an answer of $1 was wrong"
		;;
	esac
}

app_check_spring() {
	local id
	expect "GET /hello" "$(get /hello)" hello
	expect "GET /checksum?n=100" "$(get '/checksum?n=100')" "$(get '/checksum?n=100')"
	id=$(curl -sf "http://127.0.0.1:$port/items" -H 'Content-Type: application/json' -d '{"name":"a"}' |
		grep -o '"id":[0-9]*' | cut -d: -f2)
	[ -n "$id" ] || fail "POST /items gave no id"
	curl -sf -X PUT "http://127.0.0.1:$port/items/$id" -H 'Content-Type: application/json' -d '{"name":"b"}' >/dev/null ||
		fail "PUT /items/$id"
	expect "GET /items/$id" "$(get "/items/$id")" "{\"id\":$id,\"name\":\"b\"}"
	curl -sf -X DELETE "http://127.0.0.1:$port/items/$id" || fail "DELETE /items/$id"
	get /actuator/health | grep -q '"status":"UP"' || fail "the health endpoint does not say UP"
	get /threads | grep -q '"main\|"http-nio' || fail "the thread list has no request thread"
	many_requests "$1" /hello hello
}

# What the output of one that SIGTERM has stopped must hold: its shutdown hooks ran.
app_stopped() {
	case $app in
	tiny | spring) grep -q "shutdown hook ran" "$1.out" || fail "$1: its shutdown hook did not run" ;;
	tomcat) grep -qi "Destroying ProtocolHandler" "$1.err" "$1.out" || fail "$1: Tomcat was not stopped in order" ;;
	h2) ;;
	esac
}
