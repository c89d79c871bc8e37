#!/bin/bash
# The datapath and lbd on Debian's kernels other than this machine's, in QEMU without KVM: that the
# verifier accepts the programs, that packets come out the same, and that lbd serves and restarts on
# real interfaces. A line a kernel; what the guest said is in build/kernel/NAME.log.
#
#     test/kernel/run.sh                      those of this Debian, and the newest of the next
#     test/kernel/run.sh --every              one of each version that Debian has for either
#     test/kernel/run.sh PACKAGE [TEST…]      one; TESTs are files of build/test/bpf, whole
#
# build/ must be built with -Dtests=true. SECONDS_AT_MOST: of a processor, what a guest may take
# (180); on a busy machine it may be thrice that by the clock.

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
. test/install.sh

HERE=test/kernel
SECONDS_AT_MOST=${SECONDS_AT_MOST:-180}
MEMORY=2G
FAILED=0
TOPICS=(knobs connection move)
# A load of all programs takes the guest 7 s and more: of those that load often, what tells most.
ONLY=('bpf_knobs every_knob_on_*' 'bpf_move what_begins_meanwhile_comes_too')

. "$HERE/packages.sh"

copy_libraries() { # ROOT PROGRAM
    ldd "$2" | grep -oE '/[^ ]+' | while read -r library; do
        mkdir -p "$1$(dirname "$library")"
        cp -Ln "$library" "$1$library"
    done
}

copy_program() { # ROOT DIRECTORY PROGRAM
    cp "$3" "$1/$2/" && copy_libraries "$1" "$3"
}

copy_module() { # KERNEL ROOT; the one that the guest needs
    local module
    module=$(find "$1" -name 'veth.ko' -o -name 'veth.ko.xz' | head -n 1)
    case $module in
    *.xz) xz -dc "$module" >"$2/veth.ko" ;;
    *.ko) cp "$module" "$2/" ;;
    *) return 1 ;;
    esac
}

# What runs in the guest: busybox, lbd and lbctl, the tests, their libraries.
make_root() { # KERNEL ROOT TEST…
    local kernel=$1 root=$2 file
    shift 2
    rm -rf "$root"
    mkdir -p "$root/bin" "$root/tests"
    copy_module "$kernel" "$root" || { echo "the kernel has no veth module"; return 1; }
    cp "$HERE/guest.sh" "$root/init"
    # busybox's own shell would take busybox's own ip, which makes no veths; its setpriv can less.
    for file in "$(command -v busybox)" /bin/dash "$(command -v ip)" "$(command -v setpriv)" \
        build/control/lb{d,ctl}; do
        copy_program "$root" bin "$file" || return
    done
    ln -s dash "$root/bin/sh"
    for file in "$@"; do
        copy_program "$root" tests "$file" || return
    done
    printf '%s\n' "${ONLY[@]}" >"$root/only"
    (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$root.gz"
}

# One processor, one thread, four levels of page tables: with more, kernels newer than 6.1 may hang.
boot() { # KERNEL ROOT
    timeout $((3 * SECONDS_AT_MOST)) prlimit --cpu="$SECONDS_AT_MOST" \
        qemu-system-x86_64 -accel tcg,thread=single -cpu max,la57=off -smp 1 \
        -m "$MEMORY" -nodefaults -nographic -no-reboot -serial stdio \
        -kernel "$(find "$1" -name 'vmlinuz*' -type f | head -n 1)" -initrd "$2.gz" \
        -append "console=ttyS0 panic=-1 quiet mitigations=off init_on_alloc=0" </dev/null |
        tr -d '\r'
    return "${PIPESTATUS[0]}"
}

# `not ok` of a test that cmocka skipped is none.
failures_in() { # LOG
    grep -aE '^not ok' "$1" | grep -v '# SKIP'
}

# Of what bpf_knobs loaded, the most that the verifier had to go through in this program.
verified() { # PROGRAM LOG
    sed -n "s/^# knobs .* $1 \\([0-9]*\\).*/\\1/p" "$2" | sort -n | tail -n 1 |
        sed 's/[0-9]\{3\}$/k/'
}

# How a kernel fared, in a line, and what failed.
tell() { # NAME LOG STATUS SECONDS
    local version good bad start="not ok" lb end=
    version=$(sed -n 's/^# Linux \([0-9.]*\).*/\1/p' "$2")
    good=$(grep -caE '^ok ' "$2")
    bad=$(failures_in "$2" | wc -l)
    [ "$bad" = 0 ] && grep -aq '^# the end' "$2" && start=ok
    lb=$(verified lb "$2")
    [ -z "$lb" ] || end=": lb $lb, rare $(verified rare "$2") of 1M verified instructions"
    echo "$start - ${version:-$1}  $good ok, $bad not ok ($4 s)$end"
    [ "$start" = ok ] && return
    FAILED=1
    case $3 in
    0) ;;
    124 | 152) echo "# it took more than $SECONDS_AT_MOST s of a processor, or thrice that" ;;
    *) echo "# QEMU ended with status $3" ;;
    esac
    failures_in "$2" | sed 's/^/# /'
    tail -n 5 "$2" | sed 's/^/#     /'
}

check_kernel() { # PACKAGE APT…
    local name=$1 log=$PLACE/$1.log status start tests=("${TESTS[@]}")
    shift
    if ! unpack_kernel "$name" "$@" 2>"$log"; then
        echo "ok - Linux of $name # SKIP $(tail -n 1 "$log")"
        return
    fi
    if ! make_root "$PLACE/$name" "$PLACE/root" "${tests[@]}" >"$log" 2>&1; then
        FAILED=1
        echo "not ok - a guest is made for $name: $(tail -n 1 "$log")"
        return
    fi
    start=$SECONDS
    boot "$PLACE/$name" "$PLACE/root" >"$log" 2>&1
    status=$?
    tell "$name" "$log" "$status" $((SECONDS - start))
}

check_kernels() { # [--every]
    local series package apt
    while read -r series package apt; do
        # shellcheck disable=SC2086 # apt's options, a word each
        case $package in
        -) echo "ok - Linux of $series # SKIP $apt" ;;
        *) check_kernel "$package" $apt ;;
        esac
    done < <(kernels_offered "$@")
}

main() { # [--every | PACKAGE [TEST…]]
    local missing
    mapfile -t missing < <(missing_of "${KERNEL_PACKAGES[@]}")
    if [ "${#missing[@]}" != 0 ] && ! install_missing "${missing[@]}" >&2; then
        echo "ok - Debian's kernels # SKIP not installed: ${missing[*]}"
        return
    fi
    mkdir -p "$PLACE"
    TESTS=("${TOPICS[@]/#/build/test/bpf/bpf_}")
    [ $# -le 1 ] || { TESTS=("${@:2}"); ONLY=(); }
    case ${1:-} in
    "" | --every) check_kernels "$@" ;;
    *) check_kernel "$1" ;;
    esac
    [ "$FAILED" = 0 ]
}

main "$@"
