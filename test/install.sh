#!/bin/bash
# Installs the Debian packages that building (and with --test, testing) needs, those that are
# missing and nothing else. Run it, or source it and call install_packages.

BUILD_PACKAGES=(meson ninja-build gcc clang llvm bpftool libbpf-dev libelf-dev zlib1g-dev
    libnl-3-dev libnl-genl-3-dev libnl-route-3-dev libjansson-dev libcap-ng-dev libseccomp-dev
    libcurl4-openssl-dev libyaml-dev libmicrohttpd-dev libnetfilter-conntrack-dev
    uthash-dev pkg-config iproute2 python3 curl jq procps)
TEST_PACKAGES=(libcmocka-dev libclang-rt-14-dev python3-jsonschema python3-scapy python3-yaml
    python3-prometheus-client ethtool openssl iperf3 socat dnsutils conntrack tcpdump shellcheck
    iputils-ping iputils-arping iputils-tracepath nftables systemd)
# Tests that need these are skipped, with the reason, where apt has them not.
CLANG19_PACKAGES=(clang-19 llvm-19)
DEBIAN_PACKAGES=(debhelper lintian help2man) # test/package.sh
KERNEL_PACKAGES=(qemu-system-x86 busybox-static cpio xz-utils) # test/kernel/run.sh

is_installed() { # PACKAGE
    dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

missing_of() { # PACKAGE…
    local package
    for package in "$@"; do
        is_installed "$package" || echo "$package"
    done
}

apt_quietly() { # ARGUMENT…; what apt says is shown only when it fails
    local log
    log=$(DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" 2>&1) && return
    echo "apt-get $* failed:" >&2
    printf '%s\n' "$log" | tail -n 20 >&2
    return 1
}

install_packages() { # [--test]
    local wanted=("${BUILD_PACKAGES[@]}") missing
    [ "${1:-}" = --test ] && wanted+=("${TEST_PACKAGES[@]}")
    mapfile -t missing < <(missing_of "${wanted[@]}")
    [ "${#missing[@]}" = 0 ] || install_missing "${missing[@]}" || return
    [ "${1:-}" = --test ] || return 0
    install_if_possible "${CLANG19_PACKAGES[@]}"
    install_if_possible "${DEBIAN_PACKAGES[@]}"
    install_if_possible "${KERNEL_PACKAGES[@]}"
}

install_if_possible() { # PACKAGE…
    local missing
    mapfile -t missing < <(missing_of "$@")
    [ "${#missing[@]}" = 0 ] || install_missing "${missing[@]}" || true
}

install_missing() { # PACKAGE…
    if [ "$(id -u)" != 0 ]; then
        echo "not root: cannot install $*" >&2
        return 1
    fi
    echo "installing $*"
    apt_quietly update && apt_quietly install --no-install-recommends "$@"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set -u
    install_packages "$@"
fi
