# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a text of OpenMetrics 1.0 strictly: what its ABNF and its rules about families, suffixes and histograms forbid is an AssertionError."""
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"'
NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|Inf)|NaN"
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL})(?:,{LABEL})*)\}})? ({NUMBER})")
SUFFIXES = {"gauge": [""], "counter": ["_total"], "info": ["_info"], "histogram": ["_bucket", "_sum", "_count"]}


class Family:
    def __init__(self, name, kind):
        self.name, self.type, self.unit, self.help, self.samples = name, kind, None, None, []


def unescape(text):
    return re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), text)


def check_histogram(family):
    buckets = [(labels["le"], value) for name, labels, value in family.samples if name.endswith("_bucket")]
    bounds = [float(le.replace("+Inf", "inf")) for le, _ in buckets]
    assert bounds == sorted(bounds) and bounds[-1] == float("inf"), family.name
    assert all(re.fullmatch(r"[0-9]+\.[0-9]+|\+Inf", le) for le, _ in buckets), [le for le, _ in buckets]
    counts = [value for _, value in buckets]
    assert counts == sorted(counts), family.name
    single = {name: value for name, labels, value in family.samples if not labels}
    assert single[family.name + "_count"] == counts[-1], family.name
    assert single[family.name + "_sum"] >= 0


def parse(text):
    """Families by name."""
    assert text.endswith("# EOF\n") and text.count("# EOF") == 1, text[-100:]
    families, family, seen = {}, None, set()
    for line in text.split("\n")[:-2]:
        words = line.split(" ", 3)
        if words[0] == "#":
            assert words[1] in ("TYPE", "UNIT", "HELP") and len(words) == 4, line
            if words[1] == "TYPE":
                assert words[2] not in families and words[3] in SUFFIXES, line
                family = families[words[2]] = Family(words[2], words[3])
            assert words[2] == family.name and not family.samples, f"out of its place: {line}"
            if words[1] == "UNIT":
                assert family.name.endswith("_" + words[3]), line
                family.unit = words[3]
            elif words[1] == "HELP":
                assert family.help is None, line
                family.help = words[3]
            continue
        found = SAMPLE.fullmatch(line)
        assert found and family, f"no sample: {line}"
        name, labels = found[1], {key: unescape(value) for key, value in re.findall(LABEL, found[2] or "")}
        assert name in [family.name + suffix for suffix in SUFFIXES[family.type]], f"{name} in family {family.name}"
        key = (name, tuple(sorted(labels.items())))
        assert key not in seen, f"twice: {line}"
        seen.add(key)
        value = float(found[found.lastindex])
        assert value >= 0, line
        family.samples.append((name, labels, value))
    for each in families.values():
        assert each.help, each.name
        if each.type == "histogram":
            check_histogram(each)
    return families


def value(families, name, labels):
    """Of the sample with exactly these labels; 0 where there is none."""
    for family in families.values():
        for sample, has, number in family.samples:
            if sample == name and has == labels:
                return number
    return 0
