#!/usr/bin/python3
"""Compares what bench_counts tells of the BPF program with what counts.json holds.

    test/bench/counts.py [BUILD]            fails where something has grown by more than 3 %
    test/bench/counts.py [BUILD] --write    takes what is as what shall be

BUILD: the build directory, or a file that holds what its bench_counts has told.

Instructions of a program, and those that a packet takes, depend on the compiler alone; what the
verifier and the JIT make of it, on the kernel too. So they are kept by version; of a version that
is not in the file nothing can be said, and the comparison is skipped. Calls of helpers may not grow
at all: one is worth many instructions.
"""

import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
RECORD = HERE / "counts.json"
TOLERANCE = 1.03


def count(build):
    build = pathlib.Path(build)
    if build.is_file():
        return json.loads(build.read_text(encoding="utf-8"))
    program = build / "test/bench/bench_counts"
    return json.loads(subprocess.run([program], check=True, stdout=subprocess.PIPE).stdout)


def sections(counts):
    """{key of the record: {name: numbers}}"""
    compiler, kernel = counts["compiler"], counts["kernel"]
    compiled, loaded = {}, {}
    for name, sizes in counts["programs"].items():
        compiled[f"program {name}"] = {"instructions": sizes.pop("instructions")}
        loaded[f"program {name} as loaded"] = sizes
    return {compiler: {**compiled, **counts["packets"]}, f"{compiler}, {kernel}": loaded}


def flat(numbers):
    """{what: (number, how much it may grow)}"""
    result = {what: (number, TOLERANCE) for what, number in numbers.items() if what != "helpers"}
    for helper, calls in numbers.get("helpers", {}).items():
        result[f"calls of {helper}"] = (calls, 1)
    return result


def growth(now, record):
    """What is more than the record allows, as sentences; and whether anything is less."""
    before = flat(record)
    grown = []
    shrunk = False
    for what, (number, tolerance) in flat(now).items():
        old = before.get(what, (0, 1))[0]
        if number > old * tolerance:
            grown.append(f"{what}: {old} -> {number}")
        shrunk = shrunk or number < old
    return grown, shrunk


def compare_section(key, section, record):
    failed = False
    shrunk = []
    for name, now in section.items():
        if name not in record:
            print(f"not ok - {name} ({key}) is in counts.json; `counts.py --write` puts it there")
            failed = True
            continue
        grown, is_less = growth(now, record[name])
        print(f"{'not ok' if grown else 'ok'} - {name} takes no more than before ({key})")
        for line in grown:
            print(f"#     {line}")
        failed = failed or bool(grown)
        if is_less:
            shrunk.append(name)
    if shrunk:
        print(f"# takes less than before: {'; '.join(shrunk)}. `counts.py --write` holds on to it.")
    return failed


def compare(now, records):
    failed = False
    for key, section in now.items():
        if key in records:
            failed = compare_section(key, section, records[key]) or failed
        else:
            print(f"ok - counts of {key} # SKIP counts.json has no record of this version")
    return failed


def write(now, records):
    records.update(now)
    lines = []
    for key, section in sorted(records.items()):
        entries = [f"    {json.dumps(name)}: {json.dumps(numbers)}"
                   for name, numbers in section.items()]
        lines.append(f"  {json.dumps(key)}: {{\n" + ",\n".join(entries) + "\n  }")
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"wrote {RECORD.name}: {', '.join(now)}")


def main():
    words = [word for word in sys.argv[1:] if word != "--write"]
    build = words[0] if words else HERE.parent.parent / "build"
    now = sections(count(build))
    records = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    if "--write" in sys.argv[1:]:
        write(now, records)
    elif compare(now, records):
        sys.exit(1)


if __name__ == "__main__":
    main()
