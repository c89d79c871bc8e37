"""What became of each fault, and the table of it in docs/testing.md."""

import collections
import re

from world import CLASSES, ROOT

DOCUMENT = ROOT / "docs" / "testing.md"
BEGIN, END = "<!-- faults: test/fault/run.sh --all --write -->\n", "<!-- end of faults -->\n"
HEAD = ("| what fails | with | calls at a start | made to fail | outcome "
        "| calls in changes | made to fail | outcome |\n|---|---|--:|--:|---|--:|--:|---|\n")
ERRORS = {
    "bpf": "ENOMEM", "netlink": "ENOBUFS", "stream": "ECONNRESET", "socket": "ENOBUFS",
    "accept": "EMFILE", "epoll": "ENOMEM, EINTR", "timer": "EMFILE", "open": "EMFILE",
    "read": "EIO", "write": "ENOSPC", "sync": "EIO", "rename": "EIO", "truncate": "EIO",
    "directory": "EIO", "stat": "EIO", "lock": "ENOLCK", "ioctl": "ENOMEM", "mmap": "ENOMEM",
    "memory": "ENOMEM", "process": "EPERM",
}
WORDS = ["refused", "error", "hung up", "told", "goes on"]


class Outcomes:
    def __init__(self):
        self.reached = collections.Counter()
        self.seen = collections.defaultdict(collections.Counter)
        self.failures = []

    def reaches(self, phase, name, count):
        self.reached[phase, name] = max(self.reached[phase, name], count)

    def add(self, phase, name, outcome):
        self.seen[phase, name][outcome] += 1

    def fail(self, text):
        self.failures.append(text)
        print("not ok - " + text, flush=True)

    def cells(self, phase, name):
        seen = self.seen[phase, name]
        words = ", ".join(f"{word} {seen[word]}" for word in WORDS if seen[word])
        return f"{self.reached[phase, name]} | {sum(seen.values())} | {words or '–'}"

    def table(self):
        lines = [f"| `{name}` | {ERRORS[name]} | {self.cells('start', name)} "
                 f"| {self.cells('changes', name)} |\n"
                 for name in CLASSES[1:] if any(self.reached[phase, name] for phase in
                                                ("start", "changes"))]
        return HEAD + "".join(lines)

    def write(self):
        text = DOCUMENT.read_text(encoding="utf-8")
        begin, rest = text.split(BEGIN)
        DOCUMENT.write_text(begin + BEGIN + self.table() + END + rest.split(END)[1],
                            encoding="utf-8")

    def compare(self):
        """Each outcome seen now is one that the document knows of that class."""
        text = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
        known = {}
        for line in text.splitlines()[2:]:
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            for phase, at in (("start", 4), ("changes", 7)):
                known[phase, cells[0].strip("`")] = set(re.findall(r"[a-z ]*[a-z]", cells[at]))
        for (phase, name), seen in self.seen.items():
            new = set(seen) - {word.strip() for word in known.get((phase, name), ())}
            if new:
                self.fail(f"{phase}: {name}: docs/testing.md does not know of {', '.join(new)}")
