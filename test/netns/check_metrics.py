#!/usr/bin/python3
"""Judges what /metrics has answered, by prometheus_client: its parser of OpenMetrics is strict.

    check_metrics.py FILE text|openmetrics [NAME{LABEL="VALUE",…}…]

Prints the value of each sample that is asked for, one a line (`-`: there is none). Exits 1 where
the text breaks a rule: a sample without its metric, one told twice, a histogram whose counts fall.
"""

import re
import sys

from prometheus_client import parser
from prometheus_client.openmetrics import parser as strict_parser


def complain(text):
    print(text)
    sys.exit(1)


def check_histogram(family):
    """Cumulative, and +Inf is the count."""
    last, counts = {}, {}
    for sample in family.samples:
        labels = {key: value for key, value in sample.labels.items() if key != "le"}
        key = tuple(sorted(labels.items()))
        if sample.name.endswith("_bucket"):
            if sample.value < last.get(key, 0):
                complain(f"{sample} falls")
            last[key] = sample.value
        elif sample.name.endswith("_count"):
            counts[key] = sample.value
    if last != counts:
        complain(f"{family.name}: +Inf and count differ")


def read(path, is_open):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if not is_open and not text.endswith("\n"):
        complain("does not end with a newline")
    samples = {}
    parse = strict_parser if is_open else parser
    for family in parse.text_string_to_metric_families(text):
        if family.type not in ("counter", "gauge", "histogram"):
            complain(f"{family.name}: of type {family.type}")
        if not family.documentation:
            complain(f"{family.name}: no help")
        if family.type == "histogram":
            check_histogram(family)
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            if key in samples:
                complain(f"{key} is told twice")
            samples[key] = sample.value
    return samples


def key_of(word):
    name, _, labels = word.partition("{")
    pairs = re.findall(r'(\w+)="((?:\\.|[^"\\])*)"', labels)
    return name, tuple(sorted(pairs))


def main(path, form, *words):
    samples = read(path, form == "openmetrics")
    if not words:
        print(f"{len(samples)} samples")
    for word in words:
        value = samples.get(key_of(word))
        print("-" if value is None else f"{value:.15g}")


if __name__ == "__main__":
    main(*sys.argv[1:])
