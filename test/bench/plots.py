#!/usr/bin/python3
"""Draws what the benchmark found, SVG and PNG, and a page that shows it.

    plots.py DIRECTORY             its files are described in results.py
"""

import html
import pathlib
import sys

import matplotlib
matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  (the backend is chosen first)

from results import Results  # noqa: E402

PATTERNS = ("established", "round trip", "new")
COLOURS = {"wire": "#999999", "ours": "#1b7f4d", "ours-skb": "#7cc49f", "forward": "#5b7db1",
           "iptables": "#c8553d", "nftables": "#e0a030", "direct": "#5b7db1"}
LABELS = {"wire": "bare XDP redirect", "forward": "kernel forwarding", "ours": "ours",
          "ours-skb": "ours, into an skb", "iptables": "iptables", "nftables": "nftables"}


def kind_of(lane):
    return lane if lane in LABELS else lane.rpartition("-")[0]


def label_of(results, lane):
    kind = kind_of(lane)
    if kind in ("wire", "forward"):
        return LABELS[kind]
    return f"{LABELS[kind]}, {results.services(lane):,}"


def save(figure, directory, name):
    figure.tight_layout()
    for suffix in ("svg", "png"):
        figure.savefig(directory / f"{name}.{suffix}", dpi=130)
    pyplot.close(figure)
    return name


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
        axis.set_title(pattern)
        axis.set_xlabel("million packets a second")
    axes[0].invert_yaxis()
    figure.suptitle("one CPU does everything: client, node and backend", fontsize=10)
    return save(figure, directory, "path")


def draw_services(results, directory):
    """How the cost of a packet grows with the number of services."""
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.2), sharey=True)
    for axis, pattern in zip(axes, ("established", "new")):
        for kind in ("ours", "iptables", "nftables"):
            lanes = results.lanes(kind)
            axis.plot([results.services(lane) for lane in lanes],
                      [results.ns(lane, pattern) for lane in lanes], "o-", label=LABELS[kind],
                      color=COLOURS[kind])
        for lane in ("wire", "forward"):
            axis.axhline(results.ns(lane, pattern), color=COLOURS[lane], linestyle=":",
                         label=LABELS[lane])
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_title(pattern)
        axis.set_xlabel("services, five backends each")
        axis.legend(fontsize=8)
    axes[0].set_ylabel("ns a packet")
    return save(figure, directory, "services")


def draw_program(results, directory):
    """The program alone, in multiples of the least a program can do."""
    rows = [row for row in results.program if row["name"] not in ("harness alone", "floor A")]
    figure, axis = pyplot.subplots(figsize=(10, 0.26 * len(rows) + 1.2))
    labels = [f"{r['name']}, {r['family']} {r['protocol']}"
              + (f", {r['flows']:,} flows" if r["flows"] else "") + f" ({i})"
              for i, r in enumerate(rows)]
    bars = axis.barh(labels, [row["ratio_a"] for row in rows],
                     color=["#999999" if row["name"].startswith("floor") else COLOURS["ours"]
                            for row in rows])
    axis.bar_label(bars, [f"{row['ratio_a']:.1f}" for row in rows], padding=2, fontsize=7)
    axis.tick_params(axis="y", labelsize=7)
    axis.invert_yaxis()
    axis.margins(x=0.1, y=0.01)
    axis.set_xlabel("times floor A (parse, swap MAC addresses, send back)")
    return save(figure, directory, "program")


def timings(results):
    words = ("load ms", "apply ms", "in place ms", "to ready ms", "first packet ms")
    return {key: value for key, value in results.notes.items() if key.endswith(words)}


def draw_control(results, directory):
    """How long changes take to be in place."""
    notes = timings(results)
    figure, axis = pyplot.subplots(figsize=(10, 0.34 * len(notes) + 1.2))
    colours = [COLOURS[next((kind for kind in ("iptables", "nftables") if kind in key), "ours")]
               for key in notes]
    bars = axis.barh([key.removesuffix(" ms") for key in notes], list(notes.values()),
                     color=colours)
    axis.bar_label(bars, [f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
                          for value in notes.values()], padding=2, fontsize=8)
    axis.set_xscale("log")
    axis.set_xlim(1, max(notes.values()) * 4)
    axis.invert_yaxis()
    axis.set_xlabel("milliseconds")
    return save(figure, directory, "control")


def draw_applications(results, directory):
    """What programs get, as a share of a direct connection."""
    names = list(dict.fromkeys(row["application"] for row in results.applications))
    ways = list(dict.fromkeys(row["by"] for row in results.applications))
    rate = {(row["application"], row["by"]): row["rate"] for row in results.applications}
    figure, axis = pyplot.subplots(figsize=(11, 4))
    width = 0.8 / len(ways)
    for i, way in enumerate(ways):
        shares = [rate.get((name, way), 0) / rate.get((name, "direct"), float("inf"))
                  for name in names]
        bars = axis.bar([x + i * width for x in range(len(names))], shares, width,
                        label=way, color=COLOURS[way])
        axis.bar_label(bars, [f"{share:.2f}" for share in shares], fontsize=7)
    axis.set_xticks([x + width * (len(ways) - 1) / 2 for x in range(len(names))],
                    [name.replace(", ", "\n") for name in names], fontsize=8)
    axis.set_ylabel("rate, share of direct")
    axis.legend(fontsize=8, ncol=len(ways))
    return save(figure, directory, "applications")


DRAWINGS = ((draw_path, lambda r: r.path), (draw_services, lambda r: r.path),
            (draw_program, lambda r: r.program), (draw_control, timings),
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
