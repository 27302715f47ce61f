# SPDX-License-Identifier: GPL-2.0-or-later
"""Says which of the tree's files `make dist` leaves out. usage: tarball.py TARBALL; exit status 0: none.

Where the tree is no git checkout there is nothing to compare with: whoever has it has it from the tarball.
"""
import pathlib
import subprocess
import sys
import tarfile

# For those who work on the tree.
NOT_SHIPPED = ".gitignore"

tree = pathlib.Path(__file__).resolve().parents[2]
if not (tree / ".git").exists():
    print("no git checkout: nothing to compare with")
    sys.exit(0)
listed = subprocess.run(["git", "-c", f"safe.directory={tree}", "-C", tree, "ls-files", "-z"], check=True, capture_output=True).stdout
wanted = {name for name in listed.decode().split("\0") if name and not name.endswith(NOT_SHIPPED)}
with tarfile.open(sys.argv[1]) as tarball:
    shipped = {member.name.split("/", 1)[1] for member in tarball.getmembers() if member.isfile()}
missing = sorted(wanted - shipped)
for name in missing:
    print(f"not in the tarball: {name}")
sys.exit(bool(missing))
