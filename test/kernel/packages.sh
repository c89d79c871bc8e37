# shellcheck shell=bash
# Which kernels Debian has, and how to get one without installing it. This machine's apt is asked as
# it is; suites that it does not know by a configuration of our own in build/kernel, so that nothing
# of theirs is ever offered to the machine. run.sh sources it.

PLACE=build/kernel
MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
# Kernels of a newer Debian need nothing of it to boot.
SUITES=(bookworm-backports trixie-backports)

# The options by which apt knows this suite and no other.
options_for() { # SUITE
    local place=$PWD/$PLACE/apt-$1
    echo "-oDir::Etc::sourcelist=$place/sources.list -oDir::Etc::sourceparts=/dev/null" \
        "-oDir::State::lists=$place/lists -oDir::Cache=$place/cache" \
        "-oAcquire::http::Timeout=20 -oAcquire::Retries=1"
}

update_suite() { # SUITE OPTION…
    local place=$PLACE/apt-$1
    mkdir -p "$place/lists/partial" "$place/cache/archives/partial"
    echo "deb [signed-by=$KEYRING] $MIRROR $1 main" >"$place/sources.list"
    shift
    apt-get "$@" -qq --error-on=any update 2>&1
}

# SERIES PACKAGE APT-OPTION…, a line each: of each series (6.1, 6.12) the newest.
newest_of_series() { # APT-OPTION…
    apt-cache "$@" search --names-only '^linux-image-[0-9].*-cloud-amd64$' | cut -d ' ' -f 1 |
        sort -V | sed 's/^linux-image-\([0-9]*\.[0-9]*\).*/\1 &/' |
        awk '{last[$1] = $0} END {for (series in last) print last[series]}' |
        sed "s|\$| $*|"
}

# What this machine's apt has; where it has no lists yet, once it has got them.
offered_here() {
    local offered
    offered=$(newest_of_series)
    if [ -z "$offered" ]; then
        apt_quietly update 2>/dev/null
        offered=$(newest_of_series)
    fi
    echo "${offered:-this-Debian - apt offers no kernel}"
}

# All of them; a suite that cannot be reached has `-` for a package, and why.
offered_by_all() {
    local suite options said
    offered_here
    for suite in "${SUITES[@]}"; do
        read -ra options < <(options_for "$suite")
        if said=$(update_suite "$suite" "${options[@]}"); then
            newest_of_series "${options[@]}"
        else
            echo "$suite - $(grep '^[EW]:' <<<"$said" | head -n 1)"
        fi
    done
}

# Oldest first, each series once. Without --every, of those that this Debian has not the newest.
kernels_offered() { # [--every]
    offered_by_all | sort -s -V -k 1,1 -u |
        if [ "${1:-}" = --every ]; then
            cat
        else
            awk 'NF == 2 || $2 == "-" || /apt-bookworm-backports\// {print; next}
                 {newest = $0}
                 END {if (newest) print newest}'
        fi
}

# A meta package, or since 7.3 an image package, names those that hold what it is about.
parts_of() { # PACKAGE APT-OPTION…
    local package=$1 depends
    shift
    depends=$(apt-cache "$@" depends --important "$package" 2>/dev/null |
        sed -nE 's/^ *Depends: (linux-(image|binary|modules)-[0-9].*)/\1/p')
    echo "${depends:-$package}"
}

fetch() { # DIRECTORY PACKAGE APT-OPTION…
    local package
    for package in $(parts_of "${@:2}"); do
        (cd "$1" && apt-get "${@:3}" -qq -oAPT::Sandbox::User=root download "$package") || return
    done
}

# As $PLACE/PACKAGE, kept. Where apt's lists are too old to find it they are fetched anew.
unpack_kernel() { # PACKAGE APT-OPTION…
    local there=$PLACE/$1 file
    [ -d "$there" ] && return
    rm -rf "$there.part"
    mkdir -p "$there.part/deb" || return
    if ! fetch "$there.part/deb" "$@" 2>/dev/null; then
        apt_quietly "${@:2}" update
        fetch "$there.part/deb" "$@" || return
    fi
    for file in "$there.part"/deb/*.deb; do
        dpkg -x "$file" "$there.part" || return
    done
    rm -r "$there.part/deb"
    mv "$there.part" "$there"
}
