"""The list of models: a server serves a single one."""

import orjson
from jackfield import ModelCard
from jackfield.plugin import Head, Limits, Listing, Wire


def _parse(head: Head, body: bytes) -> tuple[list[ModelCard], Wire | None]:
    """Parse the server's description of itself; there is only one page."""
    info = orjson.loads(body)
    card = ModelCard(
        id=info["model_id"],
        kinds=frozenset({"completion"}),
        limits=Limits(context_window=info.get("max_total_tokens")),
        data=info,
    )
    return [card], None


LISTING = Listing(Wire("/info", method="GET"), _parse)
