"""Names of models on a hub."""

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
    """A model of a hub.

    Args:
        id: `owner/name`.
        revision: A branch, a tag or a commit; a commit is the only one that never changes.
    """

    id: str
    revision: str = "main"

    @property
    def name(self) -> str:
        """What it is called among the models of the cache."""
        return f"hub:{self.id}@{self.revision}"

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return "--".join(["hub", *self.id.split("/"), *self.revision.split("/")])


def parse_hub_name(name: str) -> HubModel:
    """Read `hub:owner/name@revision`.

    Raises:
        RequestError: It is no such name.
    """
    identity, _, revision = name.removeprefix("hub:").partition("@")
    revision = revision or "main"
    if _ID.fullmatch(identity) is None or ".." in identity:
        raise RequestError("this is no id of a model", identity, "Write owner/name.")
    if _REVISION.fullmatch(revision) is None or ".." in revision:
        raise RequestError("this is no revision", revision, "Write a branch, a tag or a commit.")
    return HubModel(identity, revision)
