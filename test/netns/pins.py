#!/usr/bin/python3
"""What is pinned, as the kernel describes it in /proc/PID/fdinfo.

    pins.py PATH…      of each its path, the id of its object, and of a link the interface's index
"""

import ctypes
import os
import struct
import sys

SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
BPF_OBJ_GET = 7
LIBC = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    """As the system call; OSError instead of -1."""
    answer = LIBC.syscall(SYS_BPF, command, attributes, len(attributes))
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


def open_pin(path):
    name = ctypes.create_string_buffer(path.encode())
    return bpf(BPF_OBJ_GET, struct.pack("QII", ctypes.addressof(name), 0, 0))


def describe(fd):
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as lines:
        return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}


def main(paths):
    if not paths:
        sys.exit(__doc__)
    for path in paths:
        fd = open_pin(path)
        facts = describe(fd)
        os.close(fd)
        identity = next(facts[name] for name in ("link_id", "map_id", "prog_id") if name in facts)
        print(path, identity, facts.get("ifindex", ""))


if __name__ == "__main__":
    main(sys.argv[1:])
