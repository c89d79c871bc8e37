"""What lasts: a full disk, a read-only one, a damaged state, a clock that is set."""

import contextlib
import subprocess
import time

import changes
from kills import LINE

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
PAGE = 4096
ADD = ["service", "add", changes.WEB, "--backend", "10.1.0.11:8080"]
DEL = ["service", "del", changes.WEB]


class Troubles:
    def __init__(self, faults):
        self.faults = faults
        self.world = faults.world
        self.directory = str(self.world.state.parent)

    def expect(self, what, holds):
        if not holds:
            self.faults.outcomes.fail(f"{what}: {self.world.said()[-600:]}")

    @contextlib.contextmanager
    def small_disk(self):
        """A file system of 64 KiB in the place of the state's directory, with the state in it."""
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", self.directory],
                       check=True)
        self.faults.restore()
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", self.directory], check=True)
            self.faults.restore()

    def fill_page(self):
        """The next line of the journal needs a block of its own."""
        path = f"{self.world.state}.journal"
        with open(path, "a", encoding="ascii") as journal:
            room = PAGE - (journal.tell() + len(LINE) + 1) % PAGE
            journal.write(LINE + " " * room + "\n")

    def refuse_change(self, what, word):
        status, said = self.world.lbctl(*ADD)
        self.expect(f"{what}: a change is refused with {word}, not {status} {said}",
                    status == 1 and word in said and str(self.world.state) in said)
        self.faults.same_export(what)
        self.faults.same_maps(what)

    def take_change(self, what):
        for command in (ADD, DEL):
            status, said = self.world.lbctl(*command)
            self.expect(f"{what}: a change is taken: {said}", not status)

    def full_disk(self):
        with self.small_disk():
            self.fill_page()
            self.world.start()
            filler = self.world.state.parent / "filler"
            with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
                while True:
                    file.write(bytes(512))
            self.refuse_change("full disk", "No space left")
            filler.unlink()
            self.take_change("a disk with room again")
            self.world.stop()

    def read_only_disk(self):
        with self.small_disk():
            self.world.start()
            self.world.stop()
            subprocess.run(["mount", "-o", "remount,ro", self.directory], check=True)
            self.world.control.restart()
            self.world.launch()
            self.expect("read-only: lbd does not start", self.world.wait() is False)
            self.expect("read-only: and says why", "Read-only" in self.world.said())
            self.faults.same_maps("read-only disk")

    def damaged_state(self):
        """What is pinned goes on, the rest is told, and the next change is kept."""
        w = self.world
        w.start()
        journal = w.state.with_name(w.state.name + ".journal")
        w.stop()
        journal.write_bytes(b"{\"sequence\":1,\"cha\n" + journal.read_bytes())
        damaged = journal.read_bytes()
        w.start()
        kept = journal.with_name(journal.name + ".damaged-1")
        self.expect("damage is told", "event=state-damaged" in w.said() and str(kept) in w.said())
        self.expect("damage is kept aside", kept.read_bytes() == damaged)
        self.faults.same_maps("a damaged state")
        status, said = w.lbctl("apply", str(w.work / "base.json"))
        self.expect(f"the operator brings it again: {said}", not status)
        w.stop()
        self.faults.clean_start("after damage")
        self.faults.restore()

    def set_clock(self):
        """A deadline of an hour ends when the clock says so; back again nothing is undone."""
        w = self.world
        w.start()
        for command in (["service", "add", changes.WEB, "--backend", "10.1.0.11:8080"],
                        ["backend", "set", changes.WEB, "10.1.0.11:8080", "--state", "draining",
                         "--deadline", "1h"]):
            w.lbctl(*command)
        w.control.set("clock_ms", -DAY_MS)
        time.sleep(1.5)
        self.expect("a clock set back ends nothing", "draining" in w.lbctl("export")[1])
        w.control.set("clock_ms", 2 * HOUR_MS)
        end = time.monotonic() + 10
        while "down" not in w.lbctl("export")[1] and time.monotonic() < end:
            time.sleep(0.1)
        self.expect("a clock set forward ends what is over", "down" in w.lbctl("export")[1])
        w.control.set("clock_ms", -DAY_MS)
        self.expect("nor is lbd busy then", w.busy_share(1) < 0.15)
        w.lbctl(*DEL)
        w.control.set("clock_ms", 0)
        self.faults.same_maps("after the clock was set")
        w.stop()

    def run(self):
        self.full_disk()
        self.read_only_disk()
        self.damaged_state()
        self.set_clock()
