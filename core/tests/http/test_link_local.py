"""Metadata services are on the machine's own link, which no proxy can reach."""

from __future__ import annotations

import pytest
import yarl

from jackfield._http.failures import proxy_for
from jackfield._http.link_local import is_link_local


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "169.254.170.2", "fe80::1", "fe80::1%eth0", "[fe80::1]", "fd00:ec2::254", "metadata.google.internal."],
)  # fmt: skip
def test_metadata_services_are_link_local(host):
    assert is_link_local(host)


@pytest.mark.parametrize(
    "host",
    ["", "10.0.0.1", "127.0.0.1", "::1", "example.com", "metadata.example.com", "169.254.169.254.nip.io"],
)
def test_other_hosts_are_not(host):
    assert not is_link_local(host)


def test_a_link_local_service_is_reached_without_a_proxy(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for declared in (None, "http://proxy.example:3128"):
        assert proxy_for(yarl.URL("http://169.254.10.20:8080/v1"), declared) is None
        assert proxy_for(yarl.URL("http://service.example/v1"), declared) == "http://proxy.example:3128"
