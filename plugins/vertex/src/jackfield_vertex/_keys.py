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

    One of `key`, `refresh_token` with its client, or `token`. Without any of them, application default credentials are used
    (`GOOGLE_APPLICATION_CREDENTIALS`, gcloud's own file, the metadata server).

    Attributes:
        key: A reference to the JSON of a credential (`file:/run/secrets/key.json`): a service account's key, OAuth
            user credentials, an external account (workload identity federation) or an impersonated service account.
        client_id: The OAuth client of `refresh_token`.
        client_secret: A reference to its secret.
        refresh_token: A reference to a user's refresh token.
        token: A reference to an access token that is renewed elsewhere.
        impersonate: The e-mail address of the service account to impersonate.
        token_url: The token endpoint, for `refresh_token` and for keys that name none.
        iam_url: The endpoint of impersonation: scheme and host.
        scopes: The OAuth scopes of the tokens.
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
        """Report all mistakes at once, when the configuration is loaded."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        if sum(key is not None for key in (self.key, self.refresh_token, self.token)) > 1:
            yield "has several identities; write key, or refresh_token, or token"
        if self.refresh_token is not None and (self.client_id is None or self.client_secret is None):
            yield "needs client_id and client_secret with refresh_token"
        if self.token is not None and self.impersonate is not None:
            yield "cannot impersonate with a ready token; write key or refresh_token"
        if self.impersonate is not None and not _EMAIL.fullmatch(self.impersonate):
            yield f"impersonate must be the e-mail of a service account, not {self.impersonate!r}"
        if not self.scopes:
            yield "scopes is empty; write the OAuth scopes, or leave it out"
