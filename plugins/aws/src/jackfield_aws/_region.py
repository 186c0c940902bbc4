"""Read the region and the identity of the machine without the SDK: the environment, then the profile's file."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from configparser import Error, RawConfigParser
from pathlib import Path
from typing import Final

__all__ = ["endpoint_switch", "machine_identity", "region_of"]

_IDENTITY_VARIABLES: Final = (
    "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)  # fmt: skip
_SECRET_KEYS: Final = ("aws_secret_access_key", "aws_session_token")


def region_of(profile: str | None) -> str | None:
    """Return the region of the environment or of a profile, in the order of AWS's SDKs; None if there is none.

    Source: AWS SDKs and tools reference guide, "AWS Region" and "Location of the shared files" (2026-11-22).
    """
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if os.environ.get(name):
            return os.environ[name]
    for section in _sections(profile):
        region = section.get("region", "").strip()
        if region:
            return region
    return None


def endpoint_switch(name: str, profile: str | None) -> bool:
    """Return whether the environment or a profile asks for a kind of endpoint; anything but "true" is no, as in botocore.

    Source: AWS SDKs and tools reference guide, "Dual-stack and FIPS endpoints" (2026-11-22).

    Args:
        name: The key in the profile (`use_fips_endpoint`), which is also the variable's name behind `AWS_`.
        profile: The profile; None for that of the environment.
    """
    value = os.environ.get(f"AWS_{name.upper()}")
    if value is None:
        value = next((section[name] for section in _sections(profile) if name in section), "")
    return value.strip().lower() == "true"


def machine_identity(profile: str | None) -> object:
    """Return what decides the identity that AWS's default chain finds, by environment and shared files; no secrets.

    Source: AWS SDKs and tools reference guide, "Environment variables" and "Location of the shared files" (2026-11-22).
    """
    named = {variable: os.environ[variable] for variable in _IDENTITY_VARIABLES if os.environ.get(variable)}
    sections = [
        {key: value for key, value in section.items() if key not in _SECRET_KEYS}
        for section in _sections(profile)
    ]
    return named, sections


def _sections(profile: str | None) -> list[Mapping[str, str]]:
    """Return the sections of a profile in the shared files, the more important first."""
    name = profile or os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or "default"
    # The file of credentials takes precedence over the file of settings, as in botocore.
    return [
        *_read("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", [name]),
        *_read("AWS_CONFIG_FILE", "~/.aws/config", ["profile", name], [name]),
    ]


def _read(variable: str, default: str, *titles: list[str]) -> list[Mapping[str, str]]:
    parser = RawConfigParser(default_section="", strict=False)
    path = Path(os.environ.get(variable) or default).expanduser()
    try:
        parser.read(path, encoding="utf-8-sig")
        sections = [(shlex.split(section), section) for section in parser.sections()]
    except (Error, ValueError, OSError):
        return []  # the SDK reports what is wrong with the file, if it is used
    return [dict(parser[section]) for title in titles for words, section in sections if words == title]
