"""The EndpointSlices of a Service with a selector, made of Pods and Nodes as the controller of
Kubernetes makes them."""

import datetime

MAX_ENDPOINTS = 100
NAME_LABEL = "kubernetes.io/service-name"
MANAGED_LABEL = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
HEADLESS_LABEL = "service.kubernetes.io/headless"
TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"
ZONE = "topology.kubernetes.io/zone"


def is_ready(pod):
    conditions = pod.get("status", {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True"
               for condition in conditions)


def address_of(pod, family):
    for entry in pod.get("status", {}).get("podIPs") or []:
        if entry["ip"] and (":" in entry["ip"]) == (family == "IPv6"):
            return entry["ip"]
    return None


def is_counted(pod, service, family):
    selector = service["spec"].get("selector") or {}
    labels = pod["metadata"].get("labels") or {}
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items()) \
        and pod.get("status", {}).get("phase") not in ("Failed", "Succeeded") \
        and pod["metadata"]["namespace"] == service["metadata"]["namespace"] \
        and address_of(pod, family) is not None


def target_port(pod, port):
    """The number that the port's targetPort is in this Pod, or None."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    for container in pod["spec"].get("containers", []):
        for named in container.get("ports", []):
            if named.get("name") == target and \
                    named.get("protocol", "TCP") == port.get("protocol", "TCP"):
                return named["containerPort"]
    return None


def ports_of(pod, service):
    """As a tuple: Pods with the same share slices."""
    found = []
    for port in service["spec"].get("ports") or []:
        number = target_port(pod, port)
        if number is not None:
            found.append((port.get("name", ""), number, port.get("protocol", "TCP")))
    return tuple(found)


def make_endpoint(pod, service, family, zones):
    is_serving = is_ready(pod)
    is_terminating = "deletionTimestamp" in pod["metadata"]
    publishes_all = service["spec"].get("publishNotReadyAddresses", False)
    node = pod["spec"].get("nodeName")
    endpoint = {
        "addresses": [address_of(pod, family)],
        "conditions": {"ready": publishes_all or (is_serving and not is_terminating),
                       "serving": is_serving, "terminating": is_terminating},
        "nodeName": node,
        "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"],
                      "namespace": pod["metadata"]["namespace"], "uid": pod["metadata"]["uid"]},
    }
    if zones.get(node):
        endpoint["zone"] = zones[node]
    hints = make_hints(service, endpoint)
    if hints:
        endpoint["hints"] = hints
    return endpoint


def make_hints(service, endpoint):
    """What the field trafficDistribution asks for; proxies go by the hints alone."""
    wanted = service["spec"].get("trafficDistribution")
    hints = {}
    if wanted in ("PreferClose", "PreferSameZone", "PreferSameNode") and endpoint.get("zone"):
        hints["forZones"] = [{"name": endpoint["zone"]}]
    if wanted == "PreferSameNode" and endpoint.get("nodeName"):
        hints["forNodes"] = [{"name": endpoint["nodeName"]}]
    return hints


def make_slice(service, family, number, ports, endpoints):
    metadata = service["metadata"]
    labels = dict(metadata.get("labels") or {})
    labels |= {NAME_LABEL: metadata["name"], MANAGED_LABEL: MANAGER}
    if service["spec"].get("clusterIP") == "None":
        labels[HEADLESS_LABEL] = ""
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": f"{metadata['name']}-{family.lower()}-{number}",
                     "namespace": metadata["namespace"], "labels": labels,
                     "annotations": {TRIGGER: now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}},
        "addressType": family,
        "endpoints": endpoints or None,  # as Go writes a nil slice
        "ports": [dict(zip(("name", "port", "protocol"), port)) for port in ports] or None,
    }


def make_slices(service, pods, nodes):
    """All that the Service should have, by name."""
    zones = {node["metadata"]["name"]: (node["metadata"].get("labels") or {}).get(ZONE)
             for node in nodes}
    wanted = []
    for family in service["spec"].get("ipFamilies") or []:
        groups = {}
        for pod in sorted(pods, key=lambda pod: pod["metadata"]["name"]):
            if is_counted(pod, service, family):
                groups.setdefault(ports_of(pod, service), []).append(
                    make_endpoint(pod, service, family, zones))
        number = 0
        for ports, endpoints in groups.items() or [((), [])]:
            for start in range(0, max(len(endpoints), 1), MAX_ENDPOINTS):
                wanted.append(make_slice(service, family, number, ports,
                                         endpoints[start:start + MAX_ENDPOINTS]))
                number += 1
    return {item["metadata"]["name"]: item for item in wanted}
