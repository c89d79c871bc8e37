# shellcheck shell=bash
# Makes build/apimachinery/server of main.go and Kubernetes' libraries, and has etcd beside it: from
# Debian's packages, which are unpacked there and not installed. run.sh sources it at the top of the
# sources.

. test/kernel/packages.sh
PLACE=build/apimachinery
SUITE=${SUITE:-sid}
LIBRARIES=(golang-k8s-apiserver-dev golang-go etcd-server etcd-client)
ROOT=$PLACE/$SUITE

# With all that they depend on, as if nothing were installed here; of that only Go, what is written
# in it, and libraries of C that it needs.
unpack_libraries() { # OPTION…
    local part=$ROOT.part package
    rm -rf "$part"
    mkdir -p "$part" "$PLACE/apt-$SUITE/cache/archives/partial"
    apt-get "$@" -qq -oDir::State::status=/dev/null -oAPT::Sandbox::User=root \
        --no-install-recommends --download-only --yes install "${LIBRARIES[@]}" || return
    for package in "$PLACE/apt-$SUITE"/cache/archives/{golang-,etcd-,libc6_}*.deb; do
        dpkg -x "$package" "$part" || return
    done
    dpkg-deb -f "$PLACE/apt-$SUITE"/cache/archives/golang-k8s-apiserver-dev_*.deb Version \
        >"$part/version"
    rm -r "$PLACE/apt-$SUITE/cache/archives"
    mv "$part" "$ROOT"
}

fetch_libraries() {
    local options
    [ -d "$ROOT" ] && return
    read -ra options < <(options_for "$SUITE")
    update_suite "$SUITE" "${options[@]}" && unpack_libraries "${options[@]}"
}

# In GOPATH mode, as Debian builds: what is packaged is all that there is.
build_server() {
    local root=$PWD/$ROOT source=$PWD/test/kube/apimachinery
    [ "$ROOT/server" -nt "$source/main.go" ] && return
    nice env GO111MODULE=off CGO_ENABLED=0 GOTOOLCHAIN=local \
        GOROOT="$(echo "$root"/usr/lib/go-1.*)" GOPATH="$root/usr/share/gocode" \
        GOCACHE="$root/cache" \
        "$(echo "$root"/usr/lib/go-1.*/bin/go)" build -o "$root/server" "$source/main.go"
}
