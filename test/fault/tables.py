"""What the pinned maps of lbd say, in an order and in words that two loads have in common.

Indexes differ between loads: a service's id, where its ring lies, where its backends are. So these
are followed, not shown.
"""

import collections
import ctypes
import mmap
import os
import struct

SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
LOOKUP, NEXT_KEY, OBJ_GET = 1, 4, 7
LIBC = ctypes.CDLL(None, use_errno=True)
STATES = {1: "active", 2: "draining", 3: "down"}


def bpf(command, *words, form):
    attributes = struct.pack(form, *words)
    return LIBC.syscall(SYS_BPF, command, attributes, len(attributes))


def address_of(buffer):
    return ctypes.addressof(buffer) if buffer is not None else 0


class Map:
    def __init__(self, pin, name):
        path = ctypes.create_string_buffer(os.fsencode(pin / "map" / name))
        self.fd = bpf(OBJ_GET, address_of(path), 0, 0, form="QII")
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), f"map {name}")
        with open(f"/proc/self/fdinfo/{self.fd}", encoding="ascii") as lines:
            facts = dict(line.split(":", 1) for line in lines)
        self.key_size, self.size, self.count = (int(facts[word]) for word in
                                                ("key_size", "value_size", "max_entries"))

    def close(self):
        os.close(self.fd)

    def array(self):
        with mmap.mmap(self.fd, self.count * self.size, mmap.MAP_SHARED, mmap.PROT_READ) as memory:
            whole = bytes(memory)
        return [whole[i * self.size:(i + 1) * self.size] for i in range(self.count)]

    def items(self):
        found, key = {}, None
        after = ctypes.create_string_buffer(self.key_size)
        value = ctypes.create_string_buffer(self.size)
        while not bpf(NEXT_KEY, self.fd, address_of(key), address_of(after), form="IxxxxQQ"):
            key = ctypes.create_string_buffer(after.raw, self.key_size)
            bpf(LOOKUP, self.fd, address_of(key), address_of(value), 0, form="IxxxxQQQ")
            found[key.raw] = value.raw
        return found


def read_maps(pin):
    hashes = ["services", "addresses", "deny", "source_ranges", "backend_ends"]
    arrays = ["backends", "rings", "nexthops", "service_filter", "backend_filter",
              "address_filter"]
    found = {}
    for name in hashes + arrays:
        table = Map(pin, name)
        found[name] = table.items() if name in hashes else table.array()
        table.close()
    return found


def backend_words(record, nexthops):
    """struct backend_record but for its indexes, and the next hop for its index."""
    state = record[56]
    _, service, hop = struct.unpack("III", record[32:44])
    return (record[:32].hex(), record[44:48].hex(), STATES.get(state, state), record[57],
            nexthops[hop][:6].hex()), service


def describe_service(record, backends, ranges, slots):
    (offset, length, _, _, service, affinity, algorithm, flags) = struct.unpack("6I2B6x", record)
    ring = collections.Counter(
        backends[slot][0] if slot in backends else "nothing"
        for slot in slots[offset:offset + length])
    owned = sorted(words for words, owner in backends.values() if owner == service)
    return (algorithm, affinity, flags, length, sorted(map(str, ring.items())), owned,
            sorted(key.hex()[16:] + key.hex()[:8] for key in ranges
                   if key[4:8] == struct.pack("I", service)))


def bits(words):
    number = int.from_bytes(b"".join(words), "little")
    return [i for i in range(number.bit_length()) if number >> i & 1]


def described(pin):
    maps = read_maps(pin)
    slots = [slot for row in maps["rings"] for slot in struct.unpack("16I", row)]
    backends = {i: backend_words(record, maps["nexthops"])
                for i, record in enumerate(maps["backends"]) if record[56]}
    services = {key.hex(): describe_service(record, backends, maps["source_ranges"], slots)
                for key, record in maps["services"].items()}
    return {
        "services": services,
        "backends": len(backends),
        "source ranges": len(maps["source_ranges"]),
        "ends": sorted((key.hex(), struct.unpack("II", value)[1])
                       for key, value in maps["backend_ends"].items()),
        "addresses": sorted(key.hex() for key in maps["addresses"]),
        "deny": sorted(key.hex() for key in maps["deny"]),
        **{name: bits(maps[name]) for name in 
           ("service_filter", "backend_filter", "address_filter")},
    }


def differences(one, other):
    found = []
    for name in one:
        if isinstance(one[name], int):
            missing, extra = {one[name]}, {other[name]}
        else:
            missing, extra = (set(map(str, getattr(side[name], "items", lambda s=side: s[name])()))
                              for side in (one, other))
        # A bit of a backend that is gone stays while its late replies may come.
        if missing != extra and not ("filter" in name and missing <= extra):
            found.append(f"{name}: lacks {sorted(missing - extra)}, has {sorted(extra - missing)}")
    return found
