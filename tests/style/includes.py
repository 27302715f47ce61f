# SPDX-License-Identifier: GPL-2.0-or-later
"""Says which #include points up the line of rooms (docs/ARCHITECTURE.md). Exit status 0: none does."""
import pathlib
import re
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "src"
LINE = ["handover", "vfio", "plane", "capture", "damage", "frame"]
ENDS = ["rfb", "import", "login"]        # at the end of the line, beside each other
# Rooms that are not on the line, and what they may see besides themselves and base/.
BESIDE = {
    "base": [],
    "varlink": [],
    "state": [],
    "input": ["handover"],
    "metrics": [],
    "testcard": ["frame", "varlink"],
    "registrar": ["varlink", "state"],
    "adapter": ["handover", "input", "varlink", "state"],
    "ctl": ["handover", "vfio", "varlink"],
    "control": [*LINE, "input", "varlink", "state", "metrics", "."],
}
DATA = {"control/table.inc"}            # rows of text, for who prints them too
# "." are the files of src/ itself: display, which joins the rooms, its parts, and what is built on it.
TOP = {
    "inbox": [],
    "change": [*LINE],
    "driver": [*LINE],
    "resize": [*LINE],
    "bulletin": [*LINE, "input", "."],
    "cursor": [*LINE, "input", "."],
    "scan": [*LINE, "input", "."],
    "monitor": [*LINE, "input", "."],
    "exposition": [*LINE, "input", "."],
    "dump": [*LINE, "input", "."],
    "scrape": [*LINE, "input", ".", "metrics"],
    "lookout": [*LINE, "input", ".", "state", "varlink"],
    "snapshot": [*LINE],
    "stage": [*LINE],
    "display": [*LINE, "input", "."],
    "display_internal": [*LINE, "input", "."],
    "custody": [*LINE, "input", "."],
    "duty": [*LINE, "input", "."],
    "peek": [*LINE, "input", "."],
    "report": [*LINE, "input", "."],
    "audience": [*LINE, "input", "."],
    "typing": [*LINE, "input", "."],
    "ghost": [*LINE, "input", "."],
    "power": [*LINE, "."],
    "amend": [*LINE, "input", "."],
    "ticket": [],
    "login": [*LINE],
    "credentials": [*LINE, "."],
    "admission": [*LINE, "."],
    "policy": ["frame"],
    "idmap": [],
    "audit": [".", "varlink"],
    "audit_events": [*LINE, ".", "varlink"],
    "rights": ["varlink", "."],
    "rights_file": ["."],
    "rights_rules": ["."],
    "pem": [],
    "secrets": ["frame", "."],
    "entrance": [*LINE, ".", "state"],
    "gate": [*LINE, ".", "state"],
    "gate_keep": [*LINE, ".", "state"],
    "memo": [*LINE, ".", "state", "control", "input"],
    "keep": [*LINE, ".", "state", "input"],
    "restore": [*LINE, ".", "state", "control"],
    "registry": [*LINE, "."],
    "exhibit": [*LINE, "varlink", "."],
    "reception": ["handover", "varlink", "state"],
    "manager": [*LINE, "input", ".", "control", "varlink", "state", "metrics"],
    "main": [*LINE, "input", ".", "control", "varlink", "state", "metrics"],
}


def allowed(room, path):
    if room == ".":
        return TOP.get(path.stem)
    if room in LINE:
        return LINE[:LINE.index(room)]
    if room in ENDS:
        return LINE
    return BESIDE.get(room)


def room_of(name):
    return name.split("/")[0] if "/" in name else "."


def main():
    bad, files = [], 0
    for path in sorted(SOURCE.rglob("*.[ch]")):
        name = str(path.relative_to(SOURCE))
        room, files = room_of(name), files + 1
        may = allowed(room, path)
        if may is None:
            bad.append(f"src/{name}: this room is not on the line: tell tests/style/includes.py where it stands")
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
            if not found or found[1] in DATA or not (SOURCE / found[1]).exists():
                continue
            other = room_of(found[1])
            if other not in (room, "base", *may):
                bad.append(f"src/{name}:{number}: {room} includes {found[1]}")
    print("\n".join(bad) or f"{files} files, none includes what is to its right")
    if not files:
        bad.append("no files")
    return 1 if bad else 0


sys.exit(main())
