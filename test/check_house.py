#!/usr/bin/python3
"""Checks what style.md and the house of design.md can be checked for by a script.

Hard findings fail: an include against its direction, a file over 500 lines, a function over 60
lines, a line over 100 columns, `#if` in C, a TODO without an issue. Soft ones are printed: a file
over 300 lines, a function over 40 lines, more than 5 parameters, nesting deeper than 3.
"""

import pathlib
import re
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What a file of each folder may include. Tests may include everything.
MAY_INCLUDE = {
    "include": {"include"},
    "bpf": {"include"},
    "lb": {"include", "lb"},
    "control": {"include", "lb", "control"},
}
# What the steps of bpf/ share; all else in bpf/ is a step, and only STEP_LISTS include those.
SHARED_BY_STEPS = {
    "address.h",
    "affinity.h",
    "alias.h",
    "answer_header.h",
    "claim.h",
    "client_hop.h",
    "connection_table.h",
    "count.h",
    "exit.h",
    "instruction.h",
    "knobs.h",
    "maps.h",
    "masquerade_table.h",
    "network.h",
    "packet.h",
    "part.h",
    "ring.h",
    "socket.h",
    "source.h",
    "stateless.h",
    "tag.h",
    "tunnel.h",
}
# They list the steps; what a hook has (hook_, frame_, act_) is theirs alone to choose.
STEP_LISTS = re.compile(r"^bpf/(\w+\.bpf\.c|walk\.h|act_\w+\.h)$")
LIBBPF = re.compile(r"^bpf/(libbpf|bpf|btf|libbpf_legacy|skel_internal)\.h$")
MAY_USE_LIBBPF = re.compile(r"^(lb/datapath\w*\.[ch]|test/.*)$")

FILE_LINES = (300, 500)  # soft, hard
FUNCTION_LINES = (40, 60)
PARAMETERS = 5
NESTING = 3
COLUMNS = 100
TEXT = {".c", ".h", ".py", ".sh", ".build"}


class Findings:
    def __init__(self):
        self.hard = []
        self.soft = []

    def size(self, where, what, value, limits):
        if value > limits[1]:
            self.hard.append(f"{where}: {what} of {value} lines, {limits[1]} at most")
        elif value > limits[0]:
            self.soft.append(f"{where}: {what} of {value} lines, better {limits[0]}")


def source_files():
    for path in sorted(ROOT.rglob("*")):
        name = path.relative_to(ROOT).as_posix()
        if path.is_file() and (path.suffix in TEXT or path.name == "meson.build"):
            if not re.match(r"^(build|\.git/)", name):
                yield name, path.read_text(encoding="utf-8")


def include_problem(name, target, is_quoted):
    """What is wrong with `name` including `target`, or None."""
    folder = name.split("/")[0]
    target_folder, _, target_file = target.rpartition("/")
    if LIBBPF.match(target) and not is_quoted:
        if folder != "bpf" and not MAY_USE_LIBBPF.match(name):
            return "only lb/datapath*.c use libbpf"
    if not is_quoted or folder not in MAY_INCLUDE:
        return None
    if target.endswith(".skel.h"):
        return None if MAY_USE_LIBBPF.match(name) else "only lb/datapath*.c use the skeleton"
    if not target_folder:
        return "includes are relative to the root"
    if name.startswith("control/lbctl") and target == "lb/datapath.h":
        return "lbctl never touches a map"
    if folder == "bpf" and target_folder == "bpf":
        if STEP_LISTS.match(name) or target_file in SHARED_BY_STEPS:
            return None
        return "a step never includes a step"
    if target_folder.split("/")[0] not in MAY_INCLUDE[folder]:
        return f"{folder}/ may include only {', '.join(sorted(MAY_INCLUDE[folder]))}"
    return None


def check_includes(name, text, findings):
    for match in re.finditer(r'^\s*#\s*include\s+(["<])([^">]+)[">]', text, re.MULTILINE):
        problem = include_problem(name, match[2], match[1] == '"')
        if problem:
            findings.hard.append(f"{name}: includes {match[2]}: {problem}")


def check_lines(name, text, findings):
    is_c = name.endswith((".c", ".h"))
    for number, line in enumerate(text.splitlines(), 1):
        if len(line.expandtabs(8)) > COLUMNS:
            findings.hard.append(f"{name}:{number}: more than {COLUMNS} columns")
        if is_c and re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b", line):
            findings.hard.append(f"{name}:{number}: {line.strip()}")
        if name.startswith("bpf/") and 'SEC("xdp.frags")' in line:
            findings.hard.append(f"{name}:{number}: lbd says who takes frames in fragments")
        if re.search(r"\bTODO\b(?!.*#\d)", line) and name != "test/check_house.py":
            findings.hard.append(f"{name}:{number}: TODO without an issue")


def blank_out(text):
    """The text without what is in comments, strings and macro definitions; lines stay in place."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
                         r"|^[ \t]*#[ \t]*define(?:\\\n|[^\n])*", re.DOTALL | re.MULTILINE)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def functions(text):
    """(name, signature, body lines, first line) of each; a body starts with `{` in column 0."""
    lines = blank_out(text).splitlines()
    for start, line in enumerate(lines):
        if not line.startswith("{"):
            continue
        first = start
        while first > 0 and lines[first - 1].strip() and lines[first - 1][0] not in "}#;":
            first -= 1
        signature = " ".join(lines[first:start])
        ends = (i for i in range(start, len(lines)) if lines[i].startswith("}"))
        end = next(ends, len(lines) - 1)
        name = re.findall(r"(\w+)\s*\(", signature)
        if name and "=" not in signature:
            yield name[-1], signature, lines[first:end + 1], first + 1


def count_parameters(signature):
    inside = signature[signature.rfind("("):] if signature.count("(") == 1 else \
        signature[signature.find("("):]
    depth = commas = 0
    for char in inside:
        depth += (char == "(") - (char == ")")
        commas += char == "," and depth == 1
    return 0 if re.match(r"\(\s*(void)?\s*\)", inside) else commas + 1


def nesting(body):
    depth = deepest = 0
    for char in "".join(body):
        depth += (char == "{") - (char == "}")
        deepest = max(deepest, depth)
    return deepest - 1


def check_functions(name, text, findings, sizes):
    for function, signature, body, first in functions(text):
        where = f"{name}:{first}: {function}"
        sizes.append(len(body))
        findings.size(where, "a function", len(body), FUNCTION_LINES)
        if count_parameters(signature) > PARAMETERS:
            findings.soft.append(f"{where}: more than {PARAMETERS} parameters")
        if nesting(body) > NESTING:
            findings.soft.append(f"{where}: nested deeper than {NESTING}")


def main():
    findings = Findings()
    sizes = []
    files = 0
    for name, text in source_files():
        files += 1
        findings.size(name, "a file", text.count("\n"), FILE_LINES)
        check_lines(name, text, findings)
        if name.endswith((".c", ".h")):
            check_includes(name, text, findings)
            check_functions(name, text, findings, sizes)

    print(("ok" if not findings.hard else "not ok") + " - the house is in order: "
          f"{len(findings.hard)} hard findings, {len(findings.soft)} soft")
    for line in findings.hard:
        print(f"    hard: {line}")
    for line in findings.soft:
        print(f"    soft: {line}")
    if sizes:
        p90 = sorted(sizes)[len(sizes) * 9 // 10]
        print(f"# {files} files, {len(sizes)} functions: median {statistics.median(sizes):.0f}, "
              f"p90 {p90}, longest {max(sizes)} lines")
    sys.exit(bool(findings.hard))


if __name__ == "__main__":
    main()
