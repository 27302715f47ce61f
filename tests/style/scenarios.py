# SPDX-License-Identifier: GPL-2.0-or-later
"""Every test that tests/vm/README.md names exists, and every numbered check of the VM is named there, in the row of its number."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
COUNT = 25


def names(folder, pattern, expression):
    return {name for path in (ROOT / folder).glob(pattern) for name in re.findall(expression, path.read_text(), re.M)}


def main():
    faults = []
    checks = names("tests/vm", "checks_*.py", r"^def (\w+)\(\):")
    units = names("tests/unit", "test-*.c", r"^static void (\w+)\(void \*\*state\)")
    rows = re.findall(r"^\| (\d+) \|(.*)\|(.*)\|(.*)\|$", (ROOT / "tests/vm/README.md").read_text(), re.M)
    if [int(row[0]) for row in rows] != list(range(1, COUNT + 1)):
        faults.append("the table has no %d scenarios in their order" % COUNT)
    named = set()
    for number, _, vm, besides in rows:
        for cell, known in ((vm, checks), (besides, units)):
            for name in re.findall(r"`([^`]+)`", cell):
                if "/" in name and not (ROOT / name).exists() or "/" not in name and name not in known:
                    faults.append("scenario %s: there is no %s" % (number, name))
                numbered = re.match(r"s(\d\d)_", name)
                if numbered and int(numbered.group(1)) != int(number):
                    faults.append("scenario %s: %s is another's" % (number, name))
                named.add(name)
    faults += ["%s is not in the table" % name for name in sorted(checks - named) if re.match(r"s\d\d_", name)]
    for fault in faults:
        print("tests/vm/README.md: " + fault)
    sys.exit(bool(faults))


main()
