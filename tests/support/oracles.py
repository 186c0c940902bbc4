"""An official SDK as oracle: it sends what we send to the same loopback service."""

__all__ = ["HEADERS", "difference"]

HEADERS = ("authorization", "content-type")
"""The headers that mean something to every service."""


def difference(ours, theirs, *more, headers=HEADERS, said=None):
    """Return in what two requests differ: method, path, body, and the headers that mean something; each with both values.

    Args:
        ours: Our request.
        theirs: The SDK's.
        more: Further headers.
        headers: The headers to compare in place of `HEADERS`.
        said: The body to compare with ours, if not theirs.
    """
    found = {
        "call": ((ours.method, ours.path_qs), (theirs.method, theirs.path_qs.removesuffix("#stream"))),
        "body": (ours.json, theirs.json if said is None else said),
        **{name: (ours.headers.get(name), theirs.headers.get(name)) for name in (*headers, *more)},
    }
    return {name: pair for name, pair in found.items() if pair[0] != pair[1]}
