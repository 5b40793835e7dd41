# One instance made by scripts/quickstart: where its parts lie, how its programs
# are run, stopping it and saying how it is.  Sourced by bash after say.sh and
# proc.sh.
#
#	DIR	everything: app src build etc state log pg nginx run
#	RUN	sockets; a short directory of its own when DIR is long
#	RUNAS	the system user when we are root, else empty
#
# shellcheck shell=bash
# shellcheck disable=SC2034	# shared with steps.sh
# shellcheck disable=SC2016	# texts for another shell

DIR=
RUN=
PORT=
WORKERS=
THREADS=
RUNAS=
[ "$(id -u)" -ne 0 ] || RUNAS=switchboard

# Run a command as the instance's user, with nothing of our environment and
# without the lock on descriptor 9, which a server must not keep.
as() {
	local to=()

	if [ -n "$RUNAS" ]; then
		to=(setpriv "--reuid=$RUNAS" "--regid=$RUNAS" --init-groups
			--inh-caps=-all --)
	fi
	env -i PATH="$PATH" HOME="$DIR" LANG=C.UTF-8 "${to[@]}" "$@" 9<&-
}

# logged LOG COMMAND...: as the user, with its words in LOG.  The user opens the
# file itself: root writes nothing where the user could lay a link.
logged() {
	as sh -c 'rm -f "$1"; exec >"$1" 2>&1; shift; exec "$@"' sh "$@"
}

# Replace a file of the instance: put MODE FILE, the text on standard input.
put() {
	as sh -c 'umask 077; cat >"$2.new" && chmod "$1" "$2.new" &&
		mv -f "$2.new" "$2"' sh "$1" "$2"
}

# The value of NAME in a file of NAME=value lines; nothing of it is run.
value_of() { # FILE NAME
	[ -r "$1" ] || return 0
	sed -n "s/^$2=//p" "$1" | tail -n 1
}

short_hash() {
	printf '%s' "$1" | sha256sum | cut -c1-8
}

# Sockets have at most 107 bytes of path; PostgreSQL's is the longest.
run_dir_of() {
	if [ ${#DIR} -le 60 ]; then
		printf '%s/run\n' "$DIR"
	elif [ "$(id -u)" -eq 0 ]; then
		printf '/run/switchboard-%s\n' "$(short_hash "$DIR")"
	else
		printf '%s/switchboard-%s-%s\n' "${XDG_RUNTIME_DIR:-/tmp}" \
			"$(id -u)" "$(short_hash "$DIR")"
	fi
}

# instance_find ASKED: set DIR, RUN and what was kept; 1 when nothing is there.
instance_find() {
	DIR=$(readlink -m -- "$1")
	[ -f "$DIR/etc/instance" ] || return 1
	RUN=$(run_dir_of)
	PORT=$(value_of "$DIR/etc/instance" PORT)
	WORKERS=$(value_of "$DIR/etc/instance" WORKERS)
	THREADS=$(value_of "$DIR/etc/instance" THREADS)
	case $PORT$WORKERS$THREADS in
	'' | *[!0-9]*)
		die "$DIR/etc/instance is damaged" \
			"remove it and run scripts/quickstart again"
		;;
	esac
	PG_BIN=$(packages_pg_bin) || PG_BIN=
}

pid_postgres() {
	proc_pid "$DIR/pg/postmaster.pid" "$DIR/pg"
}

pid_server() {
	proc_pid "$RUN/switchboardd.pid" switchboardd "$DIR/app/bin/switchboardd"
}

pid_web() {
	proc_pid "$RUN/nginx.pid" "$DIR"
}

# stop_one NAME PID SIGNAL SECONDS
stop_one() {
	printf 'stopping %s (pid %s) ... ' "$1" "$2"
	kill "-$3" "$2" 2>/dev/null || true
	if proc_gone "$2" "$4"; then
		echo ok
		return 0
	fi
	echo 'still there'
	return 1
}

# The web server first, so that nothing new comes; then the server, which ends
# what it has begun; the database last.
instance_stop() {
	local pid any=

	if pid=$(pid_web); then
		any=1
		stop_one nginx "$pid" QUIT 10 || stop_one nginx "$pid" TERM 10 ||
			die "nginx (pid $pid) does not end" "look at $DIR/log/nginx.log"
	fi
	if pid=$(pid_server); then
		any=1
		stop_one switchboardd "$pid" TERM 45 ||
			die "switchboardd (pid $pid) does not end" \
				"look at $DIR/log/switchboard.log"
	fi
	if pid=$(pid_postgres); then
		any=1
		stop_one PostgreSQL "$pid" INT 60 ||
			die "PostgreSQL (pid $pid) does not end" \
				"look at $DIR/log/postgresql.log"
	fi
	[ -n "$any" ] || echo "nothing was running in $DIR"
	# Sockets outside DIR: nothing of them is left behind; a start makes
	# the folder again.
	case $RUN in
	"$DIR"/*) ;;
	*/switchboard-*) rm -rf -- "$RUN" ;;
	esac
}

instance_status() {
	local pid up=0 ready

	if pid=$(pid_postgres); then
		up=$((up + 1))
		echo "PostgreSQL    running, pid $pid"
	else
		echo "PostgreSQL    not running"
	fi
	if pid=$(pid_server); then
		up=$((up + 1))
		echo "switchboardd  running, pid $pid"
	else
		echo "switchboardd  not running"
	fi
	if pid=$(pid_web); then
		up=$((up + 1))
		ready=$(curl -s -o /dev/null -m 5 --noproxy '*' -w '%{http_code}' \
			"http://127.0.0.1:$PORT/readyz") || ready=none
		echo "nginx         running, pid $pid, http://127.0.0.1:$PORT (readyz: $ready)"
		[ "$ready" = 200 ] || [ "$up" -lt 3 ] || up=2
	else
		echo "nginx         not running"
	fi
	echo "folder        $DIR"
	case $up in
	0) return 3 ;;
	3) return 0 ;;
	*) return 1 ;;
	esac
}

# What somebody who has just started it wants to know.
instance_tell() {
	local env=$DIR/quickstart.env email

	email=$(value_of "$env" SB_ADMIN_EMAIL)
	printf '\nSwitchboard runs at http://127.0.0.1:%s/\n' "$PORT"
	printf '  administrator  %s  %s\n' "$email" \
		"$(value_of "$env" SB_ADMIN_PASSWORD)"
	if [ -n "$(value_of "$env" SB_ACCOUNT)" ]; then
		printf '  owner          %s  %s\n' \
			"$(value_of "$env" SB_OWNER_EMAIL)" \
			"$(value_of "$env" SB_OWNER_PASSWORD)"
		printf '  viewer         %s  %s\n' \
			"$(value_of "$env" SB_VIEWER_EMAIL)" \
			"$(value_of "$env" SB_VIEWER_PASSWORD)"
		printf '  hosted chat    http://127.0.0.1:%s/accounts/%s/talk/sales/human_health\n' \
			"$PORT" "$(value_of "$env" SB_ACCOUNT)"
	fi
	printf '  settings       %s (shell syntax)\n' "$env"
	printf '  stop it with   scripts/quickstart stop%s\n' \
		"$([ "$ASKED_DIR" = "$CLONE/var" ] || printf ' --dir %s' "$ASKED_DIR")"
}
