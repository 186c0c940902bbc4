"""The region that a machine is set to, without the SDK: the environment, then the profile's file."""

from __future__ import annotations

import os
import shlex
from configparser import Error, RawConfigParser
from pathlib import Path

__all__ = ["region_of"]


def region_of(profile: str | None) -> str | None:
    """Give the region of the environment or of a profile, in the order of AWS's SDKs; None if there is none.

    Source: AWS SDKs and tools reference guide, "AWS Region" and "Location of the shared files" (2026-11-22).
    """
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if os.environ.get(name):
            return os.environ[name]
    name = profile or os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or "default"
    # What the file of credentials says of a profile wins over the file of settings, as in botocore.
    return _read("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", [name]) or _read(
        "AWS_CONFIG_FILE", "~/.aws/config", ["profile", name], [name]
    )


def _read(variable: str, default: str, *titles: list[str]) -> str | None:
    parser = RawConfigParser(default_section="", strict=False)
    path = Path(os.environ.get(variable) or default).expanduser()
    try:
        parser.read(path, encoding="utf-8")
        sections = [(shlex.split(section), section) for section in parser.sections()]
    except (Error, ValueError, OSError):
        return None  # whoever needs the file will say what is wrong with it
    found = (
        parser.get(section, "region", fallback=None)
        for title in titles
        for words, section in sections
        if words == title
    )
    return next((region.strip() for region in found if region), None)
