"""The keys of `[credentials.NAME]` of kind `google`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import attrs

from jackfield import ConfigurationError, Secret
from jackfield.plugin import secret

__all__ = ["GoogleCredentials"]

_EMAIL: Final = re.compile(r"[^@\s/]+@[^@\s/]+")
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"


@attrs.frozen(kw_only=True)
class GoogleCredentials:
    """Keys of a table `[credentials.NAME]` of the kind `google`.

    One of: `key`, `refresh_token` with its client, `token`, or nothing, which means application default credentials
    (`GOOGLE_APPLICATION_CREDENTIALS`, gcloud's own file, the metadata server).

    Attributes:
        key: A reference to the JSON of a credential (`file:/run/secrets/key.json`): a service account's key, OAuth
            user credentials, an external account (workload identity federation) or an impersonated service account.
        client_id: The OAuth client of `refresh_token`.
        client_secret: A reference to its secret.
        refresh_token: A reference to a user's refresh token.
        token: A reference to an access token that somebody else renews.
        impersonate: The service account, by its e-mail, that is acted as.
        token_url: Where tokens are fetched, for a key that does not say and for `refresh_token`.
        iam_url: Where impersonation is asked for: scheme and host.
        scopes: What tokens are for.
    """

    key: Secret | None = secret()
    client_id: str | None = None
    client_secret: Secret | None = secret()
    refresh_token: Secret | None = secret()
    token: Secret | None = secret()
    impersonate: str | None = None
    token_url: str = "https://oauth2.googleapis.com/token"  # noqa: S105 -- an address
    iam_url: str = "https://iamcredentials.googleapis.com"
    scopes: tuple[str, ...] = (CLOUD_PLATFORM,)

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot work, all of it at once, when the config is loaded."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        if sum(way is not None for way in (self.key, self.refresh_token, self.token)) > 1:
            yield "has several identities in it; write key, or refresh_token, or token"
        if self.refresh_token is not None and (self.client_id is None or self.client_secret is None):
            yield "needs client_id and client_secret with refresh_token"
        if self.token is not None and self.impersonate is not None:
            yield "cannot impersonate with a ready token; write key or refresh_token"
        if self.impersonate is not None and not _EMAIL.fullmatch(self.impersonate):
            yield f"impersonate must be the e-mail of a service account, not {self.impersonate!r}"
        if not self.scopes:
            yield "scopes is empty; write what tokens are for, or leave it out"
