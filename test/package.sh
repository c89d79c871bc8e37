#!/bin/bash
# The Debian package: built from a copy of the sources, judged by lintian, installed, removed and
# purged in a copy of this machine's file system that is gone afterwards. Run it as root, under
# `unshare --mount`. The packaging is in control/debian; where dpkg-buildpackage looks for it, at
# the top, is room for sources alone.

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
[ "$(readlink /proc/self/ns/mnt)" != "$(readlink /proc/1/ns/mnt)" ] ||
    { echo "run me under unshare --mount" >&2; exit 1; }

WORK=$(mktemp -d /tmp/lbd-package.XXXXXX)
LBD_LOG=
. test/netns/_check.sh
trap 'umount -R "$WORK/root" "$WORK/layers" 2>/dev/null; rm -rf "${WORK:?}"; report_unfinished
    [ "$FAILED" = 0 ]; exit $?' EXIT
mount --make-rprivate /

for tool in dpkg-buildpackage dh lintian help2man; do
    command -v "$tool" >/dev/null || { skip "the package builds" "$tool is not installed"; finish; }
done

build() {
    mkdir "$WORK/lbd" && tar -c --exclude='./build*' --exclude=./.git . | tar -x -C "$WORK/lbd" &&
        mv "$WORK/lbd/control/debian" "$WORK/lbd/debian" && cd "$WORK/lbd" &&
        CC=gcc nice dpkg-buildpackage -us -uc -b
}

one_package() {
    DEB=$(echo "$WORK"/lbd_*.deb)
    dpkg-deb -I "$DEB" && [ -f "$DEB" ]
}

# Not suppressed for want of care: a new package of Debian closes a bug that asks for it, and there
# is no address to write to (bogus-mail-host…).
NOT_YET=initial-upload-closes-no-bugs,bogus-mail-host,bogus-mail-host-in-debian-changelog

lints() {
    lintian --allow-root --fail-on error,warning --suppress-tags "$NOT_YET" "$WORK"/lbd_*.changes
}

# ---- a machine to install it on

within_root() { # COMMAND…
    chroot "$WORK/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
        LC_ALL=C.UTF-8 "$@"
}

make_root() {
    mkdir "$WORK/layers" "$WORK/root" && mount -t tmpfs none "$WORK/layers" &&
        mkdir "$WORK/layers/upper" "$WORK/layers/work" && mount -t overlay overlay \
        -o "lowerdir=/,upperdir=$WORK/layers/upper,workdir=$WORK/layers/work" "$WORK/root" &&
        mount -t tmpfs none "$WORK/root/run" && mount -t tmpfs none "$WORK/root/tmp" &&
        mount -t proc proc "$WORK/root/proc" && mount -t tmpfs none "$WORK/root/dev" &&
        touch "$WORK/root/dev/null" && mount --bind /dev/null "$WORK/root/dev/null" &&
        cp "$DEB" "$WORK/root/tmp/lbd.deb"
}

# Names of files that dpkg does not keep for itself.
files() {
    (cd "$WORK/layers/upper" && find . ! -type d ! -type c ! -path './var/lib/dpkg/*' \
        ! -path './var/log/*' ! -path './var/cache/*' ! -path './etc/*-' | sort)
}

installs() {
    within_root dpkg -i /tmp/lbd.deb && within_root dpkg-query -W -f '${db:Status-Status}' lbd |
        grep -qx installed
}

is_there() { # PATH…
    local path
    for path in "$@"; do
        [ -e "$WORK/root$path" ] || [ -L "$WORK/root$path" ] || { echo "no $path"; return 1; }
    done
}

is_gone() { # PATH…
    local path
    for path in "$@"; do
        [ ! -e "$WORK/root$path" ] || { echo "$path"; return 1; }
    done
}

unit_is_sound() { # systemd-analyze exits 0 with warnings; other units' are not ours
    within_root systemd-analyze verify /lib/systemd/system/lbd.service 2>&1 |
        grep -F lbd.service >"$WORK/verify"
    cat "$WORK/verify"
    [ ! -s "$WORK/verify" ]
}

left_behind() { # but the user, whom no package of Debian removes
    files | grep -vxE '\./etc/(passwd|group|shadow|gshadow|subuid|subgid|\.pwd\.lock)' |
        grep -E 'lbd' >"$WORK/left"
    cat "$WORK/left"
    [ ! -s "$WORK/left" ]
}

test_install() {
    check "there is a machine to install it on" make_root
    check "it is installed" installs
    check "lbd and lbctl are there" is_there /usr/sbin/lbd /usr/bin/lbctl \
        /lib/systemd/system/lbd.service /etc/lbd/lbd.json /usr/share/man/man8/lbd.8.gz
    check "lbd tells its version" within_root lbd --version
    check "so does lbctl" within_root lbctl --version
    check "its settings are ones that lbd takes" within_root lbd --check --config /etc/lbd/lbd.json
    check "it has a user" within_root getent passwd lbd
    check "the unit has no mistake" unit_is_sound
    check "and is not enabled" is_gone /etc/systemd/system/multi-user.target.wants/lbd.service
    mkdir -p "$WORK/root/var/lib/lbd" && touch "$WORK/root/var/lib/lbd/operator.json"
    check "it is removed" within_root dpkg -r lbd
    check "programs and unit are gone" is_gone /usr/sbin/lbd /usr/bin/lbctl \
        /lib/systemd/system/lbd.service
    check "settings and state are kept" is_there /etc/lbd/lbd.json /var/lib/lbd/operator.json
    check "it is installed again" installs
    check "it is purged" within_root dpkg -P lbd
    check "settings and state are gone as well" is_gone /etc/lbd /var/lib/lbd
    check "nothing is left but its user" left_behind
}

check "the package builds from the sources" build
check "it is one" one_package
check "lintian finds neither errors nor warnings" lints
test_install

finish
