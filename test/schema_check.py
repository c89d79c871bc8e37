#!/usr/bin/python3
"""Checks tables documents against docs/tables.schema.json.

    schema_check.py            every docs/examples/*.json, but for kubernetes-list.json
    schema_check.py FILE|-…    these documents, e.g. what `lbctl export` printed

Prints a line for each; exits 1 when one does not fit. That the schema itself refuses what lbd
refuses is checked too: a few documents that must not fit.
"""

import json
import pathlib
import sys

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOREIGN = {"kubernetes-list.json"}  # in kubectl's grammar, not ours

MUST_NOT_FIT = {
    "an array": [],
    "an unknown key": {"services": [], "colour": "red"},
    "port 70000": {"services": [{"address": "10.96.0.10", "port": 70000}]},
    "port 0": {"services": [{"address": "10.96.0.10", "port": 0}]},
    "a port that is a string": {"services": [{"address": "10.96.0.10", "port": "80"}]},
    "no address": {"services": [{"port": 80}]},
    "an unknown protocol": {"services": [{"address": "10.96.0.10", "port": 80,
                                          "protocol": "icmp"}]},
    "a negative weight": {"services": [{"address": "10.96.0.10", "port": 80, "backends": [
        {"address": "10.1.0.5", "port": 80, "weight": -1}]}]},
    "a deadline of a backend that is active": {"services": [
        {"address": "10.96.0.10", "port": 80, "backends": [
            {"address": "10.1.0.5", "port": 80, "deadline": "2099-12-31T23:59:59Z"}]}]},
    "a deadline that is no time": {"services": [
        {"address": "10.96.0.10", "port": 80, "backends": [
            {"address": "10.1.0.5", "port": 80, "state": "draining", "deadline": "soon"}]}]},
    "an unknown key of a backend": {"services": [{"address": "10.96.0.10", "port": 80, "backends": [
        {"address": "10.1.0.5", "port": 80, "colour": "red"}]}]},
}


class Report:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def line(self, is_good, sentence, reason=""):
        self.passed += is_good
        self.failed += not is_good
        print(("ok - " if is_good else "not ok - ") + sentence)
        if not is_good and reason:
            print("    " + reason)


def first_error(validator, document):
    error = next(iter(sorted(validator.iter_errors(document), key=str)), None)
    return f"{error.json_path}: {error.message[:300]}" if error else ""


def check_file(validator, path, report):
    try:
        text = sys.stdin.read() if path == "-" else pathlib.Path(path).read_text(encoding="utf-8")
        error = first_error(validator, json.loads(text))
    except (OSError, ValueError) as problem:
        error = str(problem)
    report.line(not error, f"{path} fits the schema", error)


def main(arguments):
    schema = json.loads((ROOT / "docs/tables.schema.json").read_text(encoding="utf-8"))
    jsonschema.validators.validator_for(schema).check_schema(schema)
    validator = jsonschema.validators.validator_for(schema)(schema)
    report = Report()
    if arguments:
        paths = arguments
    else:
        paths = sorted(str(path) for path in ROOT.glob("docs/examples/*.json")
                       if path.name not in FOREIGN)
        report.line(bool(paths), "docs/examples holds documents")
        for name, document in MUST_NOT_FIT.items():
            report.line(bool(first_error(validator, document)), f"the schema refuses {name}")
    for path in paths:
        check_file(validator, path, report)
    print(f"# {report.passed} passed, {report.failed} failed, 0 skipped")
    sys.exit(report.failed > 0)


if __name__ == "__main__":
    main(sys.argv[1:])
