# Debian packages: which are missing, and installing them without any of their
# services being started.  Sourced by bash after say.sh.
# shellcheck shell=bash
# shellcheck disable=SC2034

# What building and running needs.  nginx and PostgreSQL count as there when
# their programs are, whatever package they came from.
PACKAGES_BUILD="gcc libc6-dev make autoconf automake pkg-config libfcgi-dev
	libpq-dev libcurl4-openssl-dev libyaml-dev libssl-dev libsodium-dev
	libjansson-dev libtalloc-dev liblmdb-dev libutf8proc-dev
	liboath-dev libqrencode-dev libfido2-dev brotli"
# What a clone fetches the pages' style sheet with; a release has that.
PACKAGES_CLONE="nodejs npm"
PACKAGES_RUN="postgresql nginx curl ca-certificates util-linux"

# The newest PostgreSQL server programs, 15 or later.
packages_pg_bin() {
	local d best=''

	for d in /usr/lib/postgresql/*/bin; do
		[ -x "$d/initdb" ] || continue
		d=${d%/bin}
		d=${d##*/}
		case $d in
		'' | *[!0-9]*) continue ;;
		esac
		if [ "$d" -ge 15 ] && [ "$d" -gt "${best:-0}" ]; then
			best=$d
		fi
	done
	[ -n "$best" ] && printf '/usr/lib/postgresql/%s/bin\n' "$best"
}

packages_has() {
	case $1 in
	postgresql) packages_pg_bin >/dev/null ;;
	nginx) [ -x "$(PATH=$PATH:/usr/sbin command -v nginx)" ] ;;
	curl | npm) command -v "$1" >/dev/null ;;
	nodejs) command -v node >/dev/null ;;
	*) dpkg-query -W -f '${Status}' "$1" 2>/dev/null |
		grep -q 'ok installed' ;;
	esac
}

# packages_missing NAME...: those that are not there, on one line.
packages_missing() {
	local p out=''

	for p in "$@"; do
		packages_has "$p" || out="$out $p"
	done
	printf '%s\n' "${out# }"
}

# While packages are installed, policy-rc.d forbids every service to start.
# Whatever stood there comes back, also when we are interrupted.
POLICY=/usr/sbin/policy-rc.d

packages_policy_on() {
	# What an earlier run, killed in the middle, put aside is the real one.
	if [ ! -e "$POLICY.switchboard-kept" ] && [ -e "$POLICY" ]; then
		mv -f "$POLICY" "$POLICY.switchboard-kept"
	fi
	printf '#!/bin/sh\nexit 101\n' >"$POLICY"
	chmod 755 "$POLICY"
}

packages_policy_off() {
	rm -f "$POLICY"
	if [ -e "$POLICY.switchboard-kept" ]; then
		mv -f "$POLICY.switchboard-kept" "$POLICY"
	fi
}

# packages_install LOG NAME...: as root; 0, or the status of apt-get.
packages_install() {
	local log=$1

	shift
	(
		mkdir -p /run/lock
		exec 8>/run/lock/switchboard-packages.lock
		flock 8
		trap packages_policy_off EXIT
		trap 'exit 130' INT TERM HUP
		packages_policy_on
		export DEBIAN_FRONTEND=noninteractive
		apt-get -q update &&
			apt-get -q -y -o DPkg::Lock::Timeout=300 install \
				--no-install-recommends "$@"
	) >"$log" 2>&1 </dev/null
}
