"""The keys that hold for every connection unless it says otherwise."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar, get_type_hints

from jackfield._contract.addresses import address_fault
from jackfield._contract.secrets import Secret
from jackfield._contract.settings import INVALID, Reader, describe_value, join
from jackfield._faces import show_in
from jackfield._types.option_rules import UnsupportedPolicy
from jackfield._types.policies import PacePeriod, PacePolicy, RetryPolicy, TimeoutPolicy
from jackfield._types.sizes import MAX_RESPONSE, parse_size, show_size
from jackfield._values import Value, evolve, field, field_names, frozen, resolve_types

__all__ = ["SHARED_KEYS", "SharedKeys", "read_pace", "read_shared_keys"]

P = TypeVar("P", TimeoutPolicy, RetryPolicy)

_HEADER_NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
"""The name of a header. Source: RFC 9110, section 5.6.2."""
_INSIDE: Final = r"\w+ +(env|file|keyring):\S"
_SHELL: Final = r"\$\{\w+\}"


@frozen(kw_only=True)
class SharedKeys(Value):
    """What `[defaults]` and a connection may both say.

    Attributes:
        unsupported: What happens to what a model cannot honour.
        timeout: Seconds per phase.
        retry: When to try again.
        middlewares: Names, outermost first.
        max_parallel: Most calls at once, for each connection; None is no limit.
        pace: How fast the service may be asked, for each connection; None is no limit.
        proxy: Address of a proxy.
        ca_bundle: File of certificate authorities.
        headers: Sent with every request.
        max_response: Most bytes of an answer, decompressed, and four times what one event of a stream may have: a size
            ("64 MiB") or a number; `inf` is no limit. More is a `MalformedResponseError`.
    """

    unsupported: UnsupportedPolicy = "error"
    timeout: TimeoutPolicy = field(factory=TimeoutPolicy)
    retry: RetryPolicy = field(factory=RetryPolicy)
    middlewares: tuple[str, ...] = ()
    max_parallel: int | None = None
    pace: PacePolicy | None = None
    proxy: str | None = field(default=None, repr=False)  # may hold a password
    ca_bundle: str | None = None
    headers: Mapping[str, str | Secret] = field(factory=dict, repr=False)
    max_response: int | None = field(default=MAX_RESPONSE, metadata={"written": show_size(MAX_RESPONSE)})


SHARED_KEYS: Final = field_names(SharedKeys)


def read_shared_keys(reader: Reader, table: Mapping[str, Any], where: str, above: SharedKeys) -> SharedKeys:
    """Read the shared keys of a table; what it does not say is as `above`, phase by phase."""
    read: dict[str, Any] = {}
    for key in SHARED_KEYS:
        if key in table:
            value = _READERS[key](reader, table[key], join(where, key), above)
            if value is not INVALID:
                read[key] = value
    return evolve(above, **read)


def _unsupported(reader: Reader, value: Any, where: str, _: SharedKeys) -> Any:
    return reader.value(UnsupportedPolicy, value, where)


def _timeout(reader: Reader, value: Any, where: str, above: SharedKeys) -> TimeoutPolicy:
    # As in a call: a number is the seconds in total.
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = {"total": value}
    if not isinstance(value, Mapping):
        reader.wrong(
            where, f"must be seconds or a table, not {describe_value(value)}: timeout = {{ total = 600 }}"
        )
        return above.timeout
    return _policy(reader, value, where, above.timeout)


def _retry(reader: Reader, value: Any, where: str, above: SharedKeys) -> RetryPolicy:
    if not isinstance(value, Mapping):
        reader.wrong(where, f"must be a table, not {describe_value(value)}: retry = {{ attempts = 3 }}")
        return above.retry
    return _policy(reader, value, where, above.retry)


def _policy(reader: Reader, value: Any, where: str, above: P) -> P:
    hints = get_type_hints(type(above))
    table = reader.table(value, where)
    reader.unknown_keys(table, hints, where)
    read: dict[str, Any] = {}
    for key, kind in hints.items():
        if key not in table:
            continue
        number, place = reader.value(kind, table[key], join(where, key)), join(where, key)
        if number is INVALID:
            continue
        if number is not None and (number < 0 or math.isnan(number) or (key == "attempts" and number < 1)):
            reader.wrong(place, f"must be {'1 or more' if key == 'attempts' else '0 or more'}, not {number}")
        elif number is not None and math.isinf(number) and isinstance(above, TimeoutPolicy):
            read[key] = None  # TOML's way to say "no limit"
        else:
            read[key] = number
    return evolve(above, **read)


def _middlewares(reader: Reader, value: Any, where: str, _: SharedKeys) -> Any:
    return reader.value(tuple[str, ...], value, where)


def _max_parallel(reader: Reader, value: Any, where: str, _: SharedKeys) -> Any:
    number = reader.value(int | None, value, where)
    if number is not INVALID and number is not None and number < 1:
        return reader.wrong(where, f"must be 1 or more, not {number}")
    return number


def _pace(reader: Reader, value: Any, where: str, _: SharedKeys) -> Any:
    return read_pace(reader, value, where)


def read_pace(reader: Reader, value: Any, where: str) -> Any:
    """Read a pace, of a connection or of an entry of its `models`; a pace without any limit is None.

    Unlike `timeout` and `retry` it is not merged with that of `[defaults]`: a number means nothing without its period.
    """
    if value is None or isinstance(value, PacePolicy):
        return value
    if not isinstance(value, Mapping):
        example = 'pace = { requests = 500, per = "minute" }'
        return reader.wrong(where, f"must be a table, not {describe_value(value)}: {example}")
    before = len(reader.problems)
    reader.unknown_keys(value, field_names(PacePolicy), where)
    read = {
        key: _most(reader, value[key], join(where, key)) for key in ("requests", "tokens") if key in value
    }
    if "per" in value:
        read["per"] = reader.value(PacePeriod, value["per"], join(where, "per"))
    if not read.keys() & {"requests", "tokens"}:
        reader.wrong(where, "names no limit; write requests, tokens or both")
    if len(reader.problems) > before:
        return INVALID
    pace = PacePolicy(**read)
    return None if pace.requests is None and pace.tokens is None else pace


def _most(reader: Reader, value: Any, where: str) -> Any:
    """Read a limit of a pace; `inf` is TOML's way to say that there is none."""
    if isinstance(value, float) and value == math.inf:
        return None
    number = reader.value(int | None, value, where)
    if number is not INVALID and number is not None and number < 1:
        return reader.wrong(where, f"must be 1 or more, not {number}")
    return number


def _proxy(reader: Reader, value: Any, where: str, _: SharedKeys) -> Any:
    address = reader.value(str | None, value, where)
    fault = address_fault(address) if isinstance(address, str) else None
    return address if fault is None else reader.wrong(where, fault)


def _ca_bundle(reader: Reader, value: Any, where: str, _: SharedKeys) -> Any:
    path = reader.value(Path | None, value, where)
    if isinstance(path, Path) and not path.exists():
        return reader.wrong(where, f"there is no file {path}")
    return str(path) if isinstance(path, Path) else path


def _headers(reader: Reader, value: Any, where: str, above: SharedKeys) -> Mapping[str, str | Secret]:
    headers = dict(above.headers)
    by_lower_name = {name.lower(): name for name in headers}
    seen: set[str] = set()
    for name, text in reader.table(value, where).items():
        if str(name).lower() in seen:
            reader.wrong(join(where, name), "stands twice; names of headers have no case")
        seen.add(str(name).lower())
        if not re.fullmatch(_HEADER_NAME, str(name)):
            reader.wrong(
                join(where, name),
                "is not a valid name of a header: letters, digits and - (no space, no colon)",
            )
            continue
        # Names are the same in any case; the connection's own wins over the default.
        headers.pop(by_lower_name.get(str(name).lower(), ""), None)
        read = _header(reader, text, join(where, name))
        if read is not INVALID:
            headers[str(name)] = read
    return headers


def _max_response(reader: Reader, value: Any, where: str, _: SharedKeys) -> Any:
    if value is None or (isinstance(value, float) and value == math.inf):
        return None
    if isinstance(value, str):
        try:
            value = parse_size(value)
        except ValueError as error:
            return reader.wrong(where, str(error))
    if not isinstance(value, int) or isinstance(value, bool):
        return reader.wrong(where, f'must be bytes or a size such as "256 MiB", not {describe_value(value)}')
    return value if value >= 1 else reader.wrong(where, f"must be 1 or more, not {value}")


def _header(reader: Reader, value: Any, where: str) -> Any:
    if isinstance(value, Secret) or (
        isinstance(value, str) and value.startswith(("env:", "file:", "keyring:"))
    ):
        return reader.value(Secret, value, where)
    text = reader.value(str, value, where)
    if isinstance(text, str) and any(mark in text for mark in "\n\r\0"):
        return reader.wrong(where, "must be one line")
    if isinstance(text, str) and re.match(_INSIDE, text):
        return reader.wrong(
            where, "a reference stands alone: the variable holds the whole value, Bearer and all"
        )
    if isinstance(text, str) and re.search(_SHELL, text):
        return reader.wrong(where, 'is sent as it stands; write "env:NAME" for what a variable holds')
    return text


_READERS: Final = {
    "unsupported": _unsupported,
    "timeout": _timeout,
    "retry": _retry,
    "middlewares": _middlewares,
    "max_parallel": _max_parallel,
    "pace": _pace,
    "proxy": _proxy,
    "ca_bundle": _ca_bundle,
    "headers": _headers,
    "max_response": _max_response,
}

resolve_types(
    SharedKeys, globals()
)  # forms are made of its types, which its public module does not know by name
show_in("jackfield.plugin", SharedKeys)
