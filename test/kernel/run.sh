#!/bin/bash
# The BPF tests on a kernel of Debian's other than this machine's, in QEMU without KVM: that its
# verifier accepts the programs, and that packets come out the same.
#
#     test/kernel/run.sh [PACKAGE [TEST…]]      build/ must be built with -Dtests=true
#
# PACKAGE is a kernel image of apt's, by default the oldest that is supported; TESTs are files of
# build/test/bpf. What it loads and unpacks is kept in build/kernel.

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
. test/install.sh

PACKAGE=${1:-linux-image-cloud-amd64}
shift
TESTS=("$@")
PLACE=build/kernel
SECONDS_AT_MOST=${SECONDS_AT_MOST:-1500}
MEMORY=3G

fail() {
    echo "not ok - $*"
    exit 1
}

# A meta package names the image that it stands for.
real_package() {
    local depends
    depends=$(apt-cache depends --important "$PACKAGE" 2>/dev/null |
        sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
    echo "${depends:-$PACKAGE}"
}

unpack_kernel() { # REAL
    [ -d "$PLACE/$1/boot" ] && return
    mkdir -p "$PLACE/$1"
    (cd "$PLACE" && apt-get download -qq "$1" 2>/dev/null) || return
    dpkg -x "$PLACE/$1"_*.deb "$PLACE/$1" && rm "$PLACE/$1"_*.deb
}

copy_libraries() { # ROOT PROGRAM
    ldd "$2" | grep -oE '/[^ ]+' | while read -r library; do
        mkdir -p "$1$(dirname "$library")"
        cp -Ln "$library" "$1$library"
    done
}

write_init() { # ROOT
    cat >"$1/init" <<'END'
#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /run
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t bpf bpf /sys/fs/bpf
/bin/busybox insmod /veth.ko
/bin/busybox ip link set lo up
echo "# Linux $(/bin/busybox uname -r)"
export PATH=/bin
export CMOCKA_MESSAGE_OUTPUT=TAP LBT_HAMMER_ROUNDS=20 LBT_DUELS=500 LBT_FLOOD=100000
for test in /tests/*; do
    echo "# $test"
    "$test" || echo "# status $? of $test"
done
echo "# the end"
/bin/busybox poweroff -f
END
    chmod +x "$1/init"
}

# What runs in the guest: busybox, the tests, their libraries, the one module they need.
make_root() { # KERNEL ROOT
    local test program
    rm -rf "$2"
    mkdir -p "$2/bin" "$2/tests"
    cp /usr/bin/busybox "$2/bin/" 2>/dev/null || cp /bin/busybox "$2/bin/"
    # busybox's own shell would take busybox's own ip, which makes no veths.
    for program in /bin/dash "$(command -v ip)"; do
        cp "$program" "$2/bin/"
        copy_libraries "$2" "$program"
    done
    ln -s dash "$2/bin/sh"
    find "$1/lib/modules" -name veth.ko -exec cp {} "$2/" \;
    find "$1/lib/modules" -name veth.ko.xz -exec sh -c 'xz -dc "$1" >"$2/veth.ko"' _ {} "$2" \;
    [ -f "$2/veth.ko" ] || fail "the kernel has a veth module"
    [ "${#TESTS[@]}" = 0 ] &&
        mapfile -t TESTS < <(find build/test/bpf -maxdepth 1 -type f -executable)
    for test in "${TESTS[@]}"; do
        cp "$test" "$2/tests/" || fail "$test is there"
        copy_libraries "$2" "$test"
    done
    write_init "$2"
    (cd "$2" && find . | cpio -o -H newc --quiet | gzip -1) >"$2.gz"
}

boot() { # KERNEL ROOT
    timeout "$SECONDS_AT_MOST" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 \
        -m "$MEMORY" -nodefaults -nographic -no-reboot -serial stdio \
        -kernel "$1"/boot/vmlinuz-* -initrd "$2.gz" \
        -append "console=ttyS0 panic=-1 quiet mitigations=off" </dev/null | tr -d '\r'
}

install_missing_quietly() {
    local missing
    mapfile -t missing < <(missing_of qemu-system-x86 busybox-static cpio xz-utils)
    [ "${#missing[@]}" = 0 ] || install_missing "${missing[@]}" >&2
}

main() {
    local real log=$PLACE/log
    install_missing_quietly || fail "QEMU is installed"
    mkdir -p "$PLACE"
    real=$(real_package)
    unpack_kernel "$real" || fail "apt has the package $real"
    make_root "$PLACE/$real" "$PLACE/root"
    boot "$PLACE/$real" "$PLACE/root" | tee "$log" | grep -aE '^(# |(not )?ok |1\.\.)|rror:'
    grep -aq '^# the end' "$log" || fail "the guest came to its end ($log)"
    ! grep -aE '^not ok' "$log" | grep -vq '# SKIP'
}

main
