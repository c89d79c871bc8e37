# shellcheck shell=bash
# Which endpoints a node takes by the hints that they carry. The node is in zone-1, node2 in zone-2;
# pod b stands for one of another node in zone-1.

near() { # DISTRIBUTION
    service near "trafficDistribution=$1" ports=http:80:8080
    NEAR=$(cluster_ip near)
}

prefer_zone() { # DISTRIBUTION
    near "$1"
    pods near x
    expect "the only Pod is taken wherever it is" reaches q tcp "$NEAR" 80 x
    pods near a
    expect "a Pod reaches that of its zone" reaches q tcp "$NEAR" 80 a
    expect "a process of the node does" reaches node tcp "$NEAR" 80 a
    delete_pod near a
    expect "without it the other zone serves" reaches q tcp "$NEAR" 80 x
}

prefer_zone_of_several() { # DISTRIBUTION
    near "$1"
    pods near a b x y
    expect "a Pod reaches all of its zone" reaches q tcp "$NEAR" 80 a b
    delete_pod near a
    expect "and who is left of it" reaches q tcp "$NEAR" 80 b
    pod near b ready=no
    expect "not ready is not there" reaches q tcp "$NEAR" 80 x y
}

prefer_close() {
    prefer_zone PreferClose
}

prefer_close_of_several() {
    prefer_zone_of_several PreferClose
}

prefer_same_zone() {
    prefer_zone PreferSameZone
}

prefer_same_zone_of_several() {
    prefer_zone_of_several PreferSameZone
}

hinted_endpoint() { # POD NODE ZONE, of node and zone where it is and for which it is meant
    echo "{\"addresses\": [\"$(pod_address "$1")\"], \"nodeName\": \"$2\", \"zone\": \"$3\",
           \"hints\": {\"forNodes\": [{\"name\": \"$2\"}], \"forZones\": [{\"name\": \"$3\"}]}}"
}

prefer_same_node() {
    service near selector= ports=http:80:8080
    NEAR=$(cluster_ip near)
    own_slice near hinted '[{"name": "http", "port": 8080}]' "[$(hinted_endpoint a node zone-1),
        $(hinted_endpoint b other zone-1), $(hinted_endpoint x node2 zone-2)]"
    expect "a Pod reaches that of its node" reaches q tcp "$NEAR" 80 a
    own_slice near hinted '[{"name": "http", "port": 8080}]' "[
        $(hinted_endpoint b other zone-1), $(hinted_endpoint x node2 zone-2)]"
    expect "without it one of the zone" reaches q tcp "$NEAR" 80 b
}

prefer_same_node_fall_back() {
    near PreferSameNode
    pods near a x
    expect "a Pod reaches that of its node" reaches q tcp "$NEAR" 80 a
    pod near a ready=no
    expect "when that is not ready, the other" reaches q tcp "$NEAR" 80 x
    pods near a
    expect "and again its own" reaches q tcp "$NEAR" 80 a
}

zoned_endpoint() { # POD ZONE, for which it is meant
    echo "{\"addresses\": [\"$(pod_address "$1")\"],
           \"hints\": {\"forZones\": [{\"name\": \"$2\"}]}}"
}

follow_hints() {
    service near selector= ports=http:80:8080
    NEAR=$(cluster_ip near)
    own_slice near hinted '[{"name": "http", "port": 8080}]' \
        "[$(zoned_endpoint a zone-2), $(zoned_endpoint x zone-1)]"
    expect "the hint counts, not where the Pod is" reaches q tcp "$NEAR" 80 x
    own_slice near hinted '[{"name": "http", "port": 8080}]' \
        "[{\"addresses\": [\"$(pod_address a)\"]}, $(zoned_endpoint x zone-1)]"
    expect "one endpoint without a hint, and none counts" reaches q tcp "$NEAR" 80 a x
}
