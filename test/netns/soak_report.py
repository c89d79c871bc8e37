#!/usr/bin/python3
"""Judges what a soak has left in a directory, and draws it.

    soak_report.py [--plain] DIRECTORY       samples.jsonl, events.jsonl, traffic.jsonl, errors.txt;
                                             --plain draws nothing

A slope fails when it is above zero by more than its uncertainty allows: three standard errors,
made larger where a sample is like the one before it. What belongs to a process is compared within
the life of that process. What traffic lost is held against what was done at the time.
"""

import collections
import json
import math
import pathlib
import sys

WARM_UP = 0.25           # of the whole run
LIFE_WARM_UP = 5         # seconds of a process
WINDOW = 5               # seconds that an event may be felt: the time to repair
# As many as the document and the operator want: test/soak.sh compares them in the end.
LED = ("addresses", "backends", "deny", "services")
OF_PROCESS = ("rss_kb", "fds")
# Growth a minute that is no leak, whatever its significance: a page here and there.
FLOORS = {"rss_kb": 64, "fds": 0.2}
# Entries live for half a minute or longer, so what happens in a short run moves their number.
FLOOR_ENTRIES = 0.15     # of the mean, over all that is judged


def read_lines(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def points(samples, name):
    """(group, minutes, value) after warm-up; a group has a mean of its own."""
    start, end = samples[0]["at"], samples[-1]["at"]
    births = {}
    for sample in samples:
        if name not in sample:
            continue
        group = sample.get("pid", 0) if name in OF_PROCESS else 0
        born = births.setdefault(group, sample["at"])
        if sample["at"] < start + WARM_UP * (end - start) or (
                group and sample["at"] < born + LIFE_WARM_UP):
            continue
        yield group, (sample["at"] - start) / 60, sample[name]


def demean(found):
    groups = collections.defaultdict(list)
    for group, minute, value in found:
        groups[group].append((minute, value))
    for members in groups.values():
        minute = sum(m for m, _ in members) / len(members)
        value = sum(v for _, v in members) / len(members)
        yield from ((m - minute, v - value) for m, v in members)


def slope_of(found):
    """Least squares: (slope a minute, its standard error)."""
    pairs = list(demean(found))
    spread = sum(x * x for x, _ in pairs)
    if len(pairs) < 10 or not spread:
        return 0.0, math.inf
    slope = sum(x * y for x, y in pairs) / spread
    rest = [y - slope * x for x, y in pairs]
    power = sum(r * r for r in rest)
    if not power:
        return slope, 0.0
    likeness = sum(a * b for a, b in zip(rest, rest[1:])) / power
    likeness = min(max(likeness, 0), 0.98)
    error = math.sqrt(power / (len(pairs) - 2) / spread)
    return slope, error * math.sqrt((1 + likeness) / (1 - likeness))


def judge_slopes(samples):
    names = sorted({name for sample in samples for name in sample} - {"at", "pid"})
    for name in names:
        found = list(points(samples, name))
        if not found:
            continue
        mean = sum(value for _, _, value in found) / len(found)
        slope, error = slope_of(found)
        judged = max(found[-1][1] - found[0][1], 1 / 60)
        floor = FLOORS.get(name, max(FLOOR_ENTRIES * mean / judged, 0.5))
        grows = slope - 3 * error > floor
        if name in LED:
            print(f"# {name}: mean {mean:.1f}, slope {slope:+.2f} ± {3 * error:.2f} a minute")
            continue
        yield not grows, (f"{name} does not grow: mean {mean:.1f}, slope {slope:+.2f} "
                          f"± {3 * error:.2f} a minute")


class Events:
    def __init__(self, lines):
        self.lines = lines

    def around(self, load, effect):
        """Those with the effect that this load may have felt."""
        return [line for line in self.lines if effect in line["effects"] and
                load["from"] - WINDOW <= line["at"] <= load["until"]]

    def went(self, load):
        """Pods whose backend of that service was removed or went down meanwhile."""
        return {line["pod"] for line in self.around(load, "ends")
                if line["service"] == load["service"]}


def judge_load(load, events):
    """What went wrong and nothing explains."""
    if "failures" not in load:
        if load["lost"] and not events.around(load, "loses"):
            yield f"{load['lost']} of {load['sent']} packets lost"
        for name in ("stray", "damaged"):
            if load.get(name):
                yield f"{load[name]} answers {name}"
        return
    gone = events.went(load)
    for pod, count in load["broken"].items():
        if pod not in gone:
            yield f"{count} connections to {pod} broke, which was there"
    unanswered = load["failures"] - sum(load["broken"].values())
    if unanswered and not gone and not events.around(load, "refuses"):
        yield f"{unanswered} connections without an answer: {load['errors']}"


def judge_traffic(loads, events):
    totals = collections.defaultdict(collections.Counter)
    problems = collections.defaultdict(list)
    for load in loads:
        name = load["name"]
        totals[name]["loads"] += 1
        totals[name]["sent"] += load.get("requests", load.get("sent", 0))
        totals[name]["failed"] += load.get("failures", load.get("lost", 0))
        problems[name] += [f"{text} (at {load['from']:.1f} to {load['until']:.1f})"
                           for text in judge_load(load, events)]
    for name, total in sorted(totals.items()):
        yield not problems[name], (f"{name}: {total['sent']} sent, {total['failed']} failed, "
                                   f"{len(problems[name])} of them unexplained")
        for text in problems[name][:10]:
            print(f"    {name}: {text}")


def judge_log(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    for line in lines[:10]:
        print(f"    {line}")
    yield not lines, f"the logs have no error ({len(lines)})"


def draw(directory, samples, events):
    try:
        import matplotlib
    except ImportError:
        return "no plot: python3-matplotlib is not installed"
    matplotlib.use("Agg")
    from matplotlib import pyplot
    pyplot.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "lb"})
    names = ["rss_kb", "fds"] + sorted({name for sample in samples for name in sample} -
                                       {"at", "pid", "rss_kb", "fds"})
    start = samples[0]["at"]
    figure, axes = pyplot.subplots(len(names), 1, figsize=(9, 1.1 * len(names) + 1), sharex=True)
    for axis, name in zip(axes, names):
        found = [((s["at"] - start) / 60, s[name]) for s in samples if name in s]
        axis.plot(*zip(*found), linewidth=1, color="#1b7f4d")
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
        axis.margins(x=0)
        for event in events:
            if event["event"] in ("kill", "terminate"):
                axis.axvline((event["at"] - start) / 60, color="#cccccc", linewidth=0.5, zorder=0)
    axes[-1].set_xlabel("minutes; grey: lbd restarts")
    figure.tight_layout()
    figure.savefig(directory / "soak.svg", metadata={"Date": None})
    figure.savefig(directory / "soak.png", dpi=110)
    return f"{directory}/soak.svg and soak.png show the samples"


def main(arguments):
    plain = arguments[:1] == ["--plain"]
    if len(arguments) != 1 + plain:
        sys.exit(__doc__)
    directory = pathlib.Path(arguments[-1])
    samples, events, loads = (read_lines(directory / f"{name}.jsonl")
                              for name in ("samples", "events", "traffic"))
    failed = False
    for is_good, text in (*judge_traffic(loads, Events(events)),
                          *judge_log(directory / "errors.txt"), *judge_slopes(samples)):
        print(f"{'ok' if is_good else 'not ok'} - {text}")
        failed |= not is_good
    done = collections.Counter(event["event"] for event in events)
    print("# done: " + ", ".join(f"{count} {name}" for name, count in sorted(done.items())))
    if not plain:
        print(f"# {draw(directory, samples, events)}")
    sys.exit(failed)


if __name__ == "__main__":
    main(sys.argv[1:])
