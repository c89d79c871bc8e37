#!/usr/bin/python3
"""Spoils what a pinned map holds, all of it at once.

    spoil.py delete PIN              removes each entry
    spoil.py overwrite PIN BYTE      every byte of the values that says something becomes BYTE
"""

import ctypes
import struct
import sys

from pins import bpf, describe, open_pin

LOOKUP, UPDATE, DELETE, NEXT_KEY = 1, 2, 3, 4  # BPF_MAP_…_ELEM, BPF_MAP_GET_NEXT_KEY


class Map:
    def __init__(self, path):
        self.fd = open_pin(path)
        facts = describe(self.fd)
        self.key_size, self.value_size = int(facts["key_size"]), int(facts["value_size"])

    def call(self, command, key, value=None):
        address = ctypes.addressof(value) if value is not None else 0
        bpf(command, struct.pack("IIQQQ", self.fd, 0, ctypes.addressof(key) if key else 0,
                                 address, 0))

    def keys(self):
        found, before = [], None
        try:
            while True:
                key = ctypes.create_string_buffer(self.key_size)
                self.call(NEXT_KEY, before, key)
                found.append(key)
                before = key
        except OSError:
            return found

    def value(self, key):
        value = ctypes.create_string_buffer(self.value_size)
        self.call(LOOKUP, key, value)
        return value


def delete(target):
    for key in target.keys():
        try:
            target.call(DELETE, key)
        except OSError:
            pass  # it was not there: arrays of programs have keys without


def overwrite(target, byte):
    spoilt = [(key, ctypes.create_string_buffer(
        bytes(byte if b else 0 for b in target.value(key).raw), target.value_size))
              for key in target.keys()]
    for key, value in spoilt:
        target.call(UPDATE, key, value)


def main(arguments):
    if arguments[:1] == ["delete"] and len(arguments) == 2:
        delete(Map(arguments[1]))
    elif arguments[:1] == ["overwrite"] and len(arguments) == 3:
        overwrite(Map(arguments[1]), int(arguments[2], 0))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
