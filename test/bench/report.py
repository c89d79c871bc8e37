#!/usr/bin/python3
"""Prints what the benchmark found: issue 3's targets beside the results, then the details.

    report.py DIRECTORY            its files are described in results.py; writes result.json
"""

import statistics
import sys

from results import Results, median_or_none

ROUND_TRIP = "round trip"


def number(value):
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


class Target:
    def __init__(self, what, relation, limit, unit, value, remark=""):
        self.what, self.relation, self.limit = what, relation, limit
        self.unit, self.value, self.remark = unit, value, remark
        self.is_small = False  # measured with fewer services than the target means
        self.spread = None  # what the middle half of the rounds said

    @classmethod
    def of_rounds(cls, what, relation, limit, unit, rounds, remark=""):
        target = cls(what, relation, limit, unit, median_or_none(rounds), remark if rounds else "")
        if len(rounds) > 2:
            low, _, high = statistics.quantiles(rounds, n=4, method="inclusive")
            target.spread = (low, high)
            target.remark = f"{number(low)}–{number(high)}; {remark}"
        return target

    def at(self, services, meant):
        self.is_small = (services or 0) < meant
        return self

    def verdict(self):
        if self.value is None:
            return "not measured"
        if self.spread and self.spread[0] < self.limit < self.spread[1]:
            return "unclear" + (", smaller" if self.is_small else "")
        met = self.value <= self.limit if self.relation == "≤" else self.value >= self.limit
        return ("met" if met else "MISSED") + (", smaller" if self.is_small else "")

    def row(self):
        return (self.what, f"{self.relation} {number(self.limit)} {self.unit}".rstrip(),
                f"{number(self.value)} {self.unit}".rstrip() if self.value is not None else "–",
                self.verdict(), self.remark)


def program_targets(results):
    worst = results.program_worst
    family, which = results.program_family()
    return [
        Target("program, established, 1 flow", "≤", 2.7, "× A", worst("established", 1),
               "Katran 5.6–9.8, Cilium 10–27"),
        Target("program, established, 64k flows, table full", "≤", 9, "× A",
               worst("established, table full", 65536), "Katran 20–25, Cilium 51–61"),
        Target("program, new flow, both directions recorded", "≤", 12, "× A",
               worst("new, table full"), "Katran forward only 54–67, LRU pair 81–100"),
        Target("program, packet of no service", "≤", 2, "× A", worst("of no service", 1)),
        Target("program, IPv6 against IPv4, the worst of these", "≤", 1.15, "×", family, which),
    ]


def path_targets(results):
    ours = results.largest("ours")
    rows = [Target.of_rounds("path, request + reply, share of bare redirect", "≥", 0.75, "",
                             results.rounds("wire", ours, ROUND_TRIP),
                             f"{ours}; LRU design 0.54")
            .at(results.services(ours), 10000)]
    limits = {"established": (7, 7), ROUND_TRIP: (10, 10), "new": (130, 20)}
    for pattern, both in limits.items():
        for kind, limit in zip(("iptables", "nftables"), both):
            other = results.largest(kind)
            rows.append(Target.of_rounds(f"path, {pattern}, packets against {kind}", "≥", limit,
                                         "×", results.rounds(other, ours, pattern),
                                         f"{ours}, {other}")
                        .at(results.services(other), 10000))
    many = results.lanes("ours")[-1:] or [None]
    for pattern in ("established", "new"):
        rows.append(Target.of_rounds(f"path, most services against 1, {pattern}", "≤", 1.05,
                                     "× the time", results.rounds(many[0], "ours-1", pattern),
                                     str(many[0]))
                    .at(results.services(many[0]), 50000))
    for pattern in ("established", "new"):
        wire = median_or_none(results.scaling_rounds("wire", pattern))
        rows.append(Target.of_rounds(f"path, two cores against one, {pattern}", "≥", 1.9, "×",
                                     results.scaling_rounds(ours, pattern),
                                     f"{ours}; bare redirect {number(wire)} ×"))
    return rows


def control_targets(results):
    get = results.notes.get
    services = f"{get('services', 0):,.0f} services × 5"
    empty = f"empty process {number(get('empty process ms'))} ms"
    targets = [
        Target("load, plan and maps from parsed state", "≤", 15, "ms", get("tables load ms"),
               services),
        Target("load, whole from a JSON file", "≤", 1000, "ms",
               get("lbd --tables to all in place ms"), services),
        Target("one service add, in lbd without the journal", "≤", 5, "µs",
               get("tables service add us"), services),
        Target("one service add, lbctl above an empty process", "≤", 1, "ms",
               get("lbctl service add above empty ms"), f"state on tmpfs; {empty}"),
        Target("lbd RSS, settled", "≤", 64, "MiB", get("lbd RSS MiB"),
               f"{number(get('lbd RSS without mapped tables MiB'))} MiB without mapped tables"),
        Target("all maps, room for 1M connections", "≤", 256, "MiB", get("maps MiB"), services),
    ]
    return [target.at(get("services"), 50000) for target in targets]


def further_targets(results):
    """Beyond issue 3: what was found possible elsewhere, by the same method."""
    ours = results.largest("ours-skb")
    rows = []
    for kind in ("iptables", "nftables"):
        other = results.largest(kind)
        rows.append(Target.of_rounds(f"path, established, into an skb, packets against {kind}", "≥",
                                     3.5, "×", results.rounds(other, ours, "established"),
                                     f"{ours}, {other}").at(results.services(other), 10000))
    new, hot = results.program_worst("new, table full"), results.program_worst("established", 1)
    rows.append(Target("program, new flow against established, 1 flow", "≤", 5, "×",
                       new / hot if new and hot else None))
    rows.append(Target("one service add over the control socket", "≤", 100, "µs",
                       results.notes.get("service add over the socket us"), "state on tmpfs")
                .at(results.notes.get("services"), 50000))
    return rows


def print_table(title, heads, rows):
    widths = [max(len(str(cell)) for cell in column) for column in zip(heads, *rows)]
    print(f"\n{title}\n")
    for row in [heads, ["-" * width for width in widths], *rows]:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())


def path_details(results):
    order = ["wire", *results.lanes("ours"), *results.lanes("ours-skb"), "forward",
             *results.lanes("iptables"), *results.lanes("nftables")]
    patterns = list(dict.fromkeys(pattern for _, pattern in results.path))
    for pattern in patterns:
        rows = []
        for lane in order:
            ns = results.ns(lane, pattern)
            if ns is None:
                continue
            wire = results.times("wire", lane, pattern)
            rows.append((lane, number(ns), f"{1e3 / ns:.3g}", number(wire),
                         number(results.times(lane, "wire", pattern))))
        floor = number(results.ns("wire", pattern))
        print_table(f"path, {pattern} (floor: bare redirect, {floor} ns)",
                    ("contender", "ns/packet", "Mpps", "share of floor", "× floor"), rows)


def count_details(results):
    programs = [(name, *(f"{number:,}" for number in sizes.values()))
                for name, sizes in results.counts["programs"].items()]
    heads = next(iter(results.counts["programs"].values()))
    print_table(f"programs ({results.counts['compiler']}, {results.counts['kernel']})",
                ("program", *heads), programs)
    packets = [(name, counted["instructions"],
                " ".join(f"{helper} {calls}" for helper, calls in counted["helpers"].items()))
               for name, counted in results.counts["packets"].items()]
    print_table("instructions of a packet, and helpers it calls, whatever the machine",
                ("packet", "instructions", "helpers"), packets)


def program_target(row):
    if "target_scaling" in row:
        what, met = f"≥ {row['target_scaling']:.3g} × one CPU: {row['scaling']:.3g} ×", \
            row["scaling"] >= row["target_scaling"]
    elif "target_a" in row:
        what, met = f"≤ {row['target_a']:.3g} × A", row["ratio_a"] <= row["target_a"]
    else:
        return ""
    return f"{what}, {'met' if met else 'MISSED'}"


def program_details(results):
    floor = next((row["ns"] for row in results.program if row["name"] == "floor A"), None)
    rows = [(row["name"], row["family"], row["protocol"], f"{row['flows']:,}" if row["flows"]
             else "new", number(row["ns"]), number(row["ratio_a"]),
             number(row["ratio_b"]), program_target(row)) for row in results.program]
    print_table(f"program (floor A: {number(floor)} ns)",
                ("packet", "family", "protocol", "flows", "ns", "× A", "× B", "target"), rows)


def application_details(results):
    rows = []
    direct = {row["application"]: row for row in results.applications if row["by"] == "direct"}
    for row in results.applications:
        share = row["rate"] / direct[row["application"]]["rate"] \
            if row["application"] in direct else None
        rows.append((row["application"], row["by"], f"{number(row['rate'])} {row['unit']}",
                     number(share), *(number(row.get(p)) for p in ("p50", "p90", "p99"))))
    print_table("applications (floor: direct, the kernel forwarding to the pod)",
                ("what", "by", "rate", "share of direct", "p50 µs", "p90 µs", "p99 µs"), rows)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    results = Results(sys.argv[1])
    results.write_merged()
    if results.counts:
        count_details(results)
    if results.program:
        program_details(results)
    if results.path:
        path_details(results)
    if results.applications:
        application_details(results)
    if results.notes:
        print_table("control and loading", ("what", "value"),
                    [(key, number(value)) for key, value in results.notes.items()])
    targets = program_targets(results) + path_targets(results) + control_targets(results)
    heads = ("what", "target", "result", "", "beside")
    print_table("further limits", heads, [target.row() for target in further_targets(results)])
    print_table("targets of issue 3", heads, [target.row() for target in targets])
    count = {word: sum(t.verdict().startswith(word) for t in targets) for word in
             ("met", "MISSED", "unclear", "not measured")}
    print("\n" + ", ".join(f"{n} {word}" for word, n in count.items()))
    print("beside: the middle half of the rounds, then who was measured; `unclear`: the target lies"
          " within it;\n`smaller`: with fewer services than the target means")
    for lane in results.is_lossy():
        print(f"lane {lane} lost more than 0.1% of its packets: its figures flatter it")


if __name__ == "__main__":
    main()
