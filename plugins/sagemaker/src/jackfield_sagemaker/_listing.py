"""The live list of endpoints. Source: SageMaker service model, `ListEndpoints` (botocore 1.44.5, 2026-11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jackfield import ModelCard
from jackfield.plugin import Head, Listing, Wire, read_json, write_json

from ._settings import SageMakerSettings, control_address

__all__ = ["listing"]


def listing(settings: SageMakerSettings) -> Listing:
    """Return how to list the endpoints that are in service; the list does not contain their models."""
    address = control_address(settings) + "/"

    def page(token: str | None) -> Wire:
        body: dict[str, Any] = {"StatusEquals": "InService", "MaxResults": 100}
        if token is not None:
            body["NextToken"] = token
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "SageMaker.ListEndpoints"}
        return Wire(address, write_json(body), headers=headers)

    def parse(_: Head, body: bytes) -> tuple[Sequence[ModelCard], Wire | None]:
        value = read_json(body)
        cards = [ModelCard(id=row["EndpointName"], data=row) for row in value["Endpoints"]]
        token = value.get("NextToken")
        return cards, None if token is None else page(token)

    return Listing(page(None), parse)
