"""The list of models: a server serves a single one."""

from typing import Any

from jackfield import ModelCard
from jackfield.plugin import Limits, Listing


def _page(info: dict[str, Any]) -> tuple[list[ModelCard], None]:
    """Return the model that the server describes; there is only one page."""
    card = ModelCard(
        id=info["model_id"],
        kinds=frozenset({"completion"}),
        limits=Limits(context_window=info.get("max_total_tokens")),
        data=info,
    )
    return [card], None


LISTING = Listing.of_pages("/info", _page)
