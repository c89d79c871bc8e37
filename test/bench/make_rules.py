#!/usr/bin/python3
"""Writes the benchmark's services as each contender takes them, on stdout.

    make_rules.py FORMAT SERVICES [--extra PROTOCOL:ADDRESS:PORT=ADDRESS:PORT,…]… [--only|--again]

FORMAT: `tables` for lbd; `iptables` for iptables-restore --noflush and `nftables` for nft -f, as
kube-proxy writes them (Kubernetes 1.31, pkg/proxy/iptables/proxier.go, nftables/proxier.go: its
chains, in its order, with its comments; like kube-proxy, without comments at each backend from
1,000 backends on). The addresses of the SERVICES services are the plan of path/probe.h. --extra
adds one more service. --only writes what changes when the last of all is added to the others:
kube-proxy's partial sync, which for iptables writes the chain KUBE-SERVICES whole. --again writes
what a kube-proxy that has restarted does: everything, over what is there.
"""

import argparse
import base64
import collections
import hashlib
import ipaddress
import json
import sys

Service = collections.namedtuple("Service", "name protocol address port backends")

SERVICE_BASE = int(ipaddress.ip_address("10.96.0.1"))
SERVICE_PORT = 80
POD_BASE = int(ipaddress.ip_address("10.128.0.0"))
PODS = 4096
BACKEND_PORT = 8000
BACKENDS = 5
CLUSTER = "172.16.0.0/12"  # the clients are pods: their addresses are kept
LARGE_CLUSTER = 1000  # kube-proxy's largeClusterEndpointsThreshold
MASQUERADE = "0x4000"


def planned_service(index):
    numbers = range(BACKENDS * index, BACKENDS * (index + 1))
    backends = [(str(ipaddress.ip_address(POD_BASE + n % PODS)), BACKEND_PORT + n // PODS)
                for n in numbers]
    return Service(f"bench/service-{index}", "udp",
                   str(ipaddress.ip_address(SERVICE_BASE + index)), SERVICE_PORT, backends)


def parse_address(text):
    address, port = text.rsplit(":", 1)
    return address, int(port)


def extra_service(text):
    front, back = text.split("=")
    protocol, front = front.split(":", 1)
    address, port = parse_address(front)
    name = f"extra/{protocol}-{port}-{address.replace('.', '-')}"
    return Service(name, protocol, address, port, [parse_address(b) for b in back.split(",")])


# ---- lbd

def write_tables(services, only, _again):
    json.dump({"services": [{
        "name": s.name, "address": s.address, "port": s.port, "protocol": s.protocol,
        "backends": [{"address": a, "port": p} for a, p in s.backends],
    } for s in (services[-1:] if only else services)]}, sys.stdout)


# ---- iptables

def encode(*words):
    return base64.b32encode(hashlib.sha256("".join(words).encode()).digest()).decode()


def port_name(service):
    return f"{service.name}:p{service.port}"


def service_chain(service):
    return "KUBE-SVC-" + encode(port_name(service), service.protocol)[:16]


def endpoint_chains(service):
    return ["KUBE-SEP-" + encode(port_name(service), service.protocol, f"{a}:{p}")[:16]
            for a, p in service.backends]


FILTER_CHAINS = ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-FORWARD", "KUBE-NODEPORTS",
                 "KUBE-PROXY-FIREWALL")
NAT_CHAINS = ("KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ")

# The jumps from the built-in chains, which kube-proxy makes one by one at its start.
FILTER_JUMPS = """\
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" \
-j KUBE-PROXY-FIREWALL
-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
-A INPUT -m conntrack --ctstate NEW -m comment --comment \
"kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" \
-j KUBE-PROXY-FIREWALL
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" \
-j KUBE-SERVICES
-A FORWARD -m conntrack --ctstate NEW -m comment --comment \
"kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" \
-j KUBE-PROXY-FIREWALL
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" \
-j KUBE-SERVICES
"""
FILTER_RULES = f"""\
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" \
-m mark --mark {MASQUERADE}/{MASQUERADE} -j ACCEPT
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" \
-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
"""
NAT_JUMPS = """\
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
"""
NAT_RULES = f"""\
-A KUBE-POSTROUTING -m mark ! --mark {MASQUERADE}/{MASQUERADE} -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark {MASQUERADE}
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" \
-j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --or-mark {MASQUERADE}
"""
LAST_RULE = """\
-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last \
rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
"""


def iptables_portal(service):
    return (f'-m comment --comment "{port_name(service)} cluster IP" -m {service.protocol} '
            f"-p {service.protocol} -d {service.address} --dport {service.port}")


def iptables_service(service, comments, out):
    chain = service_chain(service)
    endpoints = endpoint_chains(service)
    out(f"-A {chain} {iptables_portal(service)} ! -s {CLUSTER} -j KUBE-MARK-MASQ\n")
    for i, ((address, port), endpoint) in enumerate(zip(service.backends, endpoints)):
        comment = f'-m comment --comment "{port_name(service)} -> {address}:{port}" ' \
            if comments else ""
        left = len(endpoints) - i
        random = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
        out(f"-A {chain} {comment}{random}-j {endpoint}\n")
    for (address, port), endpoint in zip(service.backends, endpoints):
        comment = f"-m comment --comment {port_name(service)} " if comments else ""
        out(f"-A {endpoint} {comment}-s {address} -j KUBE-MARK-MASQ\n")
        out(f"-A {endpoint} {comment}-m {service.protocol} -p {service.protocol} "
            f"-j DNAT --to-destination {address}:{port}\n")


def write_iptables(services, only, again):
    out = sys.stdout.write
    comments = sum(len(s.backends) for s in services) <= LARGE_CLUSTER
    out("*filter\n" + "".join(f":{chain} - [0:0]\n" for chain in FILTER_CHAINS))
    out(("" if only or again else FILTER_JUMPS) + FILTER_RULES + "COMMIT\n")
    out("*nat\n" + "".join(f":{chain} - [0:0]\n" for chain in NAT_CHAINS))
    changed = services[-1:] if only else services
    for service in changed:
        for chain in [service_chain(service), *endpoint_chains(service)]:
            out(f":{chain} - [0:0]\n")
    out(("" if only or again else NAT_JUMPS) + NAT_RULES)
    for service in services:
        out(f"-A KUBE-SERVICES {iptables_portal(service)} -j {service_chain(service)}\n")
    for service in changed:
        iptables_service(service, comments, out)
    out(LAST_RULE + "COMMIT\n")


# ---- nftables

TABLE = "ip kube-proxy"
NFT_CHAINS = f"""\
add table {TABLE} {{ comment "rules for kube-proxy" ; }}
add chain {TABLE} filter-prerouting {{ type filter hook prerouting priority -110 ; }}
add chain {TABLE} filter-input {{ type filter hook input priority -110 ; }}
add chain {TABLE} filter-forward {{ type filter hook forward priority -110 ; }}
add chain {TABLE} filter-output {{ type filter hook output priority -110 ; }}
add chain {TABLE} nat-prerouting {{ type nat hook prerouting priority -100 ; }}
add chain {TABLE} nat-output {{ type nat hook output priority -100 ; }}
add chain {TABLE} nat-postrouting {{ type nat hook postrouting priority 100 ; }}
add chain {TABLE} service-endpoints-check
add chain {TABLE} firewall-check
add chain {TABLE} services
add chain {TABLE} masquerading
add chain {TABLE} mark-for-masquerade
add chain {TABLE} reject-chain \
{{ comment "helper for @no-endpoint-services / @no-endpoint-nodeports" ; }}
"""
NFT_RULES = f"""\
add rule {TABLE} filter-input ct state new jump service-endpoints-check
add rule {TABLE} filter-forward ct state new jump service-endpoints-check
add rule {TABLE} filter-output ct state new jump service-endpoints-check
add rule {TABLE} filter-prerouting ct state new jump firewall-check
add rule {TABLE} filter-output ct state new jump firewall-check
add rule {TABLE} nat-output jump services
add rule {TABLE} nat-prerouting jump services
add rule {TABLE} nat-postrouting jump masquerading
add rule {TABLE} mark-for-masquerade mark set mark or {MASQUERADE}
add rule {TABLE} masquerading mark and {MASQUERADE} == 0 return
add rule {TABLE} masquerading mark set mark xor {MASQUERADE}
add rule {TABLE} masquerading masquerade fully-random
add set {TABLE} nodeport-ips {{ type ipv4_addr ; comment "IPs that accept NodePort traffic" ; }}
add map {TABLE} no-endpoint-services {{ type ipv4_addr . inet_proto . inet_service : verdict ; \
comment "vmap to drop or reject packets to services with no endpoints" ; }}
add map {TABLE} no-endpoint-nodeports {{ type inet_proto . inet_service : verdict ; \
comment "vmap to drop or reject packets to service nodeports with no endpoints" ; }}
add rule {TABLE} reject-chain reject
add rule {TABLE} service-endpoints-check ip daddr . meta l4proto . th dport \
vmap @no-endpoint-services
add rule {TABLE} service-endpoints-check ip daddr @nodeport-ips meta l4proto . th dport \
vmap @no-endpoint-nodeports
add map {TABLE} firewall-ips {{ type ipv4_addr . inet_proto . inet_service : verdict ; \
comment "destinations that are subject to LoadBalancerSourceRanges" ; }}
add rule {TABLE} firewall-check ip daddr . meta l4proto . th dport vmap @firewall-ips
add map {TABLE} service-ips {{ type ipv4_addr . inet_proto . inet_service : verdict ; \
comment "ClusterIP, ExternalIP and LoadBalancer IP traffic" ; }}
add map {TABLE} service-nodeports {{ type inet_proto . inet_service : verdict ; \
comment "NodePort traffic" ; }}
add rule {TABLE} services ip daddr . meta l4proto . th dport vmap @service-ips
add rule {TABLE} services ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
"""


def nft_chain(kind, name):
    return f"{kind}-{encode(name)[:8]}-{name}"


def nftables_service(service, out):
    base = f"{service.name}/{service.protocol}/p{service.port}"
    chain = nft_chain("service", base)
    endpoints = [nft_chain("endpoint", f"{base}__{a}/{p}") for a, p in service.backends]
    for each in [*endpoints, chain]:
        out(f"add chain {TABLE} {each}\nflush chain {TABLE} {each}\n")
    out(f"add element {TABLE} service-ips {{ {service.address} . {service.protocol} . "
        f"{service.port} : goto {chain} }}\n")
    out(f"add rule {TABLE} {chain} ip daddr {service.address} {service.protocol} dport "
        f"{service.port} ip saddr != {CLUSTER} jump mark-for-masquerade\n")
    targets = " , ".join(f"{i} : goto {each}" for i, each in enumerate(endpoints))
    out(f"add rule {TABLE} {chain} numgen random mod {len(endpoints)} vmap {{ {targets} }}\n")
    for (address, port), endpoint in zip(service.backends, endpoints):
        out(f"add rule {TABLE} {endpoint} ip saddr {address} jump mark-for-masquerade\n")
        out(f"add rule {TABLE} {endpoint} meta l4proto {service.protocol} "
            f"dnat to {address}:{port}\n")


def write_nftables(services, only, again):
    if not only:
        sys.stdout.write(NFT_CHAINS)
        chains = [line.split()[4] for line in NFT_CHAINS.splitlines() if line.startswith("add ch")]
        sys.stdout.writelines(f"flush chain {TABLE} {chain}\n" for chain in chains if again)
        sys.stdout.write(NFT_RULES)
    for service in services[-1:] if only else services:
        nftables_service(service, sys.stdout.write)


WRITERS = {"tables": write_tables, "iptables": write_iptables, "nftables": write_nftables}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("format", choices=WRITERS)
    parser.add_argument("services", type=int)
    parser.add_argument("--extra", action="append", type=extra_service, default=[])
    parser.add_argument("--only", action="store_true")
    parser.add_argument("--again", action="store_true")
    arguments = parser.parse_args()
    services = [planned_service(i) for i in range(arguments.services)] + arguments.extra
    WRITERS[arguments.format](services, arguments.only, arguments.again)


if __name__ == "__main__":
    main()
