"""Errors of a surface's own: a request that it does not serve as it is."""

from __future__ import annotations

from jackfield import JackfieldError

__all__ = ["SurfaceError"]


class SurfaceError(JackfieldError):
    """A client's request is not valid, or asks for what the surface does not serve.

    Attributes:
        parameter: The field, in the client's words, such as `messages[2].content[0].type`.
        kind: The surface's word for it: `invalid_value`, `unsupported_parameter`, ...
    """

    def __init__(
        self,
        message: str,
        *,
        parameter: str | None = None,
        kind: str | None = None,
        status: int = 400,
    ) -> None:
        super().__init__(message, status=status)
        self.parameter = parameter
        self.kind = kind

    def __str__(self) -> str:
        return self.message
