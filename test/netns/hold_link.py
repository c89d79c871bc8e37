#!/usr/bin/python3
"""Attaches a pinned XDP program by a bpf_link, as libxdp's users do, and holds it until killed.

    hold_link.py PIN INTERFACE

Prints `held` once it is attached. bpftool has no command for this: `net attach` goes by netlink.
"""

import ctypes
import os
import platform
import signal
import socket
import struct
import sys

SYS_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
BPF_OBJ_GET = 7
BPF_LINK_CREATE = 28
BPF_XDP = 37  # enum bpf_attach_type
XDP_FLAGS_DRV_MODE = 1 << 2
ATTRIBUTES_BYTES = 128


def bpf(command, attributes):
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes, ATTRIBUTES_BYTES)
    fd = libc.syscall(SYS_BPF, command, buffer, ATTRIBUTES_BYTES)
    if fd < 0:
        error = ctypes.get_errno()
        sys.exit(f"bpf({command}): {os.strerror(error)}")
    return fd


def main(pin, interface):
    path = ctypes.create_string_buffer(pin.encode())
    program = bpf(BPF_OBJ_GET, struct.pack("Q", ctypes.addressof(path)))
    bpf(BPF_LINK_CREATE, struct.pack("IIII", program, socket.if_nametoindex(interface), BPF_XDP,
                                     XDP_FLAGS_DRV_MODE))
    print("held", flush=True)
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
