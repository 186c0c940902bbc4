"""Who makes the forecast of a call when it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jackfield._types.calls import Call, Forecast

    from .connection import Connection
    from .relay import RelayRequest

__all__ = ["Forecaster", "RelayForecaster"]


class Forecaster:
    """Makes the forecasts of a connection's calls.

    Args:
        connection: The connection.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __call__(self, call: Call) -> Forecast:
        """Return the forecast of a call; nothing of it is computed yet."""
        from .forecasting import CallForecast  # few programs read forecasts

        return CallForecast(self._connection, call)


class RelayForecaster:
    """Makes the forecast of a relayed call, whose request stands in a client's body.

    Args:
        connection: The connection.
        asked: The request.
    """

    __slots__ = ("_asked", "_connection")

    def __init__(self, connection: Connection, asked: RelayRequest) -> None:
        self._connection = connection
        self._asked = asked

    def __call__(self, call: Call) -> Forecast:
        """Return the forecast of the call."""
        from .forecasting import RelayForecast

        return RelayForecast(self._connection, call, self._asked)
