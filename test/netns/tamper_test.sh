#!/bin/bash
# Whoever may write to the pins spoils them, and the kernel's neighbours and interfaces, while
# requests come in: lbd finds each within 5 seconds, puts it right, counts it and says it once.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"
. "$HERE/_tamper.sh"

LIMIT_SECONDS=5
SLOWEST_MS=0
NAMED=$PREFIX-elsewhere
declare -A SPOILT=() # how often, by kind

exec 3>&1

is_as_it_was() { # MAP
    diff <(image "$1") "$WORK/$1.image" >/dev/null
}

# How long it took until the command succeeded.
in_time() { # WHAT COMMAND…
    local what=$1 start=${EPOCHREALTIME/./} took
    shift
    within "$LIMIT_SECONDS" "$@" || { echo "not within $LIMIT_SECONDS s"; "$@"; return 1; }
    took=$(((${EPOCHREALTIME/./} - start) / 1000))
    [ "$took" -le "$SLOWEST_MS" ] || SLOWEST_MS=$took
    echo "# $what: $took ms" >&3
}

is_counted() { # KIND BEFORE
    [ "$(repaired "$1")" -gt "$2" ]
}

# It is logged when the round of the audit is over; spoiling may take longer than that is away.
are_logged() {
    local kind lines
    for kind in "${!SPOILT[@]}"; do
        lines=$(grep -c "event=repaired what=$kind " "$LBD_LOG")
        echo "$kind: spoilt ${SPOILT[$kind]} times, said $lines times"
        [ "$lines" -gt 0 ] && [ "$lines" -le $((2 * SPOILT[$kind])) ] || return
    done
}

serves() {
    answers client "$HTTP_SERVICE" && answers client "$HTTP_SERVICE6"
}

# The map is as it was, and requests are served.
test_map() { # KIND MAP WAY ARGUMENT…
    local kind=$1 map=$2 before
    shift 2
    image "$map" >"$WORK/$map.image"
    before=$(repaired "$kind")
    SPOILT[$kind]=$((${SPOILT[$kind]:-0} + 1))
    [ -s "$WORK/$map.image" ] || fail "there is something in $map"
    check "$map: $*" "${1}_entries" "$map" "${@:2}"
    check "$map is as it was" in_time "$map, $1" is_as_it_was "$map"
    check "that is counted among $kind" is_counted "$kind" "$before"
    check "requests are served" within 2 serves
}

# What is denied, and only who may come: each is a map of its own.
add_more_services() {
    lbctl deny add 203.0.113.0/24 && lbctl deny add 203.0.112.0/22 &&
        lbctl service add 10.96.0.11:80 --source-range 192.0.2.0/24 --source-range 198.51.100.0/24 \
            --backend 10.1.0.11:8080
}

test_maps() {
    check "prefixes are denied, and a service has source ranges" add_more_services
    test_map services services delete
    test_map services services overwrite 0xff
    test_map rings rings overwrite 0x01
    test_map backends backends overwrite 0xff
    test_map backends backends overwrite 0x00
    test_map backends backend_ends delete
    test_map nexthops nexthops overwrite 0xff
    test_map nexthops nexthops overwrite 0x00
    test_map addresses addresses delete
    test_map source_ranges source_ranges delete
    test_map deny deny delete
    test_map deny deny overwrite 0x00
    test_map filters service_filter overwrite 0x00
    test_map filters backend_filter overwrite 0x00
    test_map filters address_filter overwrite 0x00
    test_map ports ports overwrite 0xff
    test_map ports ports overwrite 0x00
    test_map ports ingresses delete
    test_map ports ingresses overwrite 0x07
    test_map ports transmit delete
    test_map programs programs delete
    test_map programs seed overwrite 0x42
    check "each is logged once" within 10 are_logged
}

has_link() { # INTERFACE: pinned and attached
    is_attached "$1" "$XDP_MODE" && [ "$("$HERE/pins.py" "$PIN/link/$1" | cut -d ' ' -f 3)" = \
        "$(inside node ip -j link show dev "$1" | jq '.[0].ifindex')" ]
}

test_link() { # INTERFACE COMMAND…
    local interface=$1 before
    shift
    before=$(repaired links)
    check "$interface: ${1//_/ }" "$@"
    check "its program is back" in_time "$interface, ${1//_/ }" has_link "$interface"
    check "that is counted" is_counted links "$before"
    check "requests are served" within 2 serves
}

rename_pin() {
    mv "$PIN/link/veth-c" "$PIN/link/other"
}

swap_pins() { # at once, before lbd has put the first right
    "$PYTHON" -c "import os; os.chdir('$PIN/link'); os.rename('veth-a', 'third')
os.rename('veth-b', 'veth-a'); os.rename('third', 'veth-b')"
}

# While somebody else holds the link, the program runs and its pin cannot be made again.
test_held_link() {
    local before
    before=$(repaired links)
    PYTHONPATH=$HERE spawn holder node "$PYTHON" -c "import pins, time
pins.open_pin('$PIN/link/veth-b'); print('held', flush=True); time.sleep(2)"
    within 10 grep -q held "$WORK/holder.log"
    check "the pin of a link is removed that somebody holds" rm "$PIN/link/veth-b"
    sleep 1
    check "its program runs" is_attached veth-b "$XDP_MODE"
    check "lbd finds no fault with that" fails grep -E "not-(attached|repaired)" "$LBD_LOG"
    check "when it is let go it is made anew" in_time "a held link" has_link veth-b
    check "that is counted" is_counted links "$before"
}

all_links() {
    has_link uplink0 && has_link veth-a && has_link veth-b && has_link veth-c
}

test_links() {
    test_link uplink0 detach_link uplink0
    test_link veth-a detach_link veth-a
    test_link uplink0 rm "$PIN/link/uplink0"
    test_link veth-b rm "$PIN/link/veth-b"
    test_held_link
    test_link veth-c rename_pin
    check "two pins of links are swapped" swap_pins
    check "each has its own name again" in_time "swapped pins of links" all_links
}

ids_of_pins() {
    "$HERE/pins.py" "$PIN"/map/* "$PIN/program/lb"
}

pins_are_as_they_were() {
    [ "$(ids_of_pins 2>/dev/null)" = "$PINNED" ]
}

# Another map where ours was.
replace_pin() {
    rm "$PIN/map/rings" &&
        bpftool map create "$PIN/map/rings" type array key 4 value 4 entries 1 name other
}

test_pins() {
    local before way
    PINNED=$(ids_of_pins)
    for way in "rm $PIN/map/services" "rm $PIN/map/connections $PIN/map/programs" \
        "rm $PIN/program/lb" replace_pin "rm -r $PIN/map" "rm -r $PIN"; do
        before=$(repaired pins)
        check "${way//$PIN/PIN}" eval "$way"
        check "the same is pinned again" in_time "pins: ${way//$PIN/PIN}" pins_are_as_they_were
        check "that is counted" is_counted pins "$before"
        check "links are, too" in_time "links: ${way//$PIN/PIN}" all_links
        check "requests are served" within 2 serves
    done
}

limit_files() { # NUMBER
    "${LBCTL_AS[@]}" prlimit --pid "$LBD_PID" --nofile="$1":
}

# What lbd cannot look at for want of an fd it leaves as it is.
test_shortage() {
    local links pins
    links=$(repaired links)
    pins=$(repaired pins)
    ids_of_pins >"$WORK/pins.before"
    lbctl -o json interface list >"$WORK/interfaces.before"
    check "lbd may open nothing more" limit_files 3
    sleep 4
    check "which it says" within 10 grep "event=not-repaired what=pins" "$LBD_LOG"
    check "then it may again" limit_files 1024
    ids_of_pins >"$WORK/pins.after"
    check "every pin is what it was" diff "$WORK/pins.before" "$WORK/pins.after"
    check "nothing was repaired" test "$(repaired links) $(repaired pins)" = "$links $pins"
    lbctl -o json interface list >"$WORK/interfaces.after"
    check "so is every interface" diff "$WORK/interfaces.before" "$WORK/interfaces.after"
    check "no interface was let go" fails grep not-attached "$LBD_LOG"
    check "requests are served" within 2 serves
}

is_managed() { # ADDRESS
    inside node ip neigh show "$1" | grep -q managed
}

all_are_managed() {
    is_managed 10.1.0.11 && is_managed 10.1.0.12 && is_managed fd00:1::13 && is_resolved
}

test_neighbours() {
    check "neighbours are flushed" inside node ip neigh flush all
    check "they are resolved, and managed again" in_time "neighbours flushed" all_are_managed
    check "an entry is deleted" inside node ip neigh del 10.1.0.12 dev veth-b
    check "it is there again" in_time "a neighbour deleted" all_are_managed
    check "requests are served" within 2 serves
}

rename_interface() { # FROM TO
    inside node ip link set dev "$1" name "$2" 2>/dev/null && return
    inside node ip link set dev "$1" down && inside node ip link set dev "$1" name "$2" &&
        inside node ip link set dev "$2" up
}

lists() { # INTERFACE
    has_link "$1" && lbctl_says '.interfaces[] | select(.name == "'"$1"'") | .error == null' \
        interface list
}

# It comes back without addresses and routes, as whoever moves it has to give it again.
move_and_back() { # INTERFACE
    inside node ip link set dev "$1" netns "$NAMED" && sleep 0.5 &&
        ip -n "$NAMED" link set dev "$1" netns "$PREFIX-node" &&
        inside node ip address add 192.0.2.1/24 dev "$1" &&
        inside node ip address add 2001:db8::1/64 dev "$1" nodad &&
        inside node ip link set "$1" up
}

test_interfaces() {
    check "a pod's interface is renamed" rename_interface veth-b veth-other
    check "it is attached by the new name" in_time "interface renamed" lists veth-other
    check "and back" rename_interface veth-other veth-b
    check "it is attached by the old one" in_time "interface renamed back" lists veth-b
    check "requests are served" within 2 serves
    ip netns add "$NAMED"
    check "the uplink is moved to another namespace and back" move_and_back uplink0
    check "it is attached" in_time "interface moved and back" lists uplink0
    check "requests are served" within "$LIMIT_SECONDS" serves
}

# Backends and the filter of services are not touched here: without those packets of connections are
# refused, and their senders told so.
test_connections() {
    local trickle
    trickle_start 12 12 10.96.0.10 8
    trickle=$LOAD_PID
    delete_entries services
    overwrite_entries rings 0x01
    overwrite_entries backend_filter 0x00
    delete_entries programs
    detach_link uplink0
    detach_link veth-a
    sleep 3
    delete_entries ingresses
    overwrite_entries nexthops 0x00
    inside node ip neigh flush all
    rm -r "$PIN"
    wait_load "$trickle"
    check "no established connection broke" says "$WORK/trickle.json" '.failures == 0'
}

make_topology
check "lbd becomes ready" node_lbd --max-services 40 --max-backends 100 --max-connections 1000 \
    --max-new-connections 100000
check "services over IPv4 and IPv6 are added and resolved" add_services
sleep 4
check "lbd finds nothing to repair of its own" lbctl_says '.repaired == 0' status
test_maps
test_links
test_pins
test_neighbours
test_interfaces
test_connections
check "whatever could be repaired was" fails grep event=not-repaired "$LBD_LOG"
test_shortage
said=$(grep -c event=repaired "$LBD_LOG")
sleep 6.5
check "nothing is said again when there is nothing to repair" \
    test "$(grep -c event=repaired "$LBD_LOG")" = "$said"
lbd_kill KILL
check "an lbd that comes after adopts it all" node_lbd --max-services 40 --max-backends 100 \
    --max-connections 1000 --max-new-connections 100000
check "requests are served" within 2 serves
echo "# the slowest repair took $SLOWEST_MS ms"

finish
