"""Settings of a connection to local models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, Literal

import attrs

from jackfield import Secret
from jackfield.plugin import ModelEntry, secret, suggestion

from ._files.catalogue import CATALOGUE, find_entry

__all__ = ["OnnxModelKeys", "OnnxSettings", "Precision", "SamplingKeys", "parse_size"]

Precision = Literal["auto", "fp32", "fp16", "int8", "int4"]

_UNITS: Final = {
    "": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30,
    "TIB": 2**40,
}  # fmt: skip
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)


def parse_size(size: str | int) -> int:
    """Parse a size: a number of bytes, or a string such as `6 GiB` or `500MB`.

    Raises:
        ValueError: It is not a valid size.
    """
    if isinstance(size, int):
        return size
    found = _SIZE.fullmatch(size.strip())
    if found is None or found[2].upper() not in _UNITS:
        raise ValueError(f'{size!r} is not a valid size; write "6 GiB", "500 MB" or a number of bytes')
    return int(float(found[1]) * _UNITS[found[2].upper()])


def _check_device(_settings: object, _field: object, value: str) -> None:
    if re.fullmatch(r"auto|cpu|cuda(:\d+)?", value) is None:
        raise ValueError(f'device is {value!r}; write "auto", "cpu", "cuda" or "cuda:1"')


def _require_at_least(least: float) -> Any:
    def check(_settings: object, field: attrs.Attribute[Any], value: float | None) -> None:
        if value is not None and value < least:
            raise ValueError(f"{field.name} is {value}; it must be {least} or more")

    return check


def _require_within(least: float, most: float, *, open_below: bool = False) -> Any:
    def check(_settings: object, field: attrs.Attribute[Any], value: float | None) -> None:
        if value is not None and not (least <= value <= most and not (open_below and value == least)):
            bound = f"above {least:g}" if open_below else f"{least:g} or more"
            raise ValueError(f"{field.name} is {value}; it must be {bound} and at most {most:g}")

    return check


def _check_size(_settings: object, field: attrs.Attribute[Any], value: str | int | None) -> None:
    if value is None:
        return
    try:
        size = parse_size(value)
    except ValueError as error:
        raise ValueError(f"{field.name}: {error}") from None
    if size < 1:
        raise ValueError(f"{field.name} is {value}; it must be at least 1 byte")


def _check_absolute(_keys: object, field: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and not Path(value).expanduser().is_absolute():
        raise ValueError(f"{field.name} is {value!r}; write an absolute path")


def _check_template(keys: object, field: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and re.fullmatch(r"[A-Za-z][\w-]*", value) is None:
        _check_absolute(keys, field, value)


def _check_hub_id(_keys: object, field: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", value) is None:
        raise ValueError(f"{field.name} is {value!r}; write owner/name")


def _check_models(_settings: object, _field: object, entries: tuple[ModelEntry, ...] | None) -> None:
    """Check that every name without a folder, hub or wildcard is in the catalogue."""
    for entry in entries or ():
        elsewhere = any(entry.raw.get(key) is not None for key in ("folder", "hub"))
        name = (entry.underlying or entry.id).rpartition(":")[2]
        if not elsewhere and "*" not in name and find_entry(name) is None:
            near = suggestion(name, CATALOGUE, cutoff=0.5)
            meant = f"; did you mean {near!r}?" if near else "."
            raise ValueError(
                f"there is no model {name!r} in the catalogue{meant} It has {', '.join(sorted(CATALOGUE))}; "
                "declare folder or hub for other models"
            )


@attrs.frozen(kw_only=True)
class SamplingKeys:
    """Defaults of sampling options; a key that is absent leaves the model's own default.

    Attributes:
        temperature: 0 always takes the most probable token; at most 2.
        top_p: Keep the smallest set of tokens whose probabilities add up to this.
        top_k: Keep this many tokens.
        min_p: Keep tokens with at least this fraction of the most probable token's probability.
        repetition_penalty: Above 1, tokens of the prompt and the reply become less likely.
    """

    temperature: float | None = attrs.field(default=None, validator=_require_within(0, 2))
    top_p: float | None = attrs.field(default=None, validator=_require_within(0, 1, open_below=True))
    top_k: int | None = attrs.field(default=None, validator=_require_at_least(1))
    min_p: float | None = attrs.field(default=None, validator=_require_within(0, 1))
    repetition_penalty: float | None = attrs.field(
        default=None, validator=_require_within(0, 10, open_below=True)
    )


@attrs.frozen(kw_only=True)
class OnnxSettings:
    """Configuration keys of a connection to local models.

    Attributes:
        cache_dir: The model cache. Default: JACKFIELD_MODEL_CACHE, else `jackfield/models` in the user's cache folder.
        models: The entries of `models`; catalogue names are checked when the configuration is loaded.
        hub_endpoint: URL of the hub for models with `hub`. Default: HF_ENDPOINT, else Hugging Face.
        hub_token: Access token for the hub; public models need none.
        offline: Never fetch a model; a model that is not in the cache is an error.
        device: `auto`, `cpu`, `cuda` or `cuda:N`. `auto` uses CUDA if it works, and warns if a GPU build cannot use it.
        precision: Which graph to use if a folder has several (`model.onnx`, `model_fp16.onnx`, `model_q4.onnx`); `auto`
            prefers `model.onnx`.
        memory_limit: Maximum memory of one model, weights and KV cache together: "6 GiB", or bytes.
        threads: Threads of one model. Default: all cores that the process may use.
        spinning: Let idle threads spin: a few percent faster, at the price of a core that is never idle.
        max_context: Maximum number of tokens of prompt and reply together; the model's own limit applies, too.
        max_output: Maximum number of tokens of a reply if the request has no `max_tokens`. Default: a quarter of
            `max_context`.
        slots: Replies that one model generates at the same time.
        max_queue: Requests that may wait for one model; further requests are refused as overloaded. Default: no limit but
            the calls' own `timeout.total`.
        queue_timeout: Seconds that a request may wait in the queue; the call's own timeouts apply, too.
        keep_alive: Seconds after its last use that a model stays in memory. Default: until the connection closes.
        sampling: Defaults of sampling options, instead of the model's own.
    """

    cache_dir: Path | None = None
    models: tuple[ModelEntry, ...] | None = attrs.field(default=None, validator=_check_models)
    hub_endpoint: str | None = None
    hub_token: Secret | None = secret()
    offline: bool = False
    device: str = attrs.field(default="auto", validator=_check_device)
    precision: Precision = "auto"
    memory_limit: str | int | None = attrs.field(default=None, validator=_check_size)
    threads: int | None = attrs.field(default=None, validator=_require_at_least(1))
    spinning: bool = False
    max_context: int = attrs.field(default=4096, validator=_require_at_least(2))
    max_output: int | None = attrs.field(default=None, validator=_require_at_least(1))
    slots: int = attrs.field(default=8, validator=_require_at_least(1))
    max_queue: int | None = attrs.field(default=None, validator=_require_at_least(0))
    queue_timeout: float | None = attrs.field(default=None, validator=_require_at_least(0))
    keep_alive: float | None = attrs.field(default=None, validator=_require_at_least(0))
    sampling: SamplingKeys = attrs.field(factory=SamplingKeys)


@attrs.frozen(kw_only=True)
class OnnxModelKeys:
    """Keys of an entry in `models`, in addition to the common ones.

    Attributes:
        folder: Absolute path of a prepared model that is not in the catalogue. Declare its `kind` as well.
        hub: Id of a model on the hub, `owner/name`. Declare its `kind` as well.
        revision: Branch, tag or commit of it; only a commit never changes.
        chat_template: Absolute path of a chat template to use instead of the model's own; or the name of one of the model's
            own, such as `rag`, to use for all conversations.
        tool_format: How the model writes tool calls, if its template does not show it: `hermes`, `qwen-xml`, `mistral`,
            `mistral-args`, `llama3`, `granite`, `phi4`, or `json` for plain JSON objects.
        dimension_choices: Lengths to which its vectors may be truncated, if its authors document them and its files do
            not list them.
    """

    folder: str | None = attrs.field(default=None, validator=_check_absolute)
    hub: str | None = attrs.field(default=None, validator=_check_hub_id)
    revision: str | None = None
    chat_template: str | None = attrs.field(default=None, validator=_check_template)
    tool_format: (
        Literal["hermes", "qwen-xml", "mistral", "mistral-args", "llama3", "granite", "phi4", "json"] | None
    ) = None
    dimension_choices: tuple[int, ...] | None = None
