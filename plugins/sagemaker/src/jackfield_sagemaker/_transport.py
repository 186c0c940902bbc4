"""A transport for asynchronous endpoints: submit, poll S3 for the output, fetch it, all over the core's HTTP transport.

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

from jackfield import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    MalformedResponseError,
    StreamInterruptedError,
)
from jackfield.http import HttpTransport
from jackfield.plugin import (
    Exchange,
    Failure,
    Frame,
    Head,
    Headers,
    HttpAccess,
    Wire,
    quote_segment,
    write_json,
)

from ._errors import error
from ._settings import SageMakerSettings, access, region_of, s3_address

__all__ = ["AsynchronousTransport"]

_MAX_INLINE: Final = 128_000
"""The maximum size of a body that needs no S3, in bytes. Source: as above, `AsyncBodyBlob`."""
_S3: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.+)")
_INPUT: Final = "X-Amzn-SageMaker-InputLocation"
_NOT_YET: Final = (404, 403, 500, 503)
"""A missing object is 404 for identities that may list the bucket, and 403 for others; S3 may be busy."""
_SLOWER: Final = 1.5
_SLOWEST: Final = 10
_GONE: Final = (b"<Code>ExpiredToken<", b"<Code>InvalidToken<", b"<Code>InvalidAccessKeyId<")


class AsynchronousTransport(HttpTransport):
    """Sends wires of asynchronous endpoints by way of S3, and all others like the core's transport.

    Args:
        settings: The connection's settings.
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
        # The connection's headers are for the runtime, or for a gateway in front of it; S3 does not get them.
        self._s3 = HttpTransport(
            HttpAccess(base_url=settings.s3_url or "https://s3.amazonaws.com", auth=reached.named_auth["s3"]),
            **ways,
        )

    async def open(self) -> None:
        """Open both transports; nothing is sent."""
        await super().open()
        await self._s3.open()

    def exchange(self, wire: Wire) -> Any:
        """Send a wire; for an asynchronous endpoint, submit it and wait for its output."""
        return super().exchange(wire) if "asynchronous" not in wire.meta else self._submit_and_wait(wire)

    async def aclose(self) -> None:
        """Close both transports; may be called twice."""
        await super().aclose()
        await self._s3.aclose()

    async def refresh_credentials(self, wire: Wire) -> bool:
        """Renew the credentials after they were rejected."""
        await self._s3.refresh_credentials(wire)
        return await super().refresh_credentials(wire)

    def secrets(self) -> list[str]:
        """Return all secrets, which must not be shown."""
        return [*super().secrets(), *self._s3.secrets()]

    @asynccontextmanager
    async def _submit_and_wait(self, wire: Wire) -> AsyncIterator[Exchange]:
        head, body = await _fetch(super().exchange(await self._with_input(wire)))
        if head.status is not None and head.status < 300:
            head, body = await self._poll_output(wire.meta["asynchronous"], head)
        yield Exchange(head, _frames(body))

    async def _with_input(self, wire: Wire) -> Wire:
        """Put a body into S3 if it is too large to send, and return the wire that refers to it."""
        body = wire.body if isinstance(wire.body, bytes) else write_json(wire.body)
        if len(body) <= _MAX_INLINE:
            return wire
        place = wire.meta["asynchronous"].get("input")
        if place is None:
            raise ConfigurationError(
                f"the request has {len(body)} bytes; an asynchronous endpoint accepts {_MAX_INLINE} without S3: "
                'write asynchronous = { input = "s3://bucket/prefix" }'
            )
        location = f"{place.rstrip('/')}/{uuid.uuid4()}"
        content_type = wire.headers.get("X-Amzn-SageMaker-Content-Type", "application/json")
        put = Wire(self._address(location), body, method="PUT", headers={"Content-Type": content_type})
        head, answer = await _fetch(self._s3.exchange(put))
        if head.status != 200:
            mapped = error(Failure(head.status, head.headers, answer)) or ConfigurationError("unknown reason")
            mapped.message = f"the input cannot be put to {location}: {mapped.message}"
            raise mapped
        return attrs.evolve(wire, body=None, headers={**wire.headers, _INPUT: location})

    async def _poll_output(self, how: Mapping[str, Any], submitted: Head) -> tuple[Head, bytes]:
        """Poll for the output and for a failure until there is one; the core's timeouts end it."""
        output = submitted.headers.get("x-amzn-sagemaker-outputlocation")
        if not output:
            raise MalformedResponseError(
                "the endpoint accepted the request but did not return the location of its output"
            )
        failure = submitted.headers.get("x-amzn-sagemaker-failurelocation")
        pause = first = float(how.get("poll", 1.0))
        renewed = False
        while True:
            head, body = await self._get_object(output)
            if head.status != 200 and any(
                code in body for code in _GONE
            ):  # the wait may be longer than the life of the credentials
                if renewed:
                    raise AuthenticationError(
                        "S3 rejects the renewed credentials", status=head.status, body=body
                    )
                renewed = await self._s3.refresh_credentials(Wire(output))
                continue
            if head.status not in _NOT_YET:
                return head, body
            if failure:
                failed, answer = await self._get_object(failure)
                if failed.status == 200:
                    return _as_model_error(answer)
            await asyncio.sleep(pause)
            pause = min(pause * _SLOWER, first * _SLOWEST)

    async def _get_object(self, location: str) -> tuple[Head, bytes]:
        try:
            return await _fetch(self._s3.exchange(Wire(self._address(location), method="GET")))
        except (ConnectionFailedError, StreamInterruptedError):
            # The request is running and will be charged, so only the look at S3 is repeated.
            return Head(_NOT_YET[0]), b""

    def _address(self, location: str) -> str:
        found = _S3.fullmatch(location)
        if found is None:
            raise MalformedResponseError(f"{location!r} is not a location in S3")
        bucket, key = found.groups()
        # Segments of a key may be empty: the location of outputs may be configured with a trailing slash.
        try:
            path = "/".join([part and quote_segment(part) for part in key.split("/")])
        except ConfigurationError as error:
            raise MalformedResponseError(f"{location!r} is not a location in S3: {error.message}") from error
        return f"{s3_address(self._settings, self._region, bucket)}/{path}"


async def _fetch(under_way: AbstractAsyncContextManager[Exchange]) -> tuple[Head, bytes]:
    async with under_way as exchange:
        body = b"".join([bytes(frame.data) async for frames in exchange.frames for frame in frames])
        return exchange.head, body


def _as_model_error(answer: bytes) -> tuple[Head, bytes]:
    """Return the content of the failure location as the error of the synchronous operation."""
    text = answer.decode("utf-8", "replace")
    return Head(424, Headers({"x-amzn-errortype": "ModelError"})), write_json({"Message": text})


async def _frames(body: bytes) -> AsyncIterator[Sequence[Frame]]:
    yield (Frame(body),)
