#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The units, sysusers and tmpfiles files as they would be installed: systemd understands them without a complaint, and the
# service's exposure is no more than 1.5.
set -euo pipefail

threshold=${1:-15} # tenths
build=$PWD
src=$(cd "${srcdir:-.}" && pwd)

command -v systemd-analyze >/dev/null || { echo "systemd-analyze is missing"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() { echo "unit.sh: $*" >&2; exit 1; }

silent() # WHAT COMMAND...: it must succeed and say nothing
{
	local what=$1 said

	shift
	said=$("$@" 2>&1) || fail "$what: $said"
	[ -z "$said" ] || fail "$what: $said"
}

units=$scratch/etc/systemd/system
mkdir -p "$units"
cp "$build"/systemd/vfio-displayd{.service,.socket,-monitor.socket} "$src"/systemd/vfio-displayd{.slice,-gate.socket,-metrics.socket} "$units"
grep -l '@[a-z]*@\|\${' "$units"/* && fail "a variable was left as it is"
grep -q '^ExecStart=/.*/vfio-displayd$' "$units/vfio-displayd.service" || fail "ExecStart is not what it should be"
# The program that would be installed, from where it is now.
sed -i "s|^ExecStart=.*|ExecStart=$build/vfio-displayd|" "$units/vfio-displayd.service"

for unit in .service .socket .slice -gate.socket -monitor.socket -metrics.socket; do
	SYSTEMD_UNIT_PATH="$units:" silent "systemd-analyze verify vfio-displayd$unit" \
		systemd-analyze verify --man=no "$units/vfio-displayd$unit"
done
systemd-analyze security --no-pager --offline=true --threshold="$threshold" "$units/vfio-displayd.service" \
	>"$scratch/rating" || { cat "$scratch/rating"; fail "exposure is more than $threshold tenths"; }
tail -1 "$scratch/rating"

registrar=$build/systemd/vfio-displayd-registrar.service
if [ -e "$registrar" ]; then
	sed "s|^ExecStart=.*|ExecStart=$build/vfio-displayd-registrar|" "$registrar" >"$units/vfio-displayd-registrar.service"
	SYSTEMD_UNIT_PATH="$units:" silent "systemd-analyze verify vfio-displayd-registrar" \
		systemd-analyze verify --man=no "$units/vfio-displayd-registrar.service"
	systemd-analyze security --no-pager --offline=true --threshold="$threshold" "$units/vfio-displayd-registrar.service" \
		>"$scratch/rating" || { cat "$scratch/rating"; fail "the registrar's exposure is more than $threshold tenths"; }
	tail -1 "$scratch/rating"
fi

for name in vfio-display-input-qmp vfio-display-input-uinput; do
	template=$build/systemd/$name@.service
	[ -e "$template" ] || continue
	! grep -q '@[a-z]*@\|\${prefix' "$template" || fail "$name: a variable was left as it is"
	sed "s|^ExecStart=[^ ]*|ExecStart=$build/$name|" "$template" >"$units/$name@.service"
	SYSTEMD_UNIT_PATH="$units:" silent "systemd-analyze verify $name" systemd-analyze verify --man=no "$units/$name@vm.service"
	systemd-analyze security --no-pager --offline=true --threshold="$threshold" "$units/$name@.service" \
		>"$scratch/rating" || { cat "$scratch/rating"; fail "$name: exposure is more than $threshold tenths"; }
	tail -1 "$scratch/rating"
done

# Against an empty root: users first, then the directories that belong to them.
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers --root="$scratch" "$build/conf/sysusers.d/vfio-displayd.conf" >"$scratch/users" 2>&1 ||
		fail "systemd-sysusers: $(cat "$scratch/users")"
	grep -q '^vfio-displayd:' "$scratch/etc/passwd" || fail "no user vfio-displayd"
	for group in vfio-display vfio-display-observe; do
		grep -q "^$group:" "$scratch/etc/group" || fail "no group $group"
	done
fi
if [ "$(id -u)" = 0 ] && command -v systemd-tmpfiles >/dev/null; then
	silent systemd-tmpfiles systemd-tmpfiles --create --root="$scratch" "$build/conf/tmpfiles.d/vfio-displayd.conf"
	rfb=$(find "$scratch" -type d -path '*/vfio-displayd/rfb')
	ids=$(stat -c '%a %u %g' "$rfb")
	user=$(awk -F: '$1 == "vfio-displayd" { print $3 }' "$scratch/etc/passwd")
	group=$(awk -F: '$1 == "vfio-display" { print $3 }' "$scratch/etc/group")
	[ "$ids" = "2750 $user $group" ] || fail "$rfb: mode, user and group are $ids"
	[ "$(stat -c '%a %u' "$(dirname "$rfb")")" = "755 0" ] || fail "$(dirname "$rfb") is not root's alone"
fi
