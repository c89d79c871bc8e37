"""What stands between a user's objects and a proxy's in a cluster: Services are completed
(services.py), Deployments get their Pods, and Services with selectors their EndpointSlices
(slices.py), at once and in the order in which a cluster would have them."""

from services import Allocator
from slices import MANAGED_LABEL, MANAGER, NAME_LABEL, make_slices


class Cluster:
    def __init__(self, store):
        self.store = store
        self.allocator = Allocator(store)
        self.pools = {}  # node → addresses of each Pod that it has room for

    def admit(self, resource, item, old):
        """Completes what is about to be stored, or refuses it."""
        item["metadata"].setdefault("namespace", "default")
        if resource == "services":
            self.allocator.admit(item, old)

    def reconcile(self, resource, item):
        """After a change of this object."""
        namespace = item["metadata"].get("namespace", "default")
        if resource in ("deployments", "statefulsets"):
            self.make_pods(resource, item)
            resource = "pods"
        if resource == "services":
            self.make_slices_of(namespace, item["metadata"]["name"])
        elif resource in ("pods", "nodes"):
            for service in self.store.items("services"):
                if resource == "nodes" or service["metadata"]["namespace"] == namespace:
                    self.make_slices_of(service["metadata"]["namespace"],
                                        service["metadata"]["name"])

    # ---- Services → EndpointSlices

    def managed_slices(self, namespace, name):
        for item in self.store.items("endpointslices"):
            labels = item["metadata"].get("labels") or {}
            if item["metadata"]["namespace"] == namespace and labels.get(NAME_LABEL) == name \
                    and labels.get(MANAGED_LABEL) == MANAGER:
                yield item

    def make_slices_of(self, namespace, name):
        service = self.store.get("services", (namespace, name))
        wanted = {}
        if service and service["spec"].get("selector") and \
                service["spec"]["type"] != "ExternalName" and not has_wrong_types(service):
            wanted = make_slices(service, self.store.items("pods"), self.store.items("nodes"))
        present = {item["metadata"]["name"]: item for item in self.managed_slices(namespace, name)}
        for slice_name, item in wanted.items():
            if not is_same(item, present.get(slice_name)):
                self.store.put("endpointslices", item)
        for slice_name in present.keys() - wanted.keys():
            self.store.remove("endpointslices", (namespace, slice_name))

    # ---- Deployments → Pods

    def make_pods(self, resource, item):
        namespace = item["metadata"].get("namespace", "default")
        current = self.store.get(resource, (namespace, item["metadata"]["name"]))
        count = current["spec"].get("replicas", 1) if current else 0
        mine = [pod for pod in self.store.items("pods")
                if pod["metadata"]["namespace"] == namespace and
                pod["metadata"].get("ownerName") == f"{resource}/{item['metadata']['name']}"]
        for pod in mine[count:]:
            self.store.remove("pods", (namespace, pod["metadata"]["name"]))
        for number in range(len(mine), count):
            self.store.put("pods", self.make_pod(resource, current, number))

    def make_pod(self, resource, owner, number):
        node, addresses = self.take_place()
        template = owner["spec"]["template"]
        return {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": f"{owner['metadata']['name']}-{number}",
                         "namespace": owner["metadata"].get("namespace", "default"),
                         "labels": dict(template.get("metadata", {}).get("labels") or {}),
                         "ownerName": f"{resource}/{owner['metadata']['name']}"},
            "spec": template["spec"] | {"nodeName": node},
            "status": {"phase": "Running", "podIP": addresses[0],
                       "podIPs": [{"ip": address} for address in addresses],
                       "conditions": [{"type": "Ready", "status": "True"}]},
        }

    def take_place(self):
        """A node and addresses of its pool that no Pod has, of the node with the fewest Pods."""
        taken = {pod["status"].get("podIP") for pod in self.store.items("pods")}
        free = {node: [place for place in places if place[0] not in taken]
                for node, places in self.pools.items()}
        node = max(free, key=lambda name: len(free[name]), default=None)
        if node is None or not free[node]:
            raise ValueError("no node has addresses for another Pod")
        return node, free[node][0]


def is_same(item, old):
    """But for what the store and the time put into the metadata."""
    if old is None:
        return False
    names = ("addressType", "endpoints", "ports")
    labels = [one["metadata"].get("labels") for one in (item, old)]
    return labels[0] == labels[1] and all(item.get(name) == old.get(name) for name in names)


def has_wrong_types(service):
    """By a fault: no controller would have made anything of it either."""
    return not isinstance(service["spec"].get("ports") or [], list)
