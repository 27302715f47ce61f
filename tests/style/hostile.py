# SPDX-License-Identifier: GPL-2.0-or-later
"""Every row of the hostile ones in tests/conformance/README.md names tests, and those are in tests/scenario/hostile_*.py."""
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
COUNT = 32


def main():
    faults = []
    tests = collections.Counter(name for path in (ROOT / "tests/scenario").glob("hostile_*.py")
                                for name in re.findall(r"^    def (test_\w+)\(self", path.read_text(), re.M))
    rows = re.findall(r"^\| (\d+) \|(.*)\|(.*)\|$", (ROOT / "tests/conformance/README.md").read_text(), re.M)
    if [int(row[0]) for row in rows] != list(range(1, COUNT + 1)):
        faults.append(f"the table has no {COUNT} rows in their order")
    for number, _, cell in rows:
        named = re.findall(r"`([^`]+)`", cell)
        if not named:
            faults.append(f"row {number} names no test")
        faults += [f"row {number}: there is no {name}" for name in named if name not in tests]
    for fault in faults:
        print("tests/conformance/README.md: " + fault)
    sys.exit(bool(faults))


main()
