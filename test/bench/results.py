"""The benchmark's result files, read: what report.py and plots.py have in common.

Every part leaves its file in the directory: counts.json and program.json (one object each, by
bench_counts and bench_program), path.json, control.json and applications.json (an object a line).
Ratios are medians over rounds of ratios of the same round: what slows the machine for a while slows
both sides of it.
"""

import json
import pathlib
import statistics

WAYS = ("direct", "ours", "iptables", "nftables")
LINE_PARTS = ("path", "control", "applications")


def median_or_none(values):
    return statistics.median(values) if values else None


class Results:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.counts = self.read_whole("counts")
        self.program = self.read_whole("program").get("rows", [])
        lines = [line for part in LINE_PARTS for line in self.read_lines(part)]
        self.notes = {line["note"]: line["value"] for line in lines if "note" in line}
        self.path = {(line["lane"], line["pattern"]): line for line in lines if "lane" in line}
        self.applications = sorted((line for line in lines if "application" in line),
                                   key=lambda line: (line["application"], WAYS.index(line["by"])))

    def read_whole(self, part):
        try:
            return json.loads((self.directory / f"{part}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def read_lines(self, part):
        try:
            text = (self.directory / f"{part}.json").read_text(encoding="utf-8")
        except OSError:
            return []
        return [json.loads(line) for line in text.splitlines() if line.strip()]

    def write_merged(self):
        merged = {"counts": self.counts, "program": self.program, "path": list(self.path.values()),
                  "notes": self.notes, "applications": self.applications}
        path = self.directory / "result.json"
        path.write_text(json.dumps(merged, indent=1) + "\n", encoding="utf-8")

    # ---- path

    def lanes(self, kind=""):
        """Names of the lanes whose name is KIND, or KIND and a number, by that number."""
        names = {lane for lane, _ in self.path
                 if lane == kind or lane.rpartition("-")[0] == kind}
        return sorted(names, key=lambda lane: self.services(lane) or 0)

    def services(self, lane):
        return next((row["services"] for (name, _), row in self.path.items() if name == lane), None)

    def largest(self, kind, limit=10000):
        """The lane of that kind with most services, but no more than the limit; or None."""
        fitting = [lane for lane in self.lanes(kind) if self.services(lane) <= limit]
        return fitting[-1] if fitting else None

    def ns(self, lane, pattern):
        row = self.path.get((lane, pattern))
        return statistics.median(row["ns"]) if row else None

    def rounds(self, lane, other, pattern):
        """times() of each round."""
        a, b = self.path.get((lane, pattern)), self.path.get((other, pattern))
        return [x / y for x, y in zip(a["ns"], b["ns"])] if a and b else []

    def times(self, lane, other, pattern):
        """How many times the time of `other` a packet takes through `lane`; None: not measured."""
        return median_or_none(self.rounds(lane, other, pattern))

    def scaling_rounds(self, lane, pattern):
        """Of each round, the rate of two CPUs at once in rates of one alone."""
        row = self.path.get((lane, pattern), {})
        return [x / y for x, y in zip(row.get("ns_one_core", []), row.get("ns_two_cores", []))]

    def is_lossy(self):
        """Lanes that lost more than one packet in a thousand."""
        return sorted({lane for (lane, _), row in self.path.items()
                       if row["delivered"] < row["sent"] * 0.999})

    # ---- program

    def program_rows(self, name, flows=None, family=None):
        return [row for row in self.program if row["name"] == name and row.get("cpus", 1) == 1
                and flows in (None, row["flows"]) and family in (None, row["family"])]

    def program_worst(self, name, flows=None):
        """The largest multiple of floor A among IPv4's rows of that name."""
        return max((row["ratio_a"] for row in self.program_rows(name, flows, "ipv4")), default=None)

    def program_family(self):
        """The worst IPv6 against IPv4 of all rows that the targets name, and which that is."""
        def key(row):
            return row["name"], row["protocol"], row["flows"]
        names = ("established", "established, table full", "new, table full", "of no service")
        rows = [row for name in names for row in self.program_rows(name)]
        ipv4 = {key(row): row["ns"] for row in rows if row["family"] == "ipv4"}
        ratios = [(row["ns"] / ipv4[key(row)], f"{row['name']}, {row['protocol']}") for row in rows
                  if row["family"] == "ipv6" and key(row) in ipv4]
        return max(ratios, default=(None, ""))
