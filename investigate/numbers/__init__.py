"""What the figures show: small tables, counted in the engine, a few hundred rows at most."""

from investigate.numbers.raw import events_over_time, lag_over_time, silences, unusual_lags

__all__ = ["events_over_time", "lag_over_time", "silences", "unusual_lags"]
