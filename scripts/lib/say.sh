# Progress lines and errors, for scripts that are sourced by bash.
#
#	STEPS=9
#	step "building"; do_it; ok
#	step "..."; same "unchanged"		nothing was to do
#	die "what failed" "what to do" [LOG]	last lines of LOG, exit 1
# shellcheck shell=bash

STEP=0
STEPS=${STEPS:-0}
STEP_OPEN=
STEP_BEGAN=0

step() {
	STEP=$((STEP + 1))
	STEP_OPEN=1
	STEP_BEGAN=$SECONDS
	printf '[%d/%d] %s ... ' "$STEP" "$STEPS" "$1"
}

# Set once a step has done something.
WORKED=

# same REMARK: the step found all as it should be.
same() {
	STEP_OPEN=
	printf '%s\n' "$1"
}

# ok: the step has done its work; its time is told when it took any.
ok() {
	local took=$((SECONDS - STEP_BEGAN))

	STEP_OPEN=
	WORKED=1
	if [ "$took" -gt 0 ]; then
		printf 'ok (%d s)\n' "$took"
	else
		printf 'ok\n'
	fi
}

step_failed() {
	[ -z "$STEP_OPEN" ] || printf 'failed\n'
	STEP_OPEN=
}

# For "trap step_lost EXIT": a script that ends by set -e must not end silently.
step_lost() {
	local status=$?

	if [ "$status" -ne 0 ] && [ -n "$STEP_OPEN" ]; then
		step_failed
		printf '\n%s: ended unexpectedly in this step (status %d)\n' \
			"${0##*/}" "$status" >&2
		printf '\nWhat to do: run it again with bash -x %s and report what you see\n' \
			"$0" >&2
	fi
}

die() {
	step_failed
	printf '\n%s: %s\n' "${0##*/}" "$1" >&2
	if [ -n "${3:-}" ] && [ -s "${3:-}" ]; then
		printf '\nThe last lines of %s:\n' "$3" >&2
		tail -n 15 "$3" | sed 's/^/    /' >&2
	fi
	if [ -n "${2:-}" ]; then
		printf '\nWhat to do: %s\n' "$2" >&2
	fi
	exit 1
}
