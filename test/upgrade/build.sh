#!/bin/bash
# Builds lbd as another version might be: values in its maps are longer, and connections are laid
# out otherwise. Prints the directory that holds lbd and lbctl.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

OTHER=$PWD/build/other-version

rm -rf "$OTHER/source"
mkdir -p "$OTHER/source"
cp -a meson.build meson_options.txt include bpf lb control test "$OTHER/source"
patch -s -p1 -d "$OTHER/source" <test/upgrade/longer_values.patch
[ -f "$OTHER/build/build.ninja" ] ||
    meson setup "$OTHER/build" "$OTHER/source" -Dwerror=true >&2
ninja -C "$OTHER/build" control/lbd control/lbctl >&2
echo "$OTHER/build/control"
