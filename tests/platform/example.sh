#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The example of docs/HANDOVER.md works as it stands there: what it hands over is seen and is let go.
set -euo pipefail

build=$PWD
src=$(cd "${srcdir:-.}" && pwd)
command -v python3 >/dev/null || { echo "python3 is missing"; exit 77; }
scratch=$(mktemp -d)
daemon=

finish()
{
	[ -z "$daemon" ] || { kill "$daemon" 2>/dev/null && wait "$daemon" || true; }
	cat "$scratch/log" 2>/dev/null || true
	rm -rf "$scratch"
}
trap finish EXIT

fail() { echo "example.sh: $*" >&2; exit 1; }

within() # SECONDS COMMAND...: true in that time
{
	local end=$((SECONDS + $1))

	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

sed -n '/^```python$/,/^```$/p' "$src/docs/HANDOVER.md" | sed '/^```/d' >"$scratch/example.py"
[ -s "$scratch/example.py" ] || fail "there is no example"

: >"$scratch/conf"
"$build/vfio-displayd" --config "$scratch/conf" --control "$scratch/control" >"$scratch/log" 2>&1 &
daemon=$!
within 20 test -S "$scratch/control" || fail "the daemon does not start"

python3 "$scratch/example.py" "$scratch/control" 3 >"$scratch/said" &
example=$!
within 20 grep -qs '^registered as example' "$scratch/said" || fail "the example does not register"
"$build/vfio-displayctl" --socket "$scratch/control" capture example -o "$scratch/picture.png" || fail "there is no picture"
[ -s "$scratch/picture.png" ] || fail "the picture is empty"
wait "$example" || fail "the example fails"
grep -q '^unregistered' "$scratch/said" || fail "the example does not unregister"
grep -q 'example: released' "$scratch/log" || fail "the daemon still holds it"
