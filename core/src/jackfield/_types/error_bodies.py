"""Read the bodies of errors: the one table of where services, gateways and web frameworks write what went wrong.

Which form comes is not known from the address: between a program and a model stand proxies, gateways, load balancers and
the framework in which the service is written, and each answers for itself. Sources: OpenAI, Anthropic, Google (AIP-193,
google.rpc), AWS JSON protocols, RFC 9457 (problem details), RFC 6749 section 5.2 (OAuth), FastAPI, Spring Boot, ASP.NET Core,
Azure API Management, Kong, Envoy, Apigee, LiteLLM, OpenRouter, vLLM, TGI, Ollama, MiniMax, Cloudflare (documentation of 2025
and 2026).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from jackfield._faces import show_in
from jackfield._json import read_json
from jackfield._values import Value, frozen

from .waits import delay_in, seconds_of, wait_in_headers

__all__ = ["ErrorBody", "is_error_body", "read_error_body", "read_page"]

# Each name in the order of its weight. What stands in a mapping or a list is looked into; a text is the message.
_INNER: Final = (
    "error", "Error", "errors", "fault", "Fault", "response", "base_resp", "exception", "failure", "body", "result",
)  # fmt: skip
_ENVELOPES: Final = ("Error", "fault", "Fault", "exception", "failure")
_MESSAGES: Final = (
    "message", "Message", "msg", "detail", "Detail", "error_description", "errorMessage", "error_message", "error_msg",
    "errorMsg", "ErrorMessage", "faultstring", "status_msg", "err", "error_details", "description", "originalMessage",
    "OriginalMessage", "reason", "text", "statusText", "status_text", "explanation",
)  # fmt: skip
# What stands alone in an answer without anything else that a decoder looks for.
_TELLING: Final = (
    "detail", "Detail", "message", "Message", "msg", "error_msg", "errorMsg", "error_message", "errorMessage",
    "error_description", "title", "status_msg", "err", "errorCode", "error_code", "ErrorMessage", "faultstring",
)  # fmt: skip
_FIELDS: Final = (
    "errors", "invalid-params", "invalidParams", "invalid_params", "violations", "fieldViolations", "field_violations",
    "fieldErrors", "validationErrors", "validation_errors", "details", "subErrors", "causes",
)  # fmt: skip
_PLACES: Final = (
    "loc", "field", "pointer", "param", "parameter", "propertyPath", "property", "instancePath", "target", "source", "name",
)  # fmt: skip
_CODES: Final = (
    "code", "Code", "error_code", "errorCode", "ErrorCode", "errorcode", "type", "error_type", "errorType", "status", "status_code",
    "__type",
)  # fmt: skip
_STATUSES: Final = (
    "status", "statusCode", "status_code", "StatusCode", "httpStatus", "http_status", "code", "error_code", "errorCode", "type",
)  # fmt: skip
_DELAYS: Final = (
    "retryDelay", "retry_delay", "retry_after", "retryAfter", "retry-after", "Retry-After", "retry_after_seconds",
    "retryAfterSeconds", "retry_after_ms", "retryAfterMs", "estimated_time",
)  # fmt: skip
# What a service puts in front of its data, which is not an error by itself.
_FINE: Final = frozenset({"", "0", "200", "ok", "success", "succeeded", "none", "null"})
_FIELDS_OF_GOOGLE: Final = frozenset({"fieldViolations", "field_violations", "violations"})
_DEPTH: Final = 6
_MOST_ENTRIES: Final = 10
_WORD: Final = re.compile(r"[\w.:#-]+")
_NESTED: Final = re.compile(r"""(?:\bb?['"])?(?=[{\[])""")
_LONGEST_NESTED: Final = 20_000
_PHRASES: Final = frozenset(status.phrase.lower() for status in HTTPStatus)
_TAG: Final = re.compile(r"<[^<>]{0,2000}>")
_DROPPED: Final = re.compile(
    r"<(script|style|svg|head)\b.{0,200000}?</\1\s*>|<!--.{0,20000}?-->", re.IGNORECASE | re.DOTALL
)
_TITLE: Final = re.compile(r"<title[^<>]{0,200}>([^<]{1,1000})</title", re.IGNORECASE)
_HEADING: Final = re.compile(r"<h[1-3]\b[^<>]{0,500}>(.{1,1000}?)</h[1-3]", re.IGNORECASE | re.DOTALL)
_XML: Final = re.compile(
    r"<(?:\w+:)?(message|faultstring|description|detail|reason)>([^<]{1,2000})</", re.IGNORECASE
)
_XML_CODE: Final = re.compile(r"<(?:\w+:)?(?:code|faultcode)>([\w.:-]{1,100})</", re.IGNORECASE)
_SHORTEST_REPEATED: Final = 10
_LONGEST_PAGE: Final = 200_000
_LONGEST_EXCERPT: Final = 200


@frozen
class ErrorBody(Value):
    """What the body of an error says, whatever its form.

    Attributes:
        message: The service's words, with the names of the fields that it refuses; None if there are none.
        codes: Its words and numbers for the failure, the most specific first: code, type, name of the status.
        status: The HTTP status that the body itself names; of an error inside an answer with status 200, that is the one.
        retry_after: Seconds after which the service wants to be asked again, if the body says so.
    """

    message: str | None = None
    codes: tuple[str, ...] = ()
    status: int | None = None
    retry_after: float | None = None


def read_error_body(value: Any) -> ErrorBody:
    """Read the JSON of an error, in any form that a service or a gateway is known to use.

    Args:
        value: The parsed JSON, as from `Failure.json`.
    """
    if isinstance(value, list) and not any(isinstance(entry, Mapping) for entry in value):
        return ErrorBody()  # no service's form of an error
    reader = _Reader()
    message = _join(reader.texts(value, _DEPTH)) or None
    wait = reader.wait
    if wait is None and message is not None:
        wait = delay_in(message)
    return ErrorBody(message, tuple(dict.fromkeys(reader.codes)), reader.status, wait)


def is_error_body(value: Any, *, refused: bool = False) -> bool:
    """Return whether the JSON of an answer with a good status is an error.

    Args:
        value: The parsed JSON.
        refused: A decoder found no answer in it. Then a bare `detail`, `message` or `code` counts, which may stand beside
            an answer, too.
    """
    if isinstance(value, list):
        value = next((entry for entry in value if isinstance(entry, Mapping)), None)
    if not isinstance(value, Mapping):
        return False
    error = value.get("error")
    if isinstance(error, Mapping):
        if any(_is_bad(entry) for entry in error.values()):
            return True
    elif _is_bad(error):
        return True
    if value.get("object") == "error" or value.get("type") == "error" or value.get("success") is False:
        return True
    result = value.get("base_resp")
    if isinstance(result, Mapping) and _is_bad(result.get("status_code")):
        return True
    if any(isinstance(value.get(name), Mapping) and value[name] for name in _ENVELOPES) or (
        value.get("errors") and "choices" not in value and "data" not in value
    ):
        return True
    if not refused or not any(value.get(name) for name in _TELLING):
        return False
    message = read_error_body(value).message
    return message is not None and message.strip().lower() not in _FINE


def read_page(text: str) -> ErrorBody:
    """Read an error that is a page or XML: the words of its heading, or of its element for the message."""
    import html

    text = text[:_LONGEST_PAGE]
    code = _XML_CODE.search(text)
    codes = () if code is None else (code[1],)
    element = _XML.search(text)
    if element is not None:
        return ErrorBody(_plain(html.unescape(element[2])), codes)
    title = _TITLE.search(text)
    heading = _HEADING.search(text)
    found = [
        _plain(html.unescape(_TAG.sub(" ", match[1]))) for match in (title, heading) if match is not None
    ]
    if not found:
        found = [_plain(html.unescape(_TAG.sub(" ", _DROPPED.sub(" ", text))))[:_LONGEST_EXCERPT]]
    return ErrorBody(": ".join(_distinct(iter(found))) or None, codes)


class _Reader:
    """Collect the codes, the status and the wait of an error's JSON while its texts are read."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.status: int | None = None
        self.wait: float | None = None

    def texts(self, value: Any, depth: int) -> Iterator[str]:
        """Return the texts of a value, the main one first."""
        if depth <= 0:
            return
        if isinstance(value, str):
            yield from self._of_text(value, depth)
        elif isinstance(value, Mapping):
            yield from self._of_mapping(value, depth)
        elif isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
            for entry in value[:_MOST_ENTRIES]:
                yield from self.texts(entry, depth - 1)

    def _of_text(self, text: str, depth: int) -> Iterator[str]:
        """Return a text; JSON of another service that is quoted in it is replaced by that service's words."""
        plain = text.strip()
        if not plain:
            return
        if plain[0] == "<" and "</" in plain:
            plain = read_page(plain).message or plain
        nested = _nested_json(plain)
        if nested is None:
            yield plain
            return
        before, value = nested
        inner = _join(self.texts(value, depth - 1))
        if not inner:
            yield plain
        elif before:
            yield f"{before}: {inner}"
        else:
            yield inner

    def _of_mapping(self, value: Mapping[str, Any], depth: int) -> Iterator[str]:
        place = _place_of(value)
        main = list(self._main_texts(value, depth))
        self._note(value)
        if main and place is not None and not re.search(rf"(?<!\w){re.escape(place)}(?!\w)", main[0]):
            entry = "loc" in value or not {"code", "type", "param"} & value.keys()
            main[0] = f"{place}: {main[0]}" if entry else f"{main[0]} (parameter {place})"
        upstream = value.get("metadata")
        raw = _join(self.texts(upstream.get("raw"), depth - 1)) if isinstance(upstream, Mapping) else ""
        if raw:  # OpenRouter: what the service behind it said
            main[:1] = [f"{main[0]}: {raw}" if main else raw]
        yield from main
        yield from self._further_texts(value, depth, bool(main))

    def _main_texts(self, value: Mapping[str, Any], depth: int) -> Iterator[str]:
        """Return the message: of the error inside the value, else its own."""
        if "@type" in value and not _FIELDS_OF_GOOGLE & value.keys():
            self.codes += [value["reason"]] if isinstance(value.get("reason"), str) else []
            return  # for machines, or the message in other words
        word = value.get("error")
        inner = [name for name in _INNER if _is_nested(value, name)]
        found = [text for name in inner for text in self.texts(value[name], depth - 1)]
        own = ""
        for name in _MESSAGES:
            text = value.get(name)
            own = _join(self.texts(text, depth - 1))
            if own:
                break
        title = value.get("title")
        if isinstance(title, str) and title.strip() and title.strip().lower() not in _PHRASES | {own.lower()}:
            own = f"{title.strip().rstrip('.:')}: {own}" if own else title.strip()
        elif isinstance(title, str) and not own and not found:
            own = title.strip()
        if found:
            # An envelope's own words may be the better ones, or a phrase that says less.
            own_texts = [own] if own and own.lower() not in _PHRASES else []
            yield from own_texts + found if inner == ["errors"] else found + own_texts
            return
        if isinstance(word, str) and word.strip():
            says_less = _WORD.fullmatch(word) or word.strip().lower() in _PHRASES
            if own and says_less:
                self.codes += [word] if _WORD.fullmatch(word) and not word.isdigit() else []
            else:
                yield from self._of_text(word, depth)
        if own:
            yield own

    def _further_texts(self, value: Mapping[str, Any], depth: int, has_main: bool) -> Iterator[str]:
        """Return what is said of single fields, and what a gateway quotes from the service behind it."""
        metadata = value.get("metadata")
        if isinstance(metadata, Mapping):
            headers = metadata.get("headers")
            if self.wait is None and isinstance(headers, Mapping):
                self.wait = wait_in_headers({str(key).lower(): str(entry) for key, entry in headers.items()})
        for name in _FIELDS:
            entries = value.get(name)
            if name == "errors" and _is_nested(value, name) and not isinstance(entries, Mapping):
                continue  # read already, as the message
            if isinstance(entries, Mapping):
                yield from _of_fields(entries)
            elif isinstance(entries, list):
                for entry in entries[:_MOST_ENTRIES]:
                    yield from self.texts(entry, depth - 1)
            elif isinstance(entries, str) and name == "details":
                yield from self._of_text(entries, depth)
        if not has_main:
            yield from _of_fields(value)

    def _note(self, value: Mapping[str, Any]) -> None:
        """Keep the codes, the status and the wait of one level; what stands deeper was kept before, and counts first."""
        for name in _CODES:
            code = value.get(name)
            if (
                isinstance(code, bool)
                or not isinstance(code, str | int)
                or "/" in str(code)
                or not str(code).strip()
            ):
                continue
            if str(code).lower() in ("error", "about:blank") or (
                name.startswith("status") and _status_of(code)
            ):
                continue
            self.codes.append(str(code))
        if self.status is None:
            self.status = next(
                (status for name in _STATUSES if (status := _status_of(value.get(name)))), None
            )
        if self.wait is None:
            for name in _DELAYS:
                wait = _delay_of(value.get(name))
                if wait is not None:
                    self.wait = wait / 1000 if name.lower().endswith("ms") else wait
                    break


def _nested_json(text: str) -> tuple[str, Any] | None:
    """Return the JSON that a text quotes, and what stands before it: `OpenAIException - {"error": {…}}`."""
    if len(text) > _LONGEST_NESTED:
        return None
    start = _NESTED.search(text)
    if start is None:
        return None
    opening = text[start.end()]
    last = text.rfind("}" if opening == "{" else "]")
    if last < start.end():
        return None
    quoted = text[start.end() : last + 1]
    for form in (
        quoted,
        quoted.replace('\\"', '"').replace("\\'", "'").replace("\\\\", "\\"),
        quoted.replace("\\n", ""),
    ):
        try:
            value = read_json(form)
        except ValueError:
            continue
        if isinstance(value, Mapping) or (
            isinstance(value, list) and value and isinstance(value[0], Mapping)
        ):
            return text[: start.start()].rstrip(" -:,\n\t"), value
    return None


def _place_of(value: Mapping[str, Any]) -> str | None:
    """Return the name of the field that an entry is about."""
    for name in _PLACES:
        place = value.get(name)
        if name == "source" and isinstance(place, Mapping):
            place = place.get("pointer") or place.get("parameter")
        if name in ("name", "source", "property") and not (
            {"reason", "message", "msg", "detail", "code"} & value.keys()
        ):
            continue
        if isinstance(place, list | tuple) and place and name == "loc":
            steps = [str(step) for step in place]
            return ".".join(steps[1:] if steps[0] == "body" else steps) or None
        if isinstance(place, str) and place.strip():
            return (
                place.strip().lstrip("#/").replace("/", ".")
                if name in ("pointer", "source", "instancePath")
                else place
            )
    return None


def _of_fields(value: Mapping[str, Any]) -> Iterator[str]:
    """Return what is said of fields by name: `{"temperature": ["must be at most 2"]}`."""
    for name, entries in value.items():
        texts = (
            [entries] if isinstance(entries, str) and len(value) > 0 and name not in _NOT_FIELDS else entries
        )
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            continue
        if isinstance(entries, list):
            yield f"{name}: {', '.join(texts)}"


_NOT_FIELDS: Final = frozenset({*_CODES, *_STATUSES, "@type"})


def _is_nested(value: Mapping[str, Any], name: str) -> bool:
    entry = value.get(name)
    if name in ("response", "body", "result", "exception", "failure"):
        return isinstance(entry, Mapping) and is_error_body(entry)
    return isinstance(entry, Mapping | list) and bool(entry)


def _is_bad(value: Any) -> bool:
    """Return whether the value of a field for errors tells of one: not nothing, 0, 200 or a word for "fine"."""
    if value is None or value is False:
        return False
    if isinstance(value, Mapping | list):
        return bool(value)
    return str(value).strip().lower() not in _FINE


def _status_of(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).strip()
    return int(text) if re.fullmatch("[45][0-9]{2}", text) else None


def _delay_of(value: Any) -> float | None:
    """Return the seconds of a field for them: 13, "13s", {"seconds": 13, "nanos": 5}."""
    if isinstance(value, Mapping):
        seconds, nanos = (seconds_of(str(value.get(name) or 0)) for name in ("seconds", "nanos"))
        return None if seconds is None or nanos is None else seconds + nanos / 1e9
    return None if value is None or isinstance(value, bool) else seconds_of(str(value))


def _distinct(texts: Iterator[str]) -> list[str]:
    """Return texts without those that another one contains."""
    found: list[str] = []
    for text in texts:
        if any(_is_in(text, known) for known in found):
            continue
        found = [known for known in found if not _is_in(known, text)]
        found.append(text)
    return found


def _join(texts: Iterator[str]) -> str:
    return "; ".join(_distinct(texts))


def _is_in(text: str, other: str) -> bool:
    return text == other or (len(text) >= _SHORTEST_REPEATED and text in other)


def _plain(text: str) -> str:
    return " ".join(text.split())


show_in("jackfield.plugin", ErrorBody)
