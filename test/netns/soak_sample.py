#!/usr/bin/python3
"""What lbd and its maps hold, a line of JSON each second, until killed.

    soak_sample.py PIDFILE PIN

`rss_kb` and `fds` are of the process that PIDFILE names now; the others are entries of maps. What
cannot be read at the moment, because lbd restarts or a pin is gone, is missing.
"""

import ctypes
import json
import mmap
import os
import pathlib
import struct
import sys
import time

from count_entries import count_connections
from pins import bpf, describe, open_pin

BPF_MAP_GET_NEXT_KEY = 4
HASHES = ("services", "addresses", "affinity", "fragments", "source_ranges", "deny", "ingresses")
# Arrays, and which byte of an entry is not zero where it is in use.
ARRAYS = {"backends": 56, "nexthops": 6, "ports": 16}


def count_hash(path):
    fd = open_pin(path)
    size = int(describe(fd)["key_size"])
    key, following = ctypes.create_string_buffer(size), ctypes.create_string_buffer(size)
    count, before = 0, 0
    try:
        while True:
            bpf(BPF_MAP_GET_NEXT_KEY, struct.pack("IIQQ", fd, 0, before,
                                                  ctypes.addressof(following)))
            ctypes.memmove(key, following, size)
            before = ctypes.addressof(key)
            count += 1
    except OSError:
        return count
    finally:
        os.close(fd)


def count_array(path, byte):
    fd = open_pin(path)
    facts = describe(fd)
    width, entries = int(facts["value_size"]), int(facts["max_entries"])
    with mmap.mmap(fd, entries * width, mmap.MAP_SHARED, mmap.PROT_READ) as table:
        os.close(fd)
        return sum(value != 0 for value in table[:][byte::width])


def sample_process(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    rss = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return {"pid": pid, "rss_kb": int(rss), "fds": len(os.listdir(f"/proc/{pid}/fd"))}


def sample(pid_file, pin):
    found = {"at": round(time.time(), 3)}
    readers = [lambda: sample_process(int(pathlib.Path(pid_file).read_text(encoding="ascii"))),
               lambda: {"connections": count_connections(f"{pin}/map/connections")}]
    readers += [lambda name=name: {name: count_hash(f"{pin}/map/{name}")} for name in HASHES]
    readers += [lambda name=name: {name: count_array(f"{pin}/map/{name}", ARRAYS[name])}
                for name in ARRAYS]
    for reader in readers:
        try:
            found.update(reader())
        except (OSError, StopIteration, ValueError):
            pass
    return found


def main(arguments):
    if len(arguments) != 2:
        sys.exit(__doc__)
    while True:
        print(json.dumps(sample(*arguments)), flush=True)
        time.sleep(1)


if __name__ == "__main__":
    main(sys.argv[1:])
