"""What a request to the API asks for: the path, selectors of labels and fields, and the error that
is answered where it is not understood."""

import urllib.parse

from store import RESOURCES


class ApiError(Exception):
    """Answered as a Status object, as an API server does."""

    def __init__(self, code, reason, message):
        super().__init__(message)
        self.status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                       "message": message, "reason": reason, "code": code}


def expired(message="The resourceVersion for the provided list or watch is too old."):
    return ApiError(410, "Expired", message)


def bad_request(message):
    return ApiError(400, "BadRequest", message)


def parse_terms(text):
    """`a,!b,c=d,e!=f` as (key, relation, value); a relation is exists, absent, = or !=."""
    terms = []
    for word in filter(None, (word.strip() for word in (text or "").split(","))):
        if "!=" in word:
            key, value = word.split("!=", 1)
            terms.append((key.strip(), "!=", value.strip()))
        elif "=" in word:
            key, value = word.replace("==", "=").split("=", 1)
            terms.append((key.strip(), "=", value.strip()))
        elif word.startswith("!"):
            terms.append((word[1:].strip(), "absent", None))
        elif " " in word or "(" in word:
            raise bad_request(f"this server does not select by {word!r}")
        else:
            terms.append((word, "exists", None))
    return terms


def holds(term, values):
    key, relation, value = term
    if relation == "absent":
        return key not in values
    if relation == "exists":
        return key in values
    return (values.get(key) == value) == (relation == "=")


class Query:
    """Resource, namespace and name of a path, and the parameters behind it."""

    def __init__(self, target):
        url = urllib.parse.urlsplit(target)
        parameters = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        self.namespace = self.name = None
        self.parse_path([urllib.parse.unquote(part) for part in url.path.split("/") if part])
        self.labels = parse_terms(parameters.get("labelSelector"))
        self.fields = parse_terms(parameters.get("fieldSelector"))
        for key, _, _ in self.fields:
            if key not in ("metadata.name", "metadata.namespace"):
                raise bad_request(f"field label not supported: {key}")
        self.limit = self.number(parameters, "limit")
        self.timeout = self.number(parameters, "timeoutSeconds")
        self.page = parameters.get("continue")
        self.version = parameters.get("resourceVersion", "")
        self.watches = parameters.get("watch") in ("1", "true")
        self.wants_bookmarks = parameters.get("allowWatchBookmarks") in ("1", "true")
        self.wants_initial = parameters.get("sendInitialEvents") in ("1", "true")

    def parse_path(self, parts):
        groups = {"/".join(parts[:2]): "v1"} if parts[:1] == ["api"] else \
            {"/".join(parts[:3]): "/".join(parts[1:3])}
        group = next(iter(groups.values()))
        rest = parts[2:] if parts[:2] == ["api", "v1"] else parts[3:]
        if len(rest) >= 3 and rest[0] == "namespaces":
            self.namespace, rest = rest[1], rest[2:]
        self.resource = rest[0] if rest else None
        known = RESOURCES.get(self.resource)
        if known is None or known.group != group or len(rest) > 2 or \
                (self.namespace and not known.is_namespaced):
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        self.name = rest[1] if len(rest) == 2 else None

    @staticmethod
    def number(parameters, name):
        text = parameters.get(name) or "0"
        if not text.isdigit():
            raise bad_request(f"{name}: {text!r} is no number")
        return int(text)

    def selects(self, entry):
        if entry is None or (self.namespace and entry.key[0] != self.namespace):
            return False
        metadata = entry.item["metadata"]
        fields = {"metadata.name": entry.key[1], "metadata.namespace": entry.key[0]}
        return all(holds(term, metadata.get("labels") or {}) for term in self.labels) and \
            all(holds(term, fields) for term in self.fields)
