#!/usr/bin/python3
"""Draws what the benchmark found, SVG and PNG, and a page that shows it.

    plots.py DIRECTORY             its files are described in results.py
"""

import html
import pathlib
import sys

import matplotlib
matplotlib.use("Agg")
from matplotlib import pyplot, ticker  # noqa: E402  (the backend is chosen first)

from results import Results  # noqa: E402

PATTERNS = ("established", "round trip", "new")
COLOURS = {"wire": "#999999", "ours": "#1b7f4d", "ours-skb": "#7cc49f", "forward": "#5b7db1",
           "iptables": "#c8553d", "nftables": "#e0a030", "direct": "#5b7db1"}
LABELS = {"wire": "bare XDP redirect", "forward": "kernel forwarding", "ours": "ours",
          "ours-skb": "ours, into an skb", "iptables": "iptables", "nftables": "nftables"}

# Text stays text: smaller, to be searched, and drawn with the reader's own fonts.
pyplot.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "lb"})


def kind_of(lane):
    return lane if lane in LABELS else lane.rpartition("-")[0]


def label_of(results, lane):
    kind = kind_of(lane)
    if kind in ("wire", "forward"):
        return LABELS[kind]
    return f"{LABELS[kind]}, {results.services(lane):,}"


def save(figure, directory, name):
    figure.tight_layout()
    figure.savefig(directory / f"{name}.svg", metadata={"Date": None})
    figure.savefig(directory / f"{name}.png", dpi=130)
    pyplot.close(figure)
    return name


def write_plainly(axis, *subs):
    """Numbers of a logarithmic xaxis or yaxis as people write them: at 1, and subs, times 10^n."""
    axis.set_major_locator(ticker.LogLocator(subs=(1, *subs)))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(ticker.NullFormatter())


def draw_path(results, directory):
    """Packets a second of every contender."""
    lanes = [lane for lane in ("wire", *results.lanes("ours"), *results.lanes("ours-skb"),
                               "forward", *results.lanes("iptables"), *results.lanes("nftables"))
             if results.ns(lane, "established")]
    figure, axes = pyplot.subplots(1, len(PATTERNS), figsize=(13, 0.38 * len(lanes) + 1.8),
                                   sharex=True, sharey=True)
    for axis, pattern in zip(axes, PATTERNS):
        rates = [1e3 / (results.ns(lane, pattern) or float("inf")) for lane in lanes]
        bars = axis.barh([label_of(results, lane) for lane in lanes], rates,
                         color=[COLOURS[kind_of(lane)] for lane in lanes])
        axis.bar_label(bars, [f"{rate:.2g}" for rate in rates], padding=2, fontsize=8)
        axis.set_xscale("log")
        axis.set_xlim(0.005, 20)
        write_plainly(axis.xaxis)
        axis.set_title(pattern)
        axis.set_xlabel("million packets a second")
    axes[0].invert_yaxis()
    figure.suptitle("one CPU does everything: client, node and backend", fontsize=10)
    return save(figure, directory, "path")


def plot_points(axis, points, kind, label=None):
    points = [(x, y) for x, y in points if y]
    if points:
        axis.plot(*zip(*points), "o-", color=COLOURS[kind], label=label or LABELS[kind])


def draw_by_services(results, axis, pattern):
    for kind in ("ours", "iptables", "nftables"):
        plot_points(axis, [(results.services(lane), results.ns(lane, pattern))
                           for lane in results.lanes(kind)], kind)
    for lane in ("wire", "forward"):
        axis.axhline(results.ns(lane, pattern), color=COLOURS[lane], linestyle=":",
                     label=LABELS[lane])
    axis.set_title(f"path, {pattern}, 64 bytes")
    axis.set_xlabel("services, five backends each")


def draw_by_frame(results, axis):
    sizes = {64: "established", 512: "established, 512 bytes", 1514: "established, 1,514 bytes"}
    lanes = {lane for lane, pattern in results.path if pattern == sizes[1514]}
    for lane in sorted(lanes):
        plot_points(axis, [(size, results.ns(lane, pattern)) for size, pattern in sizes.items()],
                    kind_of(lane), label_of(results, lane))
    axis.set_title("path, established")
    axis.set_xlabel("bytes a frame")


def draw_by_flows(results, axis):
    for name, protocol, kind, label in (
            ("established", "tcp", "ours", "ours"),
            ("floor B", "udp", "wire", "HASH + LRU + DNAT (floor B)")):
        points = [(row["flows"], row["ns"]) for row in results.program_rows(name, None, "ipv4")
                  if row["protocol"] == protocol]
        plot_points(axis, sorted(points), kind, label)
    floor = results.program_rows("floor A", None, "ipv4")
    if floor:
        axis.axhline(floor[0]["ns"], color="#999999", linestyle=":", label="floor A")
    axis.set_title("program alone, established")
    axis.set_xlabel("flows in turn")


def draw_growth(results, directory):
    """How the cost of a packet grows, in nanoseconds: with services, flows, the frame's size."""
    figure, axes = pyplot.subplots(2, 2, figsize=(11, 8))
    draw_by_services(results, axes[0][0], "established")
    draw_by_services(results, axes[0][1], "new")
    draw_by_flows(results, axes[1][0])
    draw_by_frame(results, axes[1][1])
    for axis in axes.flat:
        axis.set_xscale("log")
        axis.set_yscale("log")
        write_plainly(axis.xaxis)
        write_plainly(axis.yaxis, 2, 5)
        axis.set_ylabel("ns a packet")
        axis.grid(True, which="major", alpha=0.3)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=8)
    return save(figure, directory, "growth")


# What the picture shows of the program's rows: name and flows. The table has them all.
PROGRAM = (("floor B", 1), ("floor B", 65536), ("floor B, new", 0), ("established", 1),
           ("reply", 1), ("established", 4096), ("established, table full", 65536),
           ("established", 1048576), ("established, 50,000 services", 50000),
           ("new, table full", 0), ("new, table full, affinity", 0),
           ("new, balanced without an entry", 0), ("new, 50,000 services in turn", 0),
           ("of no service", 1), ("no backend", 1), ("no backend, reset sent", 1),
           ("outside of 256 source ranges", 4096),
           ("denied, each prefix in turn", 10000), ("not denied, of no service", 10000),
           ("ICMP error about a connection", 1), ("ICMP echo to a service", 1),
           ("established, VLAN tag", 1), ("established, extension header", 1),
           ("first fragment", 1), ("not IP", 1))


def program_label(name, flows):
    name = name.replace("floor B", "HASH + LRU + DNAT (floor B)")
    return f"{name}, {flows:,} flow{'s' if flows > 1 else ''}" if flows else name


def program_value(row):
    target = f" (target ≤ {row['target_a']:.3g})" if "target_a" in row else ""
    return f"{row['ratio_a']:.1f}{target}"


def draw_program(results, directory):
    """The program alone, in multiples of the least that a program can do."""
    shown = [(name, flows) for name, flows in PROGRAM if results.program_rows(name, flows)]
    figure, axis = pyplot.subplots(figsize=(10, 0.42 * len(shown) + 1.3))
    for family, shift, colour in (("ipv4", -0.2, COLOURS["ours"]),
                                  ("ipv6", 0.2, COLOURS["ours-skb"])):
        found = [(i, row) for i, (name, flows) in enumerate(shown)
                 for row in results.program_rows(name, flows, family)[:1]]
        colours = [COLOURS["wire"] if row["name"].startswith("floor") else colour
                   for _, row in found]
        bars = axis.barh([i + shift for i, _ in found], [row["ratio_a"] for _, row in found], 0.38,
                         color=colours)
        axis.bar_label(bars, [program_value(row) for _, row in found], padding=2, fontsize=7)
        axis.barh(0, 0, color=colour, label="ours, IPv4" if family == "ipv4" else "ours, IPv6")
    axis.axvline(1, color="black", linewidth=0.8, linestyle=":", label="floor A")
    axis.set_yticks(range(len(shown)), [program_label(*row) for row in shown], fontsize=8)
    axis.invert_yaxis()
    axis.margins(x=0.08, y=0.01)
    floor = results.program_rows("floor A", None, "ipv4")[0]["ns"]
    axis.set_xlabel(f"times floor A: parse, swap MAC addresses, send back ({floor:.0f} ns)")
    axis.legend(fontsize=8, loc="lower right")
    return save(figure, directory, "program")


# Panels: what is asked, lbd's note, and that of a rule set after its kind and services.
CONTROL = (("all in place, from a file", "lbd --tables to all in place ms", "load ms"),
           ("one service more, to its first packet", "service add to first packet ms",
            "one more to first packet ms"),
           ("its backends replaced, to the first packet", "backends replaced to first packet ms",
            "backends replaced to first packet ms"),
           ("restarted", "restart with all pinned to ready ms", "restart, all written again ms"))


def rule_sets(results):
    """(kind, services) of those in the control part, in its order."""
    words = [key.split() for key in results.notes if key.endswith("one more to first packet ms")]
    return [(kind, int(services)) for kind, services, *_ in words]


def control_bars(results, ours, rules):
    bars = [(f"ours, {results.notes['services']:,.0f}", results.notes.get(ours), "ours")]
    bars += [(f"{kind}, {services:,}", results.notes.get(f"{kind} {services} {rules}"), kind)
             for kind, services in rule_sets(results)]
    if "first packet" in ours:
        bars.append(("an empty process", results.notes.get("empty process ms"), "wire"))
    return [bar for bar in bars if bar[1]]


def draw_control(results, directory):
    """How long changes take to be in place; the number is how many services there are."""
    panels = [(title, control_bars(results, ours, rules)) for title, ours, rules in CONTROL]
    figure, axes = pyplot.subplots(2, 2, figsize=(11, 5.5), sharex=True)
    most = max(value for _, bars in panels for _, value, _ in bars)
    for axis, (title, bars) in zip(axes.flat, panels):
        drawn = axis.barh([label for label, *_ in bars], [value for _, value, _ in bars],
                          color=[COLOURS[kind] for *_, kind in bars])
        axis.bar_label(drawn, [f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
                               for _, value, _ in bars], padding=2, fontsize=8)
        axis.set_xscale("log")
        axis.set_xlim(0.1, most * 8)
        write_plainly(axis.xaxis)
        axis.invert_yaxis()
        axis.set_title(title, fontsize=10)
    for axis in axes[1]:
        axis.set_xlabel("milliseconds")
    return save(figure, directory, "control")


def application_label(results, name):
    direct = next((row for row in results.applications
                   if row["application"] == name and row["by"] == "direct"), None)
    if not direct:
        return name
    digits = ".0f" if direct["rate"] >= 100 else ".3g"
    return f"{name.replace(', ', chr(10))}\ndirect: {direct['rate']:,{digits}} {direct['unit']}"


def draw_applications(results, directory):
    """What programs get, as a share of a direct connection."""
    names = list(dict.fromkeys(row["application"] for row in results.applications))
    ways = list(dict.fromkeys(row["by"] for row in results.applications))
    rate = {(row["application"], row["by"]): row["rate"] for row in results.applications}
    figure, axis = pyplot.subplots(figsize=(11, 4.2))
    width = 0.8 / len(ways)
    for i, way in enumerate(ways):
        shares = [rate.get((name, way), 0) / rate.get((name, "direct"), float("inf"))
                  for name in names]
        bars = axis.bar([x + i * width for x in range(len(names))], shares, width,
                        label=way, color=COLOURS[way])
        axis.bar_label(bars, [f"{share:.2f}" for share in shares], fontsize=7)
    axis.set_xticks([x + width * (len(ways) - 1) / 2 for x in range(len(names))],
                    [application_label(results, name) for name in names], fontsize=8)
    axis.set_ylabel("rate, share of direct")
    axis.axhline(1, color="black", linewidth=0.8, linestyle=":")
    axis.margins(y=0.15)
    axis.legend(fontsize=8, ncol=len(ways))
    return save(figure, directory, "applications")


DRAWINGS = ((draw_path, lambda r: r.path), (draw_program, lambda r: r.program),
            (draw_growth, lambda r: r.path and r.program), (draw_control, rule_sets),
            (draw_applications, lambda r: r.applications))


def write_page(directory, drawn):
    table = directory / "table.txt"
    text = table.read_text(encoding="utf-8") if table.exists() else ""
    figures = "".join(f'<h2>{html.escape(what)}</h2>\n<a href="{name}.png">'
                      f'<img src="{name}.svg" alt="{html.escape(what)}"></a>\n'
                      for name, what in drawn)
    page = ("<!doctype html><meta charset=utf-8><title>lb: benchmark</title>\n"
            "<style>body{font-family:sans-serif;max-width:75em;margin:2em auto}img{max-width:100%}"
            "pre{overflow-x:auto;background:#f6f6f6;padding:1em}</style>\n"
            f"<h1>lb: benchmark</h1>\n<p>Made by test/bench/run.sh; the figures: "
            f'<a href="result.json">result.json</a>. Ratios are of one interleaved run.</p>\n'
            f"{figures}<h2>Tables</h2>\n<pre>{html.escape(text)}</pre>\n")
    (directory / "index.html").write_text(page, encoding="utf-8")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    directory = pathlib.Path(sys.argv[1])
    results = Results(directory)
    drawn = [(draw(results, directory), draw.__doc__) for draw, has in DRAWINGS if has(results)]
    write_page(directory, drawn)


if __name__ == "__main__":
    main()
