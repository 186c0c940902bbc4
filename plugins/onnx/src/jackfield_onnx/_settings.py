"""What an administrator may write for a connection to local models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs

__all__ = ["OnnxModelKeys", "OnnxSettings"]


def _known_device(_settings: object, _field: object, value: str) -> None:
    if re.fullmatch(r"auto|cpu|cuda(:\d+)?", value) is None:
        raise ValueError(f'device is {value!r}; write "auto", "cpu", "cuda" or "cuda:1"')


def _at_least(least: int) -> Any:
    def check(_settings: object, field: attrs.Attribute[Any], value: int | None) -> None:
        if value is not None and value < least:
            raise ValueError(f"{field.name} is {value}; it must be {least} or more")

    return check


def _absolute(_keys: object, _field: object, value: str | None) -> None:
    if value is not None and not Path(value).expanduser().is_absolute():
        raise ValueError(f"folder is {value!r}; write the whole path of a prepared model")


@attrs.frozen(kw_only=True)
class OnnxSettings:
    """Config keys of a connection to local models.

    Attributes:
        cache_dir: The folder of prepared models. Unless given: what JACKFIELD_MODEL_CACHE names, else
            `jackfield/models` in the user's cache folder.
        offline: Never fetch a model; one that is not in the cache is an error.
        device: `auto`, `cpu`, `cuda` or `cuda:N`. Chat models run on the CPU.
        threads: Threads of one model; all cores that the process may use unless given.
        spinning: Idle threads spin: some percent faster, at the price of a core that is never idle.
        max_context: Tokens of prompt and answer together, at most; the model's own limit counts too.
        max_queue: Requests that may wait for one model; more are refused as overloaded.
    """

    cache_dir: Path | None = None
    offline: bool = False
    device: str = attrs.field(default="auto", validator=_known_device)
    threads: int | None = attrs.field(default=None, validator=_at_least(1))
    spinning: bool = False
    max_context: int = attrs.field(default=4096, validator=_at_least(2))
    max_queue: int = attrs.field(default=64, validator=_at_least(0))


@attrs.frozen(kw_only=True)
class OnnxModelKeys:
    """Keys of an entry in `models`, beside the common ones.

    Attributes:
        folder: A prepared model that is not in the catalogue, as an absolute path. Declare its `kind` as well.
    """

    folder: str | None = attrs.field(default=None, validator=_absolute)
