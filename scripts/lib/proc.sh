# Processes of one instance, found by pid files and checked before they are
# touched: a pid file can be older than the machine's last start.
# Sourced by bash.
# shellcheck shell=bash

# proc_pid FILE PATTERN [EXE]: the pid in the first line of FILE if that process
# runs, its command line contains PATTERN and (where that can be seen) its
# program is EXE.
proc_pid() {
	local pid='' line exe

	[ -r "$1" ] || return 1
	read -r pid <"$1" || [ -n "$pid" ] || return 1
	case $pid in
	'' | *[!0-9]*) return 1 ;;
	esac
	line=$({ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null) || return 1
	case $line in
	*"$2"*) ;;
	*) return 1 ;;
	esac
	if [ -n "${3:-}" ] && exe=$(readlink "/proc/$pid/exe" 2>/dev/null); then
		[ "${exe% (deleted)}" = "$3" ] || return 1
	fi
	printf '%s\n' "$pid"
}

# proc_gone PID SECONDS: wait until it has ended.
proc_gone() {
	local i=0

	while [ "$i" -lt $(($2 * 10)) ]; do
		[ -d "/proc/$1" ] || return 0
		case $(sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null) in
		Z*) return 0 ;;
		esac
		sleep 0.1
		i=$((i + 1))
	done
	return 1
}
