"""lbd dies, as by kill -9, before each system call of a change and of one that compacts the state.

What was acknowledged is there afterwards, and what was not is there whole or not at all.
"""

import changes
import world
from world import DIE

PADDING = (1 << 20) + 4096  # of a journal that is due for compaction
LINE = '{"sequence":2,"change":{"put":[],"remove":[]}}'
COMMAND = ["service", "add", changes.WEB, "--backend", "10.1.0.11:8080", "--backend",
           "10.1.0.12:8080"]
MAX_CALLS = 400


class Kills:
    def __init__(self, faults):
        self.faults = faults
        self.world = faults.world
        self.after = None

    def prepare(self, compacts):
        self.faults.restore()
        if compacts:
            with open(f"{self.world.state}.journal", "a", encoding="ascii") as journal:
                journal.write(LINE + " " * PADDING + "\n")
        self.world.start()

    def look_afterwards(self, what, acknowledged):
        w = self.world
        w.start()
        found = w.exported()
        if found not in (self.faults.export, self.after):
            self.faults.outcomes.fail(f"{what}: half a change: {found}")
        if acknowledged and found != self.after:
            self.faults.outcomes.fail(f"{what}: an acknowledged change is gone: {found}")
        if found == self.after:
            w.lbctl("service", "del", changes.WEB)
        self.faults.same_maps(what)
        w.stop()

    def die(self, compacts, nth):
        """Whether it died."""
        w = self.world
        self.prepare(compacts)
        w.control.arm(0, nth, DIE)
        status, _ = w.lbctl(*COMMAND)
        what = f"killed before call {nth} of a {'compaction' if compacts else 'change'}"
        if w.control.get("failed"):
            w.lbd.wait(5)
        else:
            w.control.disarm()
            self.after = w.exported()
            w.stop()
        self.look_afterwards(what, not status)
        return bool(w.control.get("failed"))

    def run(self, every):
        """How many calls of each were the last."""
        for compacts in (False, True):
            self.die(compacts, MAX_CALLS * MAX_CALLS)  # lives, and shows what comes of it
            count = self.count(compacts)
            for nth in range(1 + every // 2, count + 1, every):
                self.die(compacts, nth)
            self.faults.outcomes.kills.append((compacts, count, len(range(1, count + 1, every))))

    def count(self, compacts):
        w = self.world
        self.prepare(compacts)
        before = w.control.reached(world.TOTAL)
        w.lbctl(*COMMAND)
        count = w.control.reached(world.TOTAL) - before
        w.stop()
        return min(count, MAX_CALLS)
