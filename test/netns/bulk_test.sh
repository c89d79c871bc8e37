#!/bin/bash
# Large transfers through a service arrive unchanged in both directions, with Ethernet's MTU and
# with jumbo frames, although pods leave checksums and segmentation to their interface.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

SIZE=$((${MEBIBYTES:-256} << 20))
"$HERE/http_server.py" --stream "$SIZE" >"$WORK/stream"
SUM=$(sha256sum <"$WORK/stream" | cut -d ' ' -f 1)

download_is_whole() { # NAME ADDRESS:PORT
    local sum
    sum=$(inside "$1" curl -sS -m 100 "http://$2/bytes?n=$SIZE" | sha256sum | cut -d ' ' -f 1)
    echo "got $sum, want $SUM"
    [ "$sum" = "$SUM" ]
}

upload_is_whole() { # NAME ADDRESS:PORT
    local sum
    sum=$(inside "$1" curl -sS -m 100 -X POST -H 'Expect:' -T "$WORK/stream" "http://$2/sum")
    echo "got $sum, want $SUM"
    [ "$sum" = "$SUM" ]
}

transfer() { # NAME ADDRESS:PORT
    local what="${MEBIBYTES:-256} MiB between $1 and $2, MTU ${MTU:-1500}"
    check "$what: the download is whole" download_is_whole "$1" "$2"
    check "$what: the upload is whole" upload_is_whole "$1" "$2"
}

attached_with_mtu() {
    inside node ip link show uplink0 | grep -q "mtu ${MTU:-1500}" &&
    lbctl_says 'all(.interfaces[]; .mode == "'"$XDP_MODE"'" and
        .mtu == '"${MTU:-1500}"')' interface list
}

transfer_all() {
    make_topology
    add_pod x 20
    check "lbd becomes ready with MTU ${MTU:-1500}" node_lbd
    check "every interface is $XDP_MODE with MTU ${MTU:-1500}" attached_with_mtu
    check "services over IPv4 and IPv6 are added and resolved" add_services
    transfer client "$HTTP_SERVICE"
    transfer client "$HTTP_SERVICE6"
    transfer pod-x "$HTTP_SERVICE"
}

transfer_all

lbd_forget
remove_namespaces
MTU=9000
transfer_all

finish
