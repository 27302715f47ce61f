#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The interface's text, read by Debian's Varlink parser. That parser takes no upper case in an interface's name (the
# language does), so it gets a copy whose name is in lower case.
set -eu

tool=varlink-go-interface-generator
if ! command -v "$tool" >/dev/null; then
	echo "SKIP: $tool is not installed (Debian package varlink-go)"
	exit 77
fi

file=${srcdir:-.}/data/org.vfiodisplay.Display.varlink
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# Writes $dir/NAME/NAME.varlink with the name in lower case and runs the tool on it: it makes a Go file beside it.
generate()
{
	mkdir "$dir/$1"
	sed -e 's/^interface .*/interface org.vfiodisplay.display/' "$2" >"$dir/$1/$1.varlink"
	(cd "$dir/$1" && "$tool" "$1.varlink") || return 1
	set -- "$dir/$1"/*.go
	[ -s "$1" ]
}

generate display "$file" || { echo "FAIL: $file does not parse"; exit 1; }

# The check can fail.
sed -e 's/^method List(/method List(id ?string, /' "$file" >"$dir/broken"
if generate broken "$dir/broken" >/dev/null 2>&1; then
	echo "FAIL: $tool accepts a broken text"
	exit 1
fi
echo "PASS"
