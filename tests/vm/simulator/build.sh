#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: tests/vm/simulator/build.sh KVER [OUT.ko]	against the installed headers of that kernel; not again where OUT.ko
#							is newer than the sources
#        tests/vm/simulator/build.sh --backports	against the newest headers in this release's backports
#
# The second needs no installed package: the headers are fetched from the mirror that the machine's apt is set up with, into
# a temporary directory, and apt's own state is left alone. Exit status 77, with the reason, where they cannot be reached.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/vfio-display-sim.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

say() { echo "tests/vm/simulator: $*" >&2; }
skip() { say "skipped: $*"; echo "# SKIP $*"; exit 77; }

# build HEADERS [MAKE'S VARIABLES]: the module in a copy, so that the source tree stays clean
build()
{
	mkdir -p "$scratch/module"
	cp "$here"/Kbuild "$here"/*.[ch] "$scratch/module/"
	if ! make -C "$1" M="$scratch/module" KCFLAGS=-Werror "${@:2}" modules >"$scratch/log" 2>&1; then
		cat "$scratch/log" >&2
		say "does not build against $1"
		exit 1
	fi
}

# apt with a configuration of its own: one source, and every directory it writes to in $scratch
own_apt()
{
	local command=$1

	"$command" -q -o Dir::Etc::sourcelist="$scratch/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$scratch/apt/lists" -o Dir::Cache="$scratch/apt/cache" -o APT::Sandbox::User=root "${@:2}"
}

# The mirror that the release itself comes from, as the machine's apt has it.
mirror_of() # CODENAME
{
	apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 2>/dev/null | awk -v want="$1" '$2 == want { print $1; exit }'
}

fetch_backports() # CODENAME
{
	local mirror architecture package version

	mirror=$(mirror_of "$1")
	[ -n "$mirror" ] || skip "apt has no source for $1"
	architecture=$(dpkg --print-architecture)
	mkdir -p "$scratch"/apt/{lists,cache,deb}
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1-backports main" >"$scratch/apt/sources.list"
	own_apt apt-get -o APT::Update::Error-Mode=any update >"$scratch/apt/log" 2>&1 ||
		skip "$1-backports cannot be reached: $(tail -1 "$scratch/apt/log")"
	package=$(own_apt apt-cache depends --no-recommends "linux-headers-$architecture" |
		sed -n 's/.*Depends: \(linux-headers-[0-9].*\)/\1/p' | sort -V | tail -1)
	[ -n "$package" ] || skip "$1-backports has no linux-headers-$architecture"
	version=${package#linux-headers-}
	version=${version%"-$architecture"}
	(cd "$scratch/apt/deb" && own_apt apt-get download "$package" "linux-headers-$version-common" "linux-kbuild-$version") \
		>"$scratch/apt/log" 2>&1 || skip "$package cannot be fetched: $(tail -1 "$scratch/apt/log")"
	for package in "$scratch"/apt/deb/*.deb; do
		dpkg -x "$package" "$scratch/tree"
	done
	kernel=$version-$architecture
}

# The headers name each other by absolute path.
build_backports()
{
	local codename tree=$scratch/tree/usr/src kernel

	codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
	fetch_backports "$codename"
	# Without the kernel itself no BTF is made, which wants tools that building a module does not.
	rm -f "$tree/linux-headers-$kernel/vmlinux"
	sed -i "s|/usr/src/|$tree/|g; s|/usr/lib/linux-kbuild|$scratch/tree/usr/lib/linux-kbuild|g" \
		"$tree/linux-headers-$kernel"/{Makefile,.kernelvariables}
	build "$tree/linux-headers-$kernel"
	echo "built for $kernel"
}

case ${1:?usage: build.sh KVER [OUT.ko] | --backports} in
--backports)
	build_backports
	;;
*)
	if [ -n "${2:-}" ] && [ -e "$2" ] && [ -z "$(find "$here" -newer "$2")" ] &&
		[ "$(modinfo -F vermagic "$2" | cut -d ' ' -f 1)" = "$1" ]; then
		exit 0
	fi
	build "/usr/src/linux-headers-$1"
	[ -z "${2:-}" ] || cp "$scratch/module/vfio_display_sim.ko" "$2"
	;;
esac
