"""Broken providers, one fault each, by the check that has to catch it: what hooks read, wait for and print."""

from __future__ import annotations

import os
import sys
from os import environ
from time import sleep

import attrs
from conformance_acme import Acme, Decoder, collect_into

from jackfield import Secret
from jackfield.plugin import HttpAccess, StaticHeader, hookimpl

FAULTS = []
caught_by = collect_into(FAULTS)


@attrs.frozen
class PlainKey:
    base_url: str = "https://api.acme.example/v1"
    api_key: str | None = None


@caught_by("loading.secret_settings")
class KeyIsText(Acme):
    @hookimpl
    def jackfield_provider(self):
        return attrs.evolve(super().jackfield_provider(), settings=PlainKey)

    @hookimpl
    def jackfield_transport(self, settings):
        return HttpAccess(base_url=settings.base_url, headers={"Authorization": f"Bearer {settings.api_key}"})


@caught_by("purity.environment")
class ReadsTheKey(Acme):
    @hookimpl
    def jackfield_transport(self, settings):
        key = Secret(os.environ.get("ACME_API_KEY", "-"))
        return HttpAccess(base_url=settings.base_url, auth=StaticHeader("Authorization", key, "Bearer "))


@caught_by("purity.environment")
class ReadsTheKeyByAnotherName(Acme):
    def extra(self, writer, options):
        "ACME_TOKEN" in environ  # noqa: B015 -- to look is to read
        super().extra(writer, options)


@caught_by("purity.no_waiting")
class Sleeps(Acme):
    def extra(self, writer, options):
        sleep(0.001)
        super().extra(writer, options)


@caught_by("purity.no_waiting")
class PrintsWhatItReads(Acme):
    class decoder(Decoder):
        def parse(self, data):
            print(data, file=sys.stderr)
            return super().parse(data)
