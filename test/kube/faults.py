"""What the API server does wrong on command. Some faults strike the watches that there are, some
the next so many requests or events, some last until `off`.

    disconnect               each watch: cut
    truncate                 each watch: cut in the midst of its next event
    broken-json              each watch: a line that is no JSON, then it goes on
    gone N [event|status]    the next N watches: 410, as an event (default) or as the answer
    status CODE N [SECONDS]  the next N requests: CODE, with Retry-After
    broken-list N            the next N lists: cut JSON of the announced length
    duplicate N              the next N events: twice
    reorder MS|off           events of so long are sent in any order that keeps each object's own
    slow MICROSECONDS|off    a byte a time, with this pause
    split N|off              chunks of N bytes, whatever is in them
    hang SECONDS             requests of this time: accepted, and no answer until it is over
    refuse SECONDS           no connection is accepted for so long
    expire                   no page after the first can be had any more
    compact                  all history is forgotten
    wrong-types KIND NS/NAME lists of the object become strings, and strings numbers
    huge KIND NS/NAME MB     the object grows an annotation
    off                      nothing of the above any more
"""

import copy
import random
import threading
import time

STRIKES = ("disconnect", "truncate", "broken-json")
COUNTED = {"gone": 1, "broken-list": 1, "duplicate": 1}
LASTING = ("reorder", "slow", "split")


class Faults:
    def __init__(self):
        self.lock = threading.Lock()
        self.counts = {}  # name → (how many are left, argument)
        self.lasting = {}  # name → number
        self.hangs_until = 0
        self.watches = set()

    def strike(self, name):
        with self.lock:
            for watch in self.watches:
                watch.strikes.append(name)

    def set_count(self, name, count, argument=None):
        with self.lock:
            self.counts[name] = (int(count), argument)

    def take(self, name):
        """Whether one of so many is due, with its argument (True where it has none)."""
        with self.lock:
            left, argument = self.counts.get(name, (0, None))
            if left <= 0:
                return None
            self.counts[name] = (left - 1, argument)
            return argument or True

    def last(self, name, value):
        self.lasting.pop(name, None)
        if value != "off":
            self.lasting[name] = int(value)

    def hang(self):
        while time.monotonic() < self.hangs_until:
            time.sleep(0.05)

    def clear(self):
        with self.lock:
            self.counts.clear()
            self.lasting.clear()
            self.hangs_until = 0


def shuffle(events):
    """The events in another order, in which those of one object keep theirs."""
    queues = {}
    for event in events:
        queues.setdefault((event.new or event.old).key, []).append(event)
    mixed = []
    while queues:
        key = random.choice(list(queues))
        mixed.append(queues[key].pop(0))
        if not queues[key]:
            del queues[key]
    return mixed


def mistype(value, depth=0):
    """Below the metadata lists become strings, strings numbers and numbers lists."""
    if isinstance(value, dict):
        return {key: mistype(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return "a list" if depth > 1 else [mistype(inner, depth + 1) for inner in value]
    return 7 if isinstance(value, str) else [value]


def with_wrong_types(item):
    wrong = copy.deepcopy(item)
    for part in ("spec", "status", "endpoints", "ports"):
        if part in wrong:
            wrong[part] = mistype(wrong[part], 1)
    return wrong


def with_huge_annotation(item, megabytes):
    huge = copy.deepcopy(item)
    huge["metadata"].setdefault("annotations", {})["huge"] = "x" * (int(megabytes) << 20)
    return huge
