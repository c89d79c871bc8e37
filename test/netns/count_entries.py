#!/usr/bin/python3
"""Counts the entries of a pinned table of connections, those that have expired included.

    count_entries.py PIN
"""

import mmap
import os
import sys

from pins import describe, open_pin

ENTRY_BYTES = 32  # struct connection; its first word is zero where it is free


def count_connections(path):
    fd = open_pin(path)
    facts = describe(fd)
    size = int(facts["max_entries"]) * int(facts["value_size"])
    with mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ) as table:
        os.close(fd)
        with memoryview(table) as whole, whole.cast("Q") as words:
            return sum(head != 0 for head in words[:: ENTRY_BYTES // 8].tolist())


if __name__ == "__main__":
    print(count_connections(sys.argv[1]))
