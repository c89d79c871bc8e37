#!/bin/bash
# Limits are the sizes of pinned maps: other limits are refused while the datapath is in use, and
# taken once no interface uses it any more.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

is_limited_to() { # SERVICES
    lbctl_says '.limits.services == '"$1" status
}

make_topology
check "lbd starts with room for 100 services" node_lbd --max-services 100
lbd_kill KILL
check "room for 200 is refused while the program is attached" \
    lbd_refuses "pinned with" --interface uplink0 --max-services 200
check "room for 100 is not" node_lbd --max-services 100
lbd_kill KILL
for link in uplink0 veth-a veth-b veth-c; do
    inside node ip link del "$link"
done
inside node ip link add uplink0 type veth peer name other0
check "without its interfaces lbd starts with room for 200" \
    node_lbd --max-services 200 --interface uplink0
check "and has it" is_limited_to 200
finish
