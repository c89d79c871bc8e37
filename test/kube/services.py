"""What an API server fills into a Service and refuses of it: addresses, ports, families, defaults.
In the place of a cloud's controller it also gives load balancers their addresses."""

import ipaddress

from query import ApiError

NODE_PORTS = range(30000, 32768)
CLUSTER_NETWORKS = {"IPv4": ipaddress.ip_network("10.96.0.0/16"),
                    "IPv6": ipaddress.ip_network("fd00:96::/112")}
BALANCER_NETWORKS = {"IPv4": ipaddress.ip_network("198.51.100.0/24"),
                     "IPv6": ipaddress.ip_network("2001:db8:1b::/112")}


def invalid(message):
    return ApiError(422, "Invalid", message)


def family_of(address):
    return "IPv6" if ":" in address else "IPv4"


class Allocator:
    """Knows by the Services that there are what is taken; so what is deleted is free again."""

    def __init__(self, store):
        self.store = store

    def others(self, service):
        mine = (service["metadata"].get("namespace", "default"), service["metadata"]["name"])
        for other in self.store.items("services"):
            if (other["metadata"]["namespace"], other["metadata"]["name"]) != mine:
                yield other

    def free_address(self, service, networks, family, taken_of):
        taken = {address for other in self.others(service) for address in taken_of(other)}
        hosts = networks[family].hosts()
        for _ in range(20):  # for those that tests and `kubernetes` choose themselves
            next(hosts)
        return next(str(host) for host in hosts if str(host) not in taken)

    def free_node_port(self, service, wanted=()):
        taken = {pair[0] for other in self.others(service) for pair in node_ports(other)}
        taken |= {port.get("nodePort") for port in service["spec"]["ports"]}
        return next(port for port in [*wanted, *NODE_PORTS] if port not in taken)

    def admit(self, service, old):
        spec = service.setdefault("spec", {})
        old_spec = old["spec"] if old else {}
        fill_defaults(spec)
        if spec["type"] == "ExternalName":
            for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy",
                         "externalTrafficPolicy", "internalTrafficPolicy"):
                spec.pop(name, None)
            for port in spec.get("ports", []):
                port.pop("nodePort", None)
        else:
            self.fill_cluster_ips(service, old_spec)
            self.fill_node_ports(service, old_spec)
        self.fill_health_port(service, old_spec)
        self.fill_balancer(service, old)

    def fill_cluster_ips(self, service, old_spec):
        spec = service["spec"]
        if not spec.get("clusterIP") and old_spec.get("clusterIP"):
            for name in ("clusterIP", "clusterIPs", "ipFamilies"):
                spec.setdefault(name, old_spec.get(name))
        given = spec.get("clusterIPs") or [spec["clusterIP"]] if spec.get("clusterIP") else []
        is_dual = spec["ipFamilyPolicy"] != "SingleStack"
        families = spec.get("ipFamilies") or [family_of(address) for address in given
                                              if address != "None"] or ["IPv4"]
        if is_dual and len(families) == 1:
            families = families + ["IPv6" if families == ["IPv4"] else "IPv4"]
        spec["ipFamilies"] = families if is_dual else families[:1]
        if given == ["None"]:
            spec["clusterIPs"] = given
            return
        for family in spec["ipFamilies"][len(given):]:
            given.append(self.free_address(service, CLUSTER_NETWORKS, family,
                                           lambda other: other["spec"].get("clusterIPs") or []))
        spec["clusterIPs"] = given[:len(spec["ipFamilies"])]
        spec["clusterIP"] = spec["clusterIPs"][0]

    def fill_node_ports(self, service, old_spec):
        spec = service["spec"]
        wanted = spec["type"] == "NodePort" or spec["type"] == "LoadBalancer" and \
            spec.get("allocateLoadBalancerNodePorts", True)
        kept = {(port["port"], port["protocol"]): port.get("nodePort")
                for port in old_spec.get("ports", [])}
        for port in spec["ports"]:
            if spec["type"] not in ("NodePort", "LoadBalancer"):
                port.pop("nodePort", None)
            elif not port.get("nodePort"):
                port.pop("nodePort", None)
                before = kept.get((port["port"], port["protocol"]))
                if before or wanted:
                    same = [other["nodePort"] for other in spec["ports"] if other is not port and
                            other["port"] == port["port"] and other.get("nodePort")]
                    port["nodePort"] = before or (same + [self.free_node_port(service)])[0]
        self.check_node_ports(service)

    def check_node_ports(self, service):
        taken = {pair: other["metadata"]["name"] for other in self.others(service)
                 for pair in node_ports(other)}
        for pair in node_ports(service):
            if pair[0] not in NODE_PORTS:
                raise invalid(f"nodePort {pair[0]}: provided port is not in the valid range")
            if pair in taken:
                raise invalid(f"nodePort {pair[0]}: provided port is already allocated")

    def fill_health_port(self, service, old_spec):
        spec = service["spec"]
        if spec["type"] != "LoadBalancer" or spec.get("externalTrafficPolicy") != "Local":
            spec.pop("healthCheckNodePort", None)
        elif not spec.get("healthCheckNodePort"):
            spec["healthCheckNodePort"] = old_spec.get("healthCheckNodePort") or \
                self.free_node_port(service)

    def fill_balancer(self, service, old):
        spec = service["spec"]
        status = service.setdefault("status", {})
        if spec["type"] != "LoadBalancer":
            status["loadBalancer"] = {}
            return
        if old and not status.get("loadBalancer"):
            status["loadBalancer"] = old.get("status", {}).get("loadBalancer", {})
        if not status.get("loadBalancer"):
            status["loadBalancer"] = {"ingress": [
                {"ip": self.free_address(service, BALANCER_NETWORKS, family, ingress_ips),
                 "ipMode": "VIP"} for family in spec["ipFamilies"]]}


def ingress_ips(service):
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    return [point.get("ip") for point in ingress]


def node_ports(service):
    """Pairs of port and protocol that the Service holds on each node."""
    spec = service["spec"]
    pairs = [(port["nodePort"], port["protocol"]) for port in spec.get("ports") or []
             if isinstance(port, dict) and port.get("nodePort")]
    if spec.get("healthCheckNodePort"):
        pairs.append((spec["healthCheckNodePort"], "TCP"))
    return pairs


def fill_defaults(spec):
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec["type"] in ("NodePort", "LoadBalancer") or spec.get("externalIPs"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    else:
        spec.pop("externalTrafficPolicy", None)
    if spec["sessionAffinity"] == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {"clientIP": {"timeoutSeconds": 10800}})
    else:
        spec.pop("sessionAffinityConfig", None)
    if spec["type"] != "ExternalName" and spec.get("clusterIP") != "None" or spec.get("ports"):
        spec.setdefault("ports", [])
    for port in spec.get("ports", []):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port["port"])
