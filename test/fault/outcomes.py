"""What became of each fault, and the table of it in docs/testing.md."""

import collections
import re

from world import CLASSES, ROOT

DOCUMENT = ROOT / "docs" / "testing.md"
BEGIN, END = "<!-- faults -->\n", "<!-- end of faults -->\n"
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
        self.kills = []

    def reaches(self, phase, name, count):
        self.reached[phase, name] = max(self.reached[phase, name], count)

    def add(self, phase, name, outcome):
        self.seen[phase, name][outcome] += 1

    def fail(self, text):
        self.failures.append(text)
        print("not ok - " + text, flush=True)

    def cells(self, phase, name):
        """Of this run, or what the document has of an earlier one."""
        seen = self.seen[phase, name]
        if (phase, name) not in self.reached:
            return self.written().get((phase, name), ["0", "0", "–"])
        words = ", ".join(f"{word} {seen[word]}" for word in WORDS if seen[word])
        return [str(self.reached[phase, name]), str(sum(seen.values())), words or "–"]

    def table(self):
        lines = []
        for name in CLASSES[1:]:
            cells = self.cells("start", name) + self.cells("changes", name)
            if cells[0] != "0" or cells[3] != "0":
                lines.append(f"| `{name}` | {ERRORS[name]} | {' | '.join(cells)} |\n")
        return HEAD + "".join(lines)

    def written(self):
        """Cells of the table in the document, by phase and class."""
        text = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
        found = {}
        for line in text.splitlines()[2:]:
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            found["start", cells[0].strip("`")] = cells[2:5]
            found["changes", cells[0].strip("`")] = cells[5:8]
        return found

    def write(self):
        text = DOCUMENT.read_text(encoding="utf-8")
        begin, rest = text.split(BEGIN)
        DOCUMENT.write_text(begin + BEGIN + self.table() + END + rest.split(END)[1],
                            encoding="utf-8")

    def compare(self):
        """
        Each outcome of a change seen now is one that the document knows of that class. Starts take
        long, so most of their places have not been tried when the table was made: what it lacks
        there is told.
        """
        written = self.written()
        for (phase, name), seen in self.seen.items():
            known = re.sub(r" [0-9]+", "", written.get((phase, name), ["", "", ""])[2]).split(", ")
            new = set(seen) - set(known)
            text = f"{phase}: {name}: docs/testing.md does not know of {', '.join(new)}"
            if new and phase == "changes":
                self.fail(text)
            elif new:
                print("# " + text)

    def print(self):
        print(self.table())
        for compacts, count, died in self.kills:
            print(f"killed before {died} of the {count} system calls of "
                  f"{'a compaction' if compacts else 'a change'}")
