"""Parse names of models on a hub."""

from __future__ import annotations

import re
from typing import Final

import attrs

from jackfield_onnx._local_errors import RequestError

__all__ = ["HubModel", "parse_hub_name"]

_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")
_REVISION: Final = re.compile(r"[A-Za-z0-9][\w./-]{0,199}")


@attrs.frozen
class HubModel:
    """A model on a hub.

    Args:
        id: `owner/name`.
        revision: A branch, tag or commit; only a commit never changes.
    """

    id: str
    revision: str = "main"

    @property
    def name(self) -> str:
        """Its name in the cache."""
        return f"hub:{self.id}@{self.revision}"

    @property
    def folder(self) -> str:
        """The name of its folder in the cache."""
        return "--".join(["hub", *self.id.split("/"), *self.revision.split("/")])


def parse_hub_name(name: str) -> HubModel:
    """Parse `hub:owner/name@revision`.

    Raises:
        RequestError: It is not such a name.
    """
    identity, _, revision = name.removeprefix("hub:").partition("@")
    revision = revision or "main"
    if _ID.fullmatch(identity) is None or ".." in identity:
        raise RequestError("this is not a valid model id", identity, "Write owner/name.")
    if _REVISION.fullmatch(revision) is None or ".." in revision:
        raise RequestError("this is not a valid revision", revision, "Write a branch, tag or commit.")
    return HubModel(identity, revision)
