#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Debian's Varlink certification: its client on our server, then our client on its server.
set -eu

tool=varlink-go-certification
if ! command -v "$tool" >/dev/null; then
	echo "SKIP: $tool is not installed (Debian package varlink-go)"
	exit 77
fi

ours=$PWD/tests/conformance
dir=$(mktemp -d)
server=

finish()
{
	[ -z "$server" ] || kill "$server" 2>/dev/null || :
	[ -z "$server" ] || wait "$server" 2>/dev/null || :
	server=
}
trap 'finish; rm -rf "$dir"' EXIT

fail()
{
	echo "FAIL: $*"
	exit 1
}

# Waits until the server listens.
wait_for()
{
	i=0
	until [ -S "$1" ]; do
		kill -0 "$server" 2>/dev/null || fail "the server did not start"
		i=$((i + 1))
		[ $i -lt 200 ] || fail "no socket after 10 seconds"
		sleep 0.05
	done
}

"$ours/certification-server" "$dir/ours" &
server=$!
wait_for "$dir/ours"
# Twice: the second client has its own state. The tool's exit status says nothing about all_ok.
for round in 1 2; do
	timeout 30 "$tool" -client -varlink "unix:$dir/ours" >"$dir/log" 2>&1 || { cat "$dir/log"; fail "client $round"; }
	grep -q "^End: 'true'" "$dir/log" || { cat "$dir/log"; fail "client $round is not certified"; }
done
cat "$dir/log"
finish

"$tool" -varlink "unix:$dir/theirs" &
server=$!
timeout 30 "$ours/certification-client" "$dir/theirs" || fail "our client on their server"
echo "PASS"
