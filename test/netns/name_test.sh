#!/bin/bash
# Services called by their names, and connections asked for by service and client.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

# lbctl refuses, with status 1, and names WORD.
refuses() { # WORD COMMAND…
    local word=$1
    shift
    lbctl "$@" 2>"$WORK/err.txt"
    [ $? = 1 ] && grep -qF -e "$word" "$WORK/err.txt" && return
    cat "$WORK/err.txt"
    return 1
}

test_names() {
    check "a service is shown by its name" lbctl_says \
        '.address == "10.96.0.10" and .port == 80' service show default/web
    check "by name and port" lbctl_says '.port == 80' service show default/web:80
    check "by name, port and protocol" lbctl_says '.protocol == "udp"' \
        service show default/echo:53/udp
    check "without a protocol a port is tcp's" refuses "default/echo:53" \
        service show default/echo:53
    check "a name that nobody has" refuses "default/nobody does not exist" \
        service show default/nobody
    check "a port that is none" refuses "port 0 is not 1–65535" service show default/web:0
    check "a port with a tail" refuses "port 80x is not 1–65535" service show default/web:80x
    check "a protocol that is none" refuses "protocol gre" service show default/web:80/gre
    check "a name that is too long" refuses "a name is at most" \
        service show "default/$(printf 'x%.0s' {1..600})"
    check "the backends of a name" lbctl_says '.backends | length == 3' backend list default/web
    check "a backend of a name is drained" \
        lbctl backend set default/web 10.1.0.13:8080 --state draining
    check "and no other service's" lbctl_says \
        '[.services[].backends[] | select(.state == "draining")] | length == 1' service list
    check "a second service gets the same name" lbctl service add 10.96.0.11:81 \
        --name default/web --backend 10.1.0.11:8081
    check "which alone no longer tells" refuses "10.96.0.10:80/tcp and 10.96.0.11:81/tcp" \
        service show default/web
    check "but with a port it does" lbctl service del default/web:81
    check "and the first is there" lbctl service show default/web
}

test_connections() {
    http_load "$WORK/http.json" client -n 20 -c 4 10.96.0.10 80
    check "requests are answered" says "$WORK/http.json" '.failures == 0'
    udp_load "$WORK/udp.json" client -n 5 10.96.0.10 53
    check "connections of a service alone" lbctl_says \
        '(.connections | length) >= 20 and all(.connections[]; .service == "10.96.0.10:80")' \
        connection list --service default/web
    check "of a client alone" lbctl_says '(.connections | length) >= 20 and
        all(.connections[]; .client | startswith("192.0.2.2:"))' connection list --client 192.0.2.2
    check "of another there are none" lbctl_says '.connections | length == 0' \
        connection list --client 192.0.2.3
    check "what is no client is named" refuses "\"nobody\" is not an IPv4 or IPv6 address" \
        connection list --client nobody
    check "those of a service are forgotten" lbctl connection flush --service default/web
    check "and no others" lbctl_says \
        '(.connections | length) > 0 and all(.connections[]; .service == "10.96.0.10:53")' \
        connection list
}

make_topology
check "lbd becomes ready" node_lbd
check "services over IPv4 and IPv6 are added and resolved" add_services
test_names
test_connections
finish
