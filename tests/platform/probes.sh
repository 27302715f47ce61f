#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The probes that docs/OBSERVE.md lists, with as many arguments as it says, are those that the programs have.
set -euo pipefail

build=$PWD
src=$(cd "${srcdir:-.}" && pwd)
command -v readelf >/dev/null || { echo "readelf is missing"; exit 77; }
grep -q '^#define HAVE_USDT 1' "$build/config.h" || { echo "built without sys/sdt.h"; exit 77; }

documented=$(sed -n '/^## Probes/,$p' "$src/docs/OBSERVE.md" |
	awk -F'|' '$2 ~ /`/ { gsub(/[` ]/, "", $2); gsub(/ /, "", $3); print $3, $2, gsub(/,/, ",", $4) + 1 }' | sort)
there=$(for program in vfio-displayd vfio-displayd-rfb; do
	readelf -n "$build/$program" | awk -v program=$program '
		/Provider:/ { provider = $2 } /Name:/ { name = $2 }
		/Arguments:/ { if (provider == "vfio_displayd") print program, name, NF - 1 }'
done | sort -u)
[ -n "$there" ] || { echo "no probes in the programs"; exit 1; }
diff <(echo "$documented") <(echo "$there") || { echo "docs/OBSERVE.md (<) and the programs (>) differ"; exit 1; }
