"""The prices that we have negotiated, for Jackfield."""

from jackfield.plugin import CostContext, ModelRef, RateCard, hookimpl


@hookimpl
def jackfield_price(model: ModelRef, context: CostContext) -> RateCard | None:
    """Return the rates of our contract on the day of the call; None for models outside the contract."""
    from ._contract import rates  # the list is read with the first call, not at import

    return rates(context.provider, model.known_as, context.when)
