# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts the tests that a log tells of: `counts`, `failures` or `skips`, then the exit status and the log of what ran.

Known are the logs of cmocka, of Python's unittest and lines "ok NAME" and "not ok NAME - why". Anything else is one test, which
passed if its exit status is 0. A program that failed without saying which test is one failure more.
"""
import re
import sys


def cmocka(text):
    failed = re.findall(r"^\[  FAILED  \] (?!\d+ test)(.*?)(?: \(.*)?$", text, re.M)
    passed = re.findall(r"^\[       OK \] (.*)", text, re.M)
    skipped = re.findall(r"^\[  SKIPPED \] (?!\d+ test)(.*)", text, re.M)
    return len(passed), sorted({name.split(":")[-1].strip() for name in failed}), len(set(skipped))


def unittest(text):
    ran = sum(int(n) for n in re.findall(r"^Ran (\d+) tests? in", text, re.M))
    skipped = sum(int(n) for n in re.findall(r"^(?:OK|FAILED) \(.*?skipped=(\d+)", text, re.M))
    failed = re.findall(r"^(?:FAIL|ERROR|UNEXPECTED SUCCESS): (.*)", text, re.M)
    tests = set(failed)          # a test with several failed subtests is one
    tests = {re.sub(r" [\[(](?!__main__).*", "", name) for name in tests}
    return max(0, ran - skipped - len(tests)), sorted(tests), skipped


def because(text):
    """The exceptions of unittest's tracebacks: what is read first, and all that a shortened output may have of it."""
    for block in re.split(r"^={70}$", text, flags=re.M)[1:]:
        name = re.match(r"\s*(?:FAIL|ERROR): (.*)", block)
        said = re.findall(r"^[A-Za-z_.]+(?:: .*|$)", block.partition("-" * 70)[2].partition("-" * 70)[0], re.M)
        if name and said:
            yield f"{name[1].split(' ')[0]}: {said[0]}"


def lines(text):
    passed = re.findall(r"^ok (.*)", text, re.M)
    failed = re.findall(r"^not ok (.*)", text, re.M)
    return len(passed), failed, len(re.findall(r"^skip (.*)", text, re.M))


def tally(status, text):
    if re.search(r"^\[=+\] (Running|\d+ tests?)|^\[=+\] .*: Running", text, re.M):
        passed, failed, skipped = cmocka(text)
    elif re.search(r"^Ran \d+ tests? in", text, re.M):
        passed, failed, skipped = unittest(text)
    elif re.search(r"^(not )?ok ", text, re.M):
        passed, failed, skipped = lines(text)
    else:
        passed, failed, skipped = int(status == 0), [], 0
    if status and not failed:
        failed = [f"exit status {status}"]
    return passed, failed, skipped


def main():
    what, status, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    with open(path, errors="replace") as log:
        text = log.read()
    passed, failed, skipped = tally(status, text)
    if what == "counts":
        print(passed, len(failed), skipped)
        return
    if what == "skips":
        reasons = re.findall(r"^# skipped: (.*)", text, re.M) + re.findall(r"\.\.\. skipped ['\"](.*)['\"]$", text, re.M)
        print("; ".join(dict.fromkeys(reasons)) or "no reason given")
        return
    for name in failed[:20]:
        print(f"failed: {name}")
    for reason in list(because(text))[:20]:
        print(f"because: {reason[:200]}")
    print("\n".join(text.splitlines()[-40:]))


main()
