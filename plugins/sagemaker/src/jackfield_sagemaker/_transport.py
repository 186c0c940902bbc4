"""Asynchronous endpoints: submit, look for the output in S3, fetch it; over the core's HTTP transport.

Source: SageMaker runtime service model, `InvokeEndpointAsync` (botocore 1.44.5, 2026-11).
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import attrs
import orjson

from jackfield import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    MalformedResponseError,
    StreamInterruptedError,
)
from jackfield.http import HttpTransport
from jackfield.plugin import Exchange, Failure, Frame, Head, Headers, HttpAccess, Wire, quote_segment

from ._errors import error
from ._settings import SageMakerSettings, access, region_of, s3_address

__all__ = ["AsynchronousTransport"]

_MOST_INLINE: Final = 128_000
"""Bytes of a body that need no S3. Source: as above, `AsyncBodyBlob`."""
_S3: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.+)")
_INPUT: Final = "X-Amzn-SageMaker-InputLocation"
_NOT_YET: Final = (404, 403, 500, 503)
"""An object that is not there yet is 404 for who may list the bucket, and 403 for who may not; S3 may be busy."""
_SLOWER: Final = 1.5
_SLOWEST: Final = 10
_GONE: Final = (b"<Code>ExpiredToken<", b"<Code>InvalidToken<", b"<Code>InvalidAccessKeyId<")


class AsynchronousTransport(HttpTransport):
    """Carries wires of asynchronous endpoints by way of S3, and all others as the core does.

    Args:
        settings: The connection's.
    """

    def __init__(self, settings: SageMakerSettings) -> None:
        reached = access(settings)
        limit = 10.0 if settings.timeout is None else settings.timeout.connect
        ways: dict[str, Any] = {
            "connect_timeout": limit, "proxy": settings.proxy, "ca_bundle": settings.ca_bundle,
            "max_response": settings.max_response,
        }  # fmt: skip
        super().__init__(attrs.evolve(reached, named_auth={}), headers=settings.headers, **ways)
        self._settings = settings
        self._region = region_of(settings, settings.identity)
        # The connection's own headers are for the runtime, or for a gateway before it; S3 never sees them.
        self._s3 = HttpTransport(
            HttpAccess(base_url=settings.s3_url or "https://s3.amazonaws.com", auth=reached.named_auth["s3"]),
            **ways,
        )

    async def open(self) -> None:
        """Open both ways; nothing is sent."""
        await super().open()
        await self._s3.open()

    def exchange(self, wire: Wire) -> Any:
        """Send a wire; that of an asynchronous endpoint is submitted, and its output waited for."""
        return super().exchange(wire) if "asynchronous" not in wire.meta else self._waited(wire)

    async def aclose(self) -> None:
        """Close both ways; may be called twice."""
        await super().aclose()
        await self._s3.aclose()

    async def refresh_credentials(self, wire: Wire) -> bool:
        """Ask for credentials anew after they were refused."""
        await self._s3.refresh_credentials(wire)
        return await super().refresh_credentials(wire)

    def secrets(self) -> list[str]:
        """Give every secret that must not be shown."""
        return [*super().secrets(), *self._s3.secrets()]

    @asynccontextmanager
    async def _waited(self, wire: Wire) -> AsyncIterator[Exchange]:
        head, body = await _fetched(super().exchange(await self._with_input(wire)))
        if head.status is not None and head.status < 300:
            head, body = await self._output(wire.meta["asynchronous"], head)
        yield Exchange(head, _frames(body))

    async def _with_input(self, wire: Wire) -> Wire:
        """Put a body into S3 that is too large to be sent; give the wire that says where it is."""
        body = wire.body if isinstance(wire.body, bytes) else orjson.dumps(wire.body)
        if len(body) <= _MOST_INLINE:
            return wire
        place = wire.meta["asynchronous"].get("input")
        if place is None:
            raise ConfigurationError(
                f"the request has {len(body)} bytes; an asynchronous endpoint takes {_MOST_INLINE} without S3: "
                'write asynchronous = { input = "s3://bucket/prefix" }'
            )
        location = f"{place.rstrip('/')}/{uuid.uuid4()}"
        content_type = wire.headers.get("X-Amzn-SageMaker-Content-Type", "application/json")
        put = Wire(self._address(location), body, method="PUT", headers={"Content-Type": content_type})
        head, said = await _fetched(self._s3.exchange(put))
        if head.status != 200:
            refused = error(Failure(head.status, head.headers, said)) or ConfigurationError("no reason told")
            refused.message = f"the input cannot be put to {location}: {refused.message}"
            raise refused
        return attrs.evolve(wire, body=None, headers={**wire.headers, _INPUT: location})

    async def _output(self, how: Mapping[str, Any], submitted: Head) -> tuple[Head, bytes]:
        """Look for the output, and for word of a failure, until one is there; the core's time limits end it."""
        output = submitted.headers.get("x-amzn-sagemaker-outputlocation")
        if not output:
            raise MalformedResponseError(
                "the endpoint took the request and does not say where its output will be"
            )
        failure = submitted.headers.get("x-amzn-sagemaker-failurelocation")
        pause = first = float(how.get("poll", 1.0))
        renewed = False
        while True:
            head, body = await self._object(output)
            if head.status != 200 and any(
                code in body for code in _GONE
            ):  # the wait may be longer than credentials last
                if renewed:
                    raise AuthenticationError(
                        "S3 refuses the renewed credentials", status=head.status, body=body
                    )
                renewed = await self._s3.refresh_credentials(Wire(output))
                continue
            if head.status not in _NOT_YET:
                return head, body
            if failure:
                failed, said = await self._object(failure)
                if failed.status == 200:
                    return _as_model_error(said)
            await asyncio.sleep(pause)
            pause = min(pause * _SLOWER, first * _SLOWEST)

    async def _object(self, location: str) -> tuple[Head, bytes]:
        try:
            return await _fetched(self._s3.exchange(Wire(self._address(location), method="GET")))
        except (ConnectionFailedError, StreamInterruptedError):
            # The request is under way and will be paid for: to be asked again is S3's lot, not the endpoint's.
            return Head(_NOT_YET[0]), b""

    def _address(self, location: str) -> str:
        found = _S3.fullmatch(location)
        if found is None:
            raise MalformedResponseError(f"{location!r} is no place in S3")
        bucket, key = found.groups()
        # Segments of a key may be empty: the place of outputs may be configured with a slash at its end.
        try:
            path = "/".join([part and quote_segment(part) for part in key.split("/")])
        except ConfigurationError as error:
            raise MalformedResponseError(f"{location!r} is no place in S3: {error.message}") from error
        return f"{s3_address(self._settings, self._region, bucket)}/{path}"


async def _fetched(under_way: AbstractAsyncContextManager[Exchange]) -> tuple[Head, bytes]:
    async with under_way as exchange:
        body = b"".join([bytes(frame.data) async for frames in exchange.frames for frame in frames])
        return exchange.head, body


def _as_model_error(said: bytes) -> tuple[Head, bytes]:
    """Give what stands at the place of failures as the synchronous operation would have said it."""
    text = said.decode("utf-8", "replace")
    return Head(424, Headers({"x-amzn-errortype": "ModelError"})), orjson.dumps({"Message": text})


async def _frames(body: bytes) -> AsyncIterator[Sequence[Frame]]:
    yield (Frame(body),)
