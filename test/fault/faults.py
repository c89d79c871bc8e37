"""Leads lbd through a start and through changes, each time with another call failing.

A fault may end a start or a command with an error that says why, or pass unnoticed. It may not end
lbd by a signal, leave halves, leak or keep it busy; and what comes after it goes as ever.
"""

import argparse
import re
import signal
import sys
import time

import changes
import kills
import outcomes
import tables
import troubles
import world
from world import CLASSES

SLOT = {name: number for number, name in enumerate(CLASSES)}
IDLE_SHARE = 0.15  # of a CPU, after a fault
BLOCKS_SLACK = 40  # of memory, that caches and buffers may come to
MEND_SECONDS = 6   # what lbd tries again now and then is in order by then
TOLD = re.compile(r"level=(error|warning) event=(?!client-refused)")


def choose(sites, every):
    """Calls to fail: of each place that calls, the first and the last time."""
    first, last = {}, {}
    for nth, site in enumerate(sites, 1):
        first.setdefault(site, nth)
        last[site] = nth
    chosen = sorted(set(first.values()) | set(last.values()))
    return chosen[every // 2::every] or chosen[:1]


SHORT = {"start": 48, "changes": 10}  # of so many faults one
SHORT_STARTS = ("bpf", "netlink", "open", "mmap", "memory")
SHORT_KILLS = 20
SHORT_MEMORY = {"start": 300, "changes": 80}


class Faults:
    def __init__(self, options):
        self.options = options
        self.world = world.World()
        self.outcomes = outcomes.Outcomes()
        changes.write_documents(self.world.work)
        self.export = self.maps = None
        self.told = []
        self.snapshot = {}

    def same_maps(self, what):
        """What is wrong already is told once."""
        end = time.monotonic() + MEND_SECONDS
        found = tables.differences(self.maps, tables.described(self.world.pin))
        while found and found != self.told and time.monotonic() < end:
            time.sleep(0.05)
            found = tables.differences(self.maps, tables.described(self.world.pin))
        for difference in found:
            if difference not in self.told:
                self.outcomes.fail(f"{what}: {difference}")
        self.told = found

    def same_export(self, what):
        found = self.world.exported()
        if found != self.export:
            self.outcomes.fail(f"{what}: export is {found}, not {self.export}")

    def prepare(self):
        """The state that everything starts from, and what a load of it without a fault says."""
        w = self.world
        w.start()
        status, said = w.lbctl("apply", str(w.work / "base.json"))
        if status:
            raise AssertionError(said)
        w.stop()
        w.forget_pins()
        w.start()
        self.export = w.exported()
        self.maps = tables.described(w.pin)
        w.stop()
        self.snapshot = {path: path.read_bytes() for path in w.state.parent.iterdir()}

    def restore(self):
        for path in self.world.state.parent.iterdir():
            if path not in self.snapshot:
                path.unlink()
        for path, content in self.snapshot.items():
            path.write_bytes(content)

    def chosen(self, phase, name, sites):
        every = 1
        if not self.options.all:
            every = (SHORT_MEMORY if name == "memory" else SHORT)[phase]
        return [nth for nth in choose(sites, every)
                if self.options.first <= nth <= self.options.last]

    # ---- starts

    def list_start(self, name):
        w = self.world
        w.control.restart()
        w.launch(record=SLOT[name])
        if not w.wait():
            raise AssertionError(w.said())
        sites = w.control.recorded(SLOT[name])
        self.outcomes.reaches("start", name, len(sites))
        w.stop()
        return sites

    def judge_refusal(self, what, status):
        """One that ended: by a line that says why, and without a trace."""
        said = self.world.said()
        last = said.strip().splitlines()[-1] if said.strip() else ""
        if status != 1:
            self.outcomes.fail(f"{what}: lbd ended with status {status}: {last}")
        elif not re.match(r"lbd: \S.* \S", last) and last != "lbd: out of memory":
            self.outcomes.fail(f"{what}: refused with {last!r}")
        elif "Success" in last:
            self.outcomes.fail(f"{what}: {last!r} is no reason")
        if self.options.verbose:
            print(f"# {what}: {last}", flush=True)

    def one_start(self, name, nth, fresh):
        w = self.world
        if fresh:
            w.forget_pins()
        w.control.restart()
        w.control.arm(SLOT[name], nth)
        w.launch()
        ready = w.wait()
        what = f"{'first' if fresh else 'next'} start: {name} {nth} ({w.control.where()})"
        w.control.disarm()
        if ready is None:
            self.outcomes.fail(f"{what}: neither ready nor gone")
            w.kill()
        elif not ready:
            self.judge_refusal(what, w.lbd.returncode)
            self.outcomes.add("start", name, "refused")
            left = [str(path) for path in w.pin.rglob("*") if not path.is_dir()]
            if fresh and left:
                self.outcomes.fail(f"{what}: leaves {' '.join(left)}")
        else:
            told = TOLD.search(w.said())
            self.outcomes.add("start", name, "told" if told else "goes on")
            if self.options.verbose:
                print(f"# {what}: goes on", flush=True)
            self.after_start(what)
        if not fresh and not ready:
            self.same_maps(what)

    def after_start(self, what):
        w = self.world
        self.same_export(what)
        self.same_maps(what)
        status = w.stop()
        if status:
            self.outcomes.fail(f"{what}: stops with {status}")

    def starts(self, name):
        for fresh in (False, True) if self.options.all else (False,):
            if fresh:
                self.world.forget_pins()
            for nth in self.chosen("start", name, self.list_start(name)):
                self.one_start(name, nth, fresh)

    def clean_start(self, what):
        self.world.start()
        self.same_export(what)
        self.same_maps(what)
        self.world.stop()

    # ---- changes

    def list_exports(self):
        """What is in force after each command, without faults."""
        exports = []
        for command in changes.script(self.world.work):
            status, said = self.world.lbctl(*command)
            if status:
                raise AssertionError(f"{command}: {said}")
            exports.append(self.world.exported())
        return exports

    def list_changes(self, name):
        self.world.control.record(SLOT[name])
        for command in changes.script(self.world.work):
            self.world.lbctl(*command)
        sites = self.world.control.recorded(SLOT[name])
        self.outcomes.reaches("changes", name, len(sites))
        return sites

    def retry(self, what, command, before, after, said):
        """After an error nothing has changed, or all has that was asked; it can be asked again."""
        unsure = any(word in said for word in changes.GONE)
        found = self.world.exported()
        if found != before and not (found == after and unsure) and changes.STORED not in said:
            self.outcomes.fail(f"{what}: {said!r} leaves {found}")
        for _ in range(3):
            status, again = self.world.lbctl(*command)
            if not status or (found == after and any(word in again for word in changes.AGAIN)):
                break
        else:
            self.outcomes.fail(f"{what}: {' '.join(command)}: still {again!r}")
        return "hung up" if unsure and changes.DONE not in said else "error"

    def one_round(self, name, nth, exports):
        w = self.world
        logged = len(w.said())
        w.control.arm(SLOT[name], nth)
        outcome, before = None, self.export
        for command, after in zip(changes.script(w.work), exports):
            status, said = w.lbctl(*command)
            if w.lbd.poll() is not None:
                self.outcomes.fail(f"changes: {name} {nth} ({w.control.where()}): lbd ended with "
                                   f"{w.lbd.returncode} in {command}: {w.said()[logged:]}")
                return False
            if w.control.get("failed") and not outcome:
                outcome = "goes on"
                what = f"changes: {name} {nth} ({w.control.where()}) in {' '.join(command)}"
                if status:
                    outcome = self.retry(what, command, before, after, said)
                if self.options.verbose:
                    print(f"# {what}: {said if status else 'goes on'}", flush=True)
                if w.exported() != after:
                    self.outcomes.fail(f"{what}: then export is {w.exported()}, not {after}")
            elif status:
                self.outcomes.fail(f"changes: {name} {nth}: {command} without a fault: {said}")
            before = after
        if outcome == "goes on" and TOLD.search(w.said()[logged:]):
            outcome = "told"
        if outcome:
            self.outcomes.add("changes", name, outcome)
            self.same_maps(what)
        w.control.disarm()
        return True

    def changes(self, name, exports):
        w = self.world
        sites = self.list_changes(name)
        time.sleep(0.5)  # the last session ends
        fds, blocks = w.fds(), w.control.get("blocks")
        for nth in self.chosen("changes", name, sites):
            if not self.one_round(name, nth, exports):
                w.start()
                fds, blocks = w.fds(), w.control.get("blocks")
        time.sleep(0.5)
        if w.fds() > fds:
            self.outcomes.fail(f"changes: {name}: {fds} fds became {w.fds()}")
        if abs(w.control.get("blocks") - blocks) > BLOCKS_SLACK:
            self.outcomes.fail(f"changes: {name}: {blocks} blocks of memory became "
                               f"{w.control.get('blocks')}")
        share = w.busy_share(0.3)
        if share > IDLE_SHARE:
            self.outcomes.fail(f"changes: {name}: idle it takes {share:.0%} of a CPU")
        self.same_export(f"after faults of {name}")

    def all_changes(self, names):
        w = self.world
        w.start()
        exports = self.list_exports()
        for name in names:
            self.changes(name, exports)
        w.stop(signal.SIGKILL)
        self.clean_start("after all faults in changes")
        w.forget_pins()
        self.clean_start("after all faults in changes, from the state alone")

    def run(self):
        names = self.options.classes or CLASSES[1:]
        self.prepare()
        if self.options.phase in ("changes", "both"):
            self.all_changes(names)
        self.restore()
        if self.options.phase in ("start", "both"):
            for name in names:
                if self.options.all or self.options.classes or name in SHORT_STARTS:
                    self.starts(name)
            self.clean_start("after faults at the start")
        self.restore()
        if self.options.phase in ("troubles", "both"):
            troubles.Troubles(self).run()
        self.restore()
        if self.options.phase in ("kill", "both"):
            kills.Kills(self).run(1 if self.options.all else SHORT_KILLS)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="every place that calls, not some")
    parser.add_argument("--first", type=int, default=1, help="from this call on")
    parser.add_argument("--last", type=int, default=1 << 60, help="to this call")
    parser.add_argument("--class", dest="classes", action="append", choices=CLASSES[1:])
    parser.add_argument("--phase", default="both",
                        choices=["start", "changes", "troubles", "kill", "both"])
    parser.add_argument("--write", action="store_true", help="the table into docs/testing.md")
    parser.add_argument("--verbose", action="store_true", help="each fault and what was said")
    return parser.parse_args()


def main():
    options = parse()
    faults = Faults(options)
    try:
        faults.run()
    finally:
        faults.world.finish()
    faults.outcomes.print()
    if options.write:
        faults.outcomes.write()
    else:
        faults.outcomes.compare()
    return 1 if faults.outcomes.failures else 0


sys.exit(main())
