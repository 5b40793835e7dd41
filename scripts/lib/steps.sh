# The steps of scripts/quickstart.  Each looks first whether there is anything to
# do, so that a run after an interrupted one goes on where that one stopped.
# Sourced by bash after instance.sh.
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2016	# the program's names; texts for another shell

SOURCES="autogen.sh configure.ac Makefile.am src sql etc scripts tests bench
	docs static templates front package.json package-lock.json .npmrc"

step_packages() {
	local missing log

	step "packages"
	# shellcheck disable=SC2086	# lists of words
	missing="$PACKAGES_BUILD $PACKAGES_RUN"
	[ -s "$CLONE/front/tabler.min.css" ] || missing="$missing $PACKAGES_CLONE"
	# shellcheck disable=SC2086	# lists of words
	missing=$(packages_missing $missing)
	if [ -z "$missing" ]; then
		same "all there"
	elif ! command -v apt-get >/dev/null; then
		die "missing: $missing" \
			"this script installs packages on Debian 12 and 13 only; install them with your system's own means"
	elif [ "$(id -u)" -ne 0 ]; then
		die "packages are missing, and only root can install them" \
			"run this, then scripts/quickstart again:

    sudo apt-get install --no-install-recommends $missing"
	else
		log=$(mktemp /tmp/switchboard-packages-XXXXXX)
		# shellcheck disable=SC2086
		packages_install "$log" $missing ||
			die "installing packages did not work: $missing" \
				"see that apt-get works (network, disk space), then run this again" "$log"
		rm -f "$log"
		ok
	fi
	PG_BIN=$(packages_pg_bin) ||
		die "there is no PostgreSQL 15 or newer in /usr/lib/postgresql" \
			"install the package postgresql"
}

# The folder, reachable for the user that everything runs as.
step_place() {
	step "folder"
	if [ -n "$RUNAS" ] && ! getent passwd "$RUNAS" >/dev/null; then
		useradd --system --user-group --no-create-home \
			--home-dir /nonexistent --shell /usr/sbin/nologin "$RUNAS" ||
			die "the system user $RUNAS cannot be made" "see what useradd said"
	fi
	place_dir
	case $DIR in
	*[!A-Za-z0-9/._+-]*)
		die "$DIR: only letters, digits and / . _ + - can stand in the path" \
			"choose another folder with --dir"
		;;
	esac
	as sh -c 'cd "$1" && : >>.lock' sh "$DIR"
	exec 9<"$DIR/.lock"
	flock -n 9 || die "another quickstart is at work in $DIR" "wait for it"
	cd "$DIR" || die "$DIR cannot be entered" ""
	as mkdir -p app build etc log state/quickstart nginx
	as chmod 750 app build etc log state nginx
	RUN=$(run_dir_of)
	raise_limits
	place_run
	place_settings
	same "$DIR"
}

# A stream takes descriptors in server and web server; only root may raise the
# hard limit, and only before the user is changed.
raise_limits() {
	if [ -n "$RUNAS" ] && [ "$(ulimit -Hn)" != unlimited ] &&
		[ "$(ulimit -Hn)" -lt 131072 ]; then
		ulimit -Hn 131072 2>/dev/null || true
	fi
}

# Can the user work in DIR?
dir_is_reachable() {
	as sh -c 'cd "$1" && [ -w . ]' sh "$DIR" 2>/dev/null
}

place_dir() {
	local moved

	DIR=$(readlink -m -- "$ASKED_DIR")
	mkdir -p "$DIR" 2>/dev/null ||
		die "$DIR cannot be made" "choose a folder of yours with --dir"
	if [ ! -e "$DIR/.lock" ] && [ -n "$(ls -A "$DIR")" ]; then
		die "$DIR is not empty, and no instance of ours" \
			"choose another folder with --dir"
	fi
	[ -z "$RUNAS" ] || chown "$RUNAS:$RUNAS" "$DIR"
	chmod 750 "$DIR" 2>/dev/null || true
	dir_is_reachable && return
	[ -n "$RUNAS" ] ||
		die "$DIR is not writable" "choose a folder of yours with --dir"
	# Below /root, say: the real folder is elsewhere, a link leads to it.
	moved=/var/lib/switchboard-$(short_hash "$ASKED_DIR")
	rmdir "$DIR" 2>/dev/null ||
		die "user $RUNAS cannot reach $DIR, and it is not empty" \
			"empty it, or choose another with --dir"
	mkdir -p "$moved"
	chown "$RUNAS:$RUNAS" "$moved"
	chmod 750 "$moved"
	ln -sfn "$moved" "$ASKED_DIR"
	DIR=$moved
	dir_is_reachable || die "user $RUNAS cannot reach $DIR" \
		"choose a folder that it can reach with --dir"
}

# /run is empty after the machine's start, so this is looked at each time.
place_run() {
	if [ ! -d "$RUN" ]; then
		if [ "${RUN#"$DIR"/}" != "$RUN" ]; then
			as mkdir -m 750 "$RUN"
		else
			mkdir -m 750 "$RUN"
			[ -z "$RUNAS" ] || chown "$RUNAS:$RUNAS" "$RUN"
		fi
	fi
	# stat looks at a link itself: one that somebody laid is theirs
	[ "$(stat -c '%F %U' "$RUN")" = "directory ${RUNAS:-$(id -un)}" ] ||
		die "$RUN belongs to somebody else" "remove it, or choose a shorter --dir"
	[ "$RUN" = "$DIR/run" ] || as ln -sfn "$RUN" "$DIR/run"
	as sh -c 'mkdir -p "$1/pg" && chmod 700 "$1/pg"' sh "$RUN"
}

# What was asked for now counts; else what was kept; else the defaults.
place_settings() {
	local kept=$DIR/etc/instance cores

	cores=$(nproc)
	PORT=${ASKED_PORT:-$(value_of "$kept" PORT)}
	WORKERS=${ASKED_WORKERS:-$(value_of "$kept" WORKERS)}
	THREADS=${ASKED_THREADS:-$(value_of "$kept" THREADS)}
	[ "$(value_of "$kept" DEMO)" != no ] || DEMO=
	PORT=${PORT:-8080}
	WORKERS=${WORKERS:-$((cores < 2 ? 2 : cores > 64 ? 64 : cores))}
	THREADS=${THREADS:-1024}
	if ! pid_web >/dev/null || [ "$PORT" != "$(value_of "$kept" PORT)" ]; then
		! (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null ||
			die "port $PORT is taken by another program" \
				"choose another: scripts/quickstart --port $((PORT < 65535 ? PORT + 1 : 8080))"
	fi
	printf 'PORT=%s\nWORKERS=%s\nTHREADS=%s\nDEMO=%s\n' "$PORT" "$WORKERS" \
		"$THREADS" "$([ -n "$DEMO" ] && echo yes || echo no)" | put 640 "$kept"
	place_provider
}

# One word for the shell.
quoted() {
	case $1 in
	*[!A-Za-z0-9/._:@%+=,-]*) printf "'%s'" "${1//\'/\'\\\'\'}" ;;
	*) printf '%s' "$1" ;;
	esac
}

# Keys of model providers: those of this run replace the kept ones; one that is
# set to nothing goes.
place_provider() {
	local file=$DIR/etc/provider.env name new='' kept

	for name in OPENAI_API_KEY OPENAI_BASE_URL ANTHROPIC_API_KEY \
		ANTHROPIC_BASE_URL; do
		if [ -z "${!name+set}" ]; then
			kept=$(grep "^$name=" "$file" 2>/dev/null) || continue
			new+=$kept$'\n'
		elif [ -n "${!name}" ]; then
			case ${!name} in
			*$'\n'*) die "$name has more than one line" "set it again" ;;
			esac
			new+="$name=$(quoted "${!name}")"$'\n'
		fi
	done
	if [ ! -f "$file" ] || [ "${new%$'\n'}" != "$(cat "$file")" ]; then
		printf '%s' "$new" | put 600 "$file"
	fi
}

stamp() { # NAME: what stands there
	cat "$DIR/state/quickstart/$1" 2>/dev/null || true
}

set_stamp() { # NAME TEXT
	printf '%s\n' "$2" | put 640 "$DIR/state/quickstart/$1"
}

# Names of what a build depends on; a clone has no empty folders.
source_files() {
	local f have=()

	for f in $SOURCES; do
		[ ! -e "$CLONE/$f" ] || have+=("$f")
	done
	(cd "$CLONE" && find "${have[@]}" -type f ! -path '*/.*' ! -name '*~' \
		! -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z)
}

source_hash() {
	(cd "$CLONE" && source_files | xargs -0 sha256sum | sha256sum | cut -c1-64)
}

# A copy of the clone in DIR/src, where only what differs is written: make then
# builds only that, and the clone may be read-only.
copy_sources() {
	as rm -rf src.new
	as mkdir -p src src.new
	source_files | tar -C "$CLONE" --null -T - -cf - | as tar -C "$DIR/src.new" -xf -
	as sh -c '
		set -e
		cd "$1/src.new"
		find . -type f | while read -r f; do
			cmp -s "$f" "../src/$f" && continue
			mkdir -p "../src/${f%/*}"
			cp -f "$f" "../src/$f"
		done
		cd ../src
		find . -type f ! -path "./autom4te.cache/*" ! -path "./build-aux/*" \
			! -name Makefile.in ! -name "configure*" ! -name aclocal.m4 \
			! -name "config.h.in*" | while read -r f; do
			[ -e "../src.new/$f" ] || rm -f "$f"
		done
		rm -rf ../src.new' sh "$DIR"
}

step_build() {
	local log=$DIR/log/build.log hash jobs

	step "building"
	hash=$(source_hash)
	if [ "$(stamp built)" = "$hash" ] && [ -x app/bin/switchboardd ]; then
		same "unchanged"
		return
	fi
	copy_sources || die "the sources could not be copied to $DIR/src" \
		"is there space on the disk?"
	jobs=$(nproc)
	keep_templates
	logged "$log" sh -c '
		set -e
		cd "$1/src"
		[ -f configure ] && [ -f Makefile.in ] || sh ./autogen.sh
		cd "$1/build"
		[ -f Makefile ] || "$1/src/configure" -q --prefix="$1/app" \
			--sbindir="$1/app/bin" --sysconfdir="$1/etc" CFLAGS="-O2 -g"
		make -s -j"$2"
		make -s install' sh "$DIR" "$jobs" ||
		die "the build failed" \
			"see the whole log, $log; after a mistake in the build itself remove $DIR/build" "$log"
	set_stamp built "$hash"
	ok
}

# Templates in etc/agent_templates that nobody has edited follow the shipped
# ones; this notes which those are, before new ones come.
keep_templates() {
	local shipped=app/share/switchboard/agent_templates f

	EDITED=
	for f in etc/agent_templates/*.yaml; do
		[ -e "$f" ] || continue
		cmp -s "$f" "$shipped/${f##*/}" || EDITED="$EDITED ${f##*/} "
	done
}

copy_templates() {
	local f name

	as mkdir -p etc/agent_templates
	for f in app/share/switchboard/agent_templates/*.yaml; do
		name=${f##*/}
		case ${EDITED:-} in
		*" $name "*) continue ;;
		esac
		cmp -s "$f" "etc/agent_templates/$name" ||
			as cp "$f" "etc/agent_templates/$name"
	done
}

# Our own cluster: no TCP, sockets in a folder of ours, passwords for all.
step_postgres() {
	local log=$DIR/log/postgresql.log major=${PG_BIN%/bin}

	step "PostgreSQL"
	major=${major##*/}
	if [ ! -s pg/PG_VERSION ]; then
		make_cluster
	elif [ "$(cat pg/PG_VERSION)" != "$major" ]; then
		PG_BIN=/usr/lib/postgresql/$(cat pg/PG_VERSION)/bin
		[ -x "$PG_BIN/postgres" ] ||
			die "the cluster in $DIR/pg is of PostgreSQL $(cat pg/PG_VERSION), which is not installed" \
				"install postgresql-$(cat pg/PG_VERSION), or upgrade the cluster with pg_upgrade"
	fi
	if pid_postgres >/dev/null; then
		same "runs already"
		return
	fi
	write_pg_conf
	logged "$DIR/log/pg_ctl.log" "$PG_BIN/pg_ctl" -s -w -t 120 -D "$DIR/pg" \
		-l "$log" start ||
		die "PostgreSQL did not start" "see $log" "$log"
	ok
}

make_cluster() {
	local log=$DIR/log/initdb.log

	as rm -rf pg.new
	[ -s pgsuper ] || (
		umask 077
		set -C
		head -c 24 /dev/urandom | base64 | tr '+/' '-_' >pgsuper
	)
	# The superuser's password stays with whoever runs this script (root):
	# the servers' user sees it only while the cluster is made.
	logged "$log" sh -c 'umask 077 && cat >pgsuper.once && "$1/initdb" -D "$2/pg.new" \
		-U sb_super --auth=scram-sha-256 --pwfile=pgsuper.once -E UTF8 \
		--locale=C.UTF-8 --data-checksums; rc=$?; rm -f pgsuper.once; exit $rc' \
		sh "$PG_BIN" "$DIR" <pgsuper ||
		die "initdb failed" "see $log" "$log"
	echo "include 'switchboard.conf'" |
		as sh -c 'cat >>"$1/pg.new/postgresql.conf"' sh "$DIR"
	as mv pg.new pg
}

write_pg_conf() {
	put 600 "$DIR/pg/switchboard.conf" <<-END
		# Written by scripts/quickstart at each start; your own settings
		# belong into postgresql.conf, behind the line that includes this.
		listen_addresses = ''
		unix_socket_directories = '$RUN/pg'
		unix_socket_permissions = 0700
		max_connections = $((60 + 8 * WORKERS))
		shared_buffers = 128MB
		max_wal_size = 1GB
		log_line_prefix = '%m [%p] %u@%d '
		timezone = 'UTC'
	END
}

# sb LOG VERB...: the operator's command with the instance's configuration.
sb() {
	local log=$1

	shift
	logged "$log" "$DIR/app/bin/switchboard" -c "$DIR/etc/switchboard.conf" "$@"
}

step_database() {
	local log=$DIR/log/migrate.log any=''

	step "database and configuration"
	if [ ! -s etc/switchboard.conf ] || [ ! -s state/quickstart/init ]; then
		copy_templates
			logged "$log" sh -c 'read -r PGPASSWORD && export PGPASSWORD && exec "$@"' sh \
			"$DIR/app/bin/switchboard" init --keep \
			--super "host=$RUN/pg user=sb_super dbname=postgres" \
			--etc "$DIR/etc" \
			--database-url "host=$RUN/pg" \
			--set "run_dir=$RUN" \
			--set "state_dir=$DIR/state" \
			--set "templates_dir=$DIR/etc/agent_templates" \
			--set "log_file=$DIR/log/switchboard.log" \
			--set "pid_file=$RUN/switchboardd.pid" \
			--set "chat_workers=$WORKERS" \
			--set "threads=$THREADS" <pgsuper ||
			die "the database could not be made" "see $log" "$log"
		set_stamp init yes
		any=1
	fi
	if [ "$(stamp migrated)" != "$(stamp built)" ]; then
		copy_templates
		sb "$log" migrate ||
			die "the database's schema could not be brought up to date" \
				"see $log" "$log"
		set_stamp migrated "$(stamp built)"
		any=1
	fi
	set_parameter chat_workers "$WORKERS"
	set_parameter threads "$THREADS"
	set_parameter public_urls "http://127.0.0.1:$PORT"
	set_parameter mail_templates_dir "$DIR/app/share/switchboard/mail"
	set_parameter page_templates_dir "$DIR/app/share/switchboard/pages"
	sb "$DIR/log/check.log" config check ||
		die "the configuration is not good" \
			"mend $DIR/etc/switchboard.conf" "$DIR/log/check.log"
	if [ -n "$any" ]; then
		ok
	else
		same "unchanged"
	fi
}

# Only the lines that options of ours stand for; the rest is the operator's.
set_parameter() { # NAME VALUE
	local conf=$DIR/etc/switchboard.conf

	if grep -qxF "$1 = $2" "$conf"; then
		return
	fi
	if grep -q "^$1 *=" "$conf"; then
		sed "s|^$1 *=.*|$1 = $2|" "$conf" | put 600 "$conf"
	else
		{
			cat "$conf"
			printf '%s = %s\n' "$1" "$2"
		} | put 600 "$conf"
	fi
}

step_demo() {
	local log=$DIR/log/demo.log what=''

	step "demo accounts"
	[ -n "$DEMO" ] || what=--platform
	if [ "$(stamp demo)" = "$(stamp built)$what" ] && [ -s quickstart.env ] &&
		[ -s etc/secrets.env ]; then
		write_env
		same "unchanged"
		return
	fi
	sb "$log" demo load --secrets "$DIR/etc/secrets.env" ${what:+"$what"} ||
		die "the demo could not be loaded" "see $log" "$log"
	write_env
	set_stamp demo "$(stamp built)$what"
	if [ -n "$what" ]; then
		same "left out"
	else
		ok
	fi
}

# quickstart.env: everything somebody needs who wants to use the instance.
write_env() {
	local secrets=$DIR/etc/secrets.env owner host name text

	owner=$(sed -n 's/^[^:]*:[^:]*:[^:]*:sb_owner://p' etc/pgpass)
	host=$(printf '%s' "$RUN/pg" | sed 's|/|%2F|g')
	text=$(
		printf 'SB_URL=http://127.0.0.1:%s\n' "$PORT"
		printf 'SB_DIR=%s\nSB_CONF=%s/etc/switchboard.conf\n' "$DIR" "$DIR"
		for name in SB_ACCOUNT SB_API_KEY SB_WIDGET_KEY \
			SB_ADMIN_EMAIL SB_ADMIN_PASSWORD \
			SB_OWNER_EMAIL SB_OWNER_PASSWORD \
			SB_VIEWER_EMAIL SB_VIEWER_PASSWORD; do
			printf '%s=%s\n' "$name" "$(value_of "$secrets" "$name")"
		done
		printf 'SB_DATABASE_URL=postgresql://sb_owner:%s@%s/switchboard\n' \
			"$owner" "$host"
		printf 'SB_BIN=%s/app/bin\n' "$DIR"
	)
	[ "$text" = "$(cat quickstart.env 2>/dev/null)" ] ||
		printf '%s\n' "$text" | put 600 "$DIR/quickstart.env"
}

# What the running server was started with; another one means a restart.
server_stamp() {
	{
		stamp built
		printf '%s %s %s\n' "$WORKERS" "$THREADS" "$RUN"
		cat etc/provider.env
	} | sha256sum | cut -c1-64
}

step_server() {
	local log=$DIR/log/switchboard.log pid i=0 want

	step "switchboardd"
	want=$(server_stamp)
	if pid=$(pid_server); then
		if [ "$(stamp started)" = "$want" ]; then
			same "runs already"
			return
		fi
		kill -TERM "$pid"
		proc_gone "$pid" 45 ||
			die "the old switchboardd (pid $pid) does not end" "see $log" "$log"
	fi
	# The keys are read by the server's own user, never by root's shell.
	logged "$DIR/log/start.log" setsid -f sh -c 'set -a
		. "$1/etc/provider.env"
		set +a
		exec "$1/app/bin/switchboardd" -c "$1/etc/switchboard.conf"' \
		sh "$DIR" </dev/null
	while ! server_answers; do
		i=$((i + 1))
		if [ $i -gt 150 ]; then
			[ -s "$log" ] || log=$DIR/log/start.log
			die "switchboardd does not answer" \
				"see $DIR/log/switchboard.log and $DIR/log/start.log" "$log"
		fi
		sleep 0.2
	done
	set_stamp started "$want"
	ok
}

# It runs and has made its sockets.
server_answers() {
	pid_server >/dev/null && [ -S "$RUN/chat.sock" ] && [ -S "$RUN/health.sock" ]
}

step_web() {
	local log=$DIR/log/nginx.log pid changed='' i=0 text

	step "nginx on 127.0.0.1:$PORT"
	text=$(web_conf)
	if [ "$text" != "$(cat nginx/nginx.conf 2>/dev/null)" ]; then
		printf '%s\n' "$text" | put 640 "$DIR/nginx/nginx.conf"
		changed=1
	fi
	if pid=$(pid_web); then
		if [ -z "$changed" ]; then
			same "runs already"
			return
		fi
		kill -QUIT "$pid"
		proc_gone "$pid" 20 || kill -TERM "$pid"
		proc_gone "$pid" 10 || die "the old nginx (pid $pid) does not end" "see $log" "$log"
	fi
	web_start ||
		die "nginx did not start" "see $log" "$DIR/log/nginx-start.log"
	while ! pid_web >/dev/null; do
		i=$((i + 1))
		[ $i -lt 50 ] || die "nginx did not start" "see $log" "$log"
		sleep 0.1
	done
	ok
}

# The web server is root's only where the port asks for it.
web_user() {
	if [ -n "$RUNAS" ] && [ "$PORT" -lt 1024 ]; then
		printf 'user %s;\n' "$RUNAS"
	fi
}

web_conf() {
	local files

	files=$(ulimit -Hn)
	[ "$files" != unlimited ] && [ "$files" -lt 65536 ] || files=65536
	sed -e "s|^worker_rlimit_nofile .*|worker_rlimit_nofile $files;|" \
		-e "s|worker_connections .*|worker_connections $((files < 20480 ? files : 20480));|" \
		-e "s|^@USER_LINE@\$|$(web_user)|" \
		-e "s|@LISTEN@|127.0.0.1:$PORT|g" \
		-e "s|@RUN_DIR@|$RUN|g" \
		-e "s|@LOG_DIR@|$DIR/log|g" \
		-e "s|@TMP_DIR@|$DIR/nginx|g" \
		-e "s|@STATIC_DIR@|$DIR/app/share/switchboard/static|g" \
		app/share/switchboard/nginx/nginx.conf.in
}

web_start() {
	local log=$DIR/log/nginx-start.log

	set -- nginx -p "$DIR/nginx/" -c "$DIR/nginx/nginx.conf" -e "$DIR/log/nginx.log"
	if [ -z "$(web_user)" ]; then
		logged "$log" "$@" </dev/null
	else
		"$@" </dev/null 9<&- 2>&1 | as sh -c 'cat >"$1"' sh "$log"
	fi
}

# Ask through the web server: METHOD-less, with curl's own arguments.
web() {
	curl -sS -m 150 --noproxy '*' "$@"
}

wait_ready() {
	local url=http://127.0.0.1:$PORT/readyz i=0 code

	while :; do
		code=$(web -o /dev/null -m 5 -w '%{http_code}' "$url" 2>/dev/null) || code=none
		[ "$code" != 200 ] || return 0
		i=$((i + 1))
		[ $i -lt 100 ] || return 1
		sleep 0.2
	done
}

# A member of a flat place in a JSON text, as text; no JSON program is needed.
json_text() { # JSON NAME
	printf '%s' "$1" | tr '\n' ' ' |
		grep -o "\"$2\":[ ]*\"\([^\"\\\\]\|\\\\.\)*\"" | head -n 1 |
		sed -e 's/^[^:]*:[ ]*"//' -e 's/"$//' -e 's/\\"/"/g' \
			-e 's|\\/|/|g' -e 's/\\n/\n/g' -e 's/\\t/\t/g' \
			-e 's/\\\\/\\/g'
}

turn_failed() { # STATUS ANSWER
	local more="see $DIR/log/switchboard.log"

	if [ -s etc/provider.env ]; then
		more="is the key of the model's provider good, and its address reachable?
Set it again for the next run (OPENAI_API_KEY=... scripts/quickstart), or drop
it by setting it to nothing (OPENAI_API_KEY= scripts/quickstart): without any
key the built-in concierge answers."
	fi
	step_failed
	instance_tell
	die "all is running, but the question was not answered (status $1): $2" "$more"
}

# One real question through web server, worker, agent and model; not again
# when it was answered and nothing has changed since.
step_turn() {
	local url question key answer status answered=$DIR/etc/answered

	step "a first question"
	if [ -z "$WORKED" ] && [ -e "$answered" ]; then
		same "answered before; all is running and unchanged"
		return
	fi
	rm -f "$answered"
	wait_ready ||
		die "the server is not ready: $(web -m 5 "http://127.0.0.1:$PORT/readyz" 2>&1)" \
			"see $DIR/log/switchboard.log" "$DIR/log/switchboard.log"
	key=$(value_of quickstart.env SB_API_KEY)
	if [ -z "$key" ]; then
		same "no demo account to ask; the server is ready"
		return
	fi
	url=http://127.0.0.1:$PORT/accounts/$(value_of quickstart.env SB_ACCOUNT)/chat/sales/human_health
	question='Which ECG do you have for a small practice, and what does it cost?'
	# The key goes through a pipe, not onto the command line.
	answer=$(printf 'header = "Authorization: Bearer %s"\n' "$key" |
		web -K - -H 'Content-Type: application/json' -w '\n%{http_code}' \
			-d "{\"message\":\"$question\"}" "$url" 2>&1) || true
	status=${answer##*$'\n'}
	answer=${answer%$'\n'*}
	[ "$status" = 200 ] || turn_failed "${status:-none}" "$answer"
	: >"$answered"
	ok
	printf '\n  Q: %s\n  A: %s\n  (%s)\n' "$question" \
		"$(json_text "$answer" reply | sed '2,$s/^/     /')" \
		"$(json_text "$answer" model)"
}
