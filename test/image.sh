#!/bin/bash
# The image, where no engine for containers is: the RUN steps of its Dockerfile, each by a shell, in
# a copy of this machine's file system with the sources in /src; then lbd and lbctl in a root that
# holds the files of the final stage and nothing else. Run it as root under `unshare --mount`. The
# step that asks apt for packages is not run: it is checked that they are those of test/install.sh.

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
[ "$(readlink /proc/self/ns/mnt)" != "$(readlink /proc/1/ns/mnt)" ] ||
    { echo "run me under unshare --mount" >&2; exit 1; }

DOCKERFILE=docs/examples/kubernetes/Dockerfile
WORK=$(mktemp -d /tmp/lbd-image.XXXXXX)
LBD_LOG=
. test/netns/_check.sh
. test/install.sh
trap 'umount -R "$WORK/root" "$WORK/layers" 2>/dev/null; rm -rf "${WORK:?}"; report_unfinished
    [ "$FAILED" = 0 ]; exit $?' EXIT
mount --make-rprivate /

# A step a line: continued lines are joined.
steps() { # WORD
    sed -e ':a' -e '/\\$/N; s/\\\n *//; ta' "$DOCKERFILE" | sed -n "s/^$1 //p"
}

# Both ways, but for what a build needs no headers of.
packages_are_known() {
    local package installed
    installed=$(steps RUN | sed -n 's/.*apt-get install -y --no-install-recommends //p')
    for package in $installed; do
        [[ " ${BUILD_PACKAGES[*]} " == *" $package "* ]] || { echo "$package"; return 1; }
    done
    for package in "${BUILD_PACKAGES[@]}"; do
        [[ $package != *-dev || " $installed " == *" $package "* ]] ||
            { echo "without $package"; return 1; }
    done
}

# Besides the sources in /src, /build, /stage and /image are what the steps make.
make_root() {
    mkdir "$WORK/layers" "$WORK/root" && mount -t tmpfs none "$WORK/layers" &&
        mkdir "$WORK/layers/upper" "$WORK/layers/work" && mount -t overlay overlay \
        -o "lowerdir=/,upperdir=$WORK/layers/upper,workdir=$WORK/layers/work" "$WORK/root" &&
        mount -t tmpfs none "$WORK/root/tmp" && mount -t proc proc "$WORK/root/proc" &&
        mount --rbind /dev "$WORK/root/dev" && mkdir "$WORK/root/src" &&
        tar -c --exclude='./build*' --exclude=./.git . | tar -x -C "$WORK/root/src"
}

run_steps() {
    local step
    while read -r step; do
        [[ $step != *"apt-get install"* ]] || continue
        echo "RUN $step"
        chroot "$WORK/root" env -C /src CC=gcc nice sh -c "$step" </dev/null || return
    done < <(steps RUN)
}

in_image() { # PROGRAM OPTION…
    chroot "$WORK/root/image" "$@"
}

# What the manifest mounts over it is made by the runtime.
holds_little() {
    (cd "$WORK/root/image" && find . ! -type d | sort && du -sh .)
    [ ! -e "$WORK/root/image/bin/sh" ] && [ ! -e "$WORK/root/image/usr/bin/sh" ] &&
        [ "$(find "$WORK/root/image" ! -type d | wc -l)" -lt 80 ]
}

asks_in_vain() {
    fails in_image /usr/bin/lbctl --socket /nowhere status >"$WORK/out" 2>&1
    cat "$WORK/out"
    grep -q '/nowhere: no daemon there' "$WORK/out"
}

check "the packages of the Dockerfile are those that test/install.sh installs" packages_are_known
check "there is a machine to build on" make_root
check "the steps of the Dockerfile succeed" run_steps
check "the image copies what they made" test "$(steps COPY)" = $'. /src\n--from=build /image/ /'
check "it starts a program that is there" test -x \
    "$WORK/root/image$(steps ENTRYPOINT | jq -r '.[0]')"
check "lbd runs where nothing else is" in_image /usr/sbin/lbd --version
check "and tells its options" in_image /usr/sbin/lbd --help
check "lbctl runs, and says what it misses" asks_in_vain
check "there is no shell, and few files" holds_little

finish
