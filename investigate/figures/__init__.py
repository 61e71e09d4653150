"""Small tables in, plotly figures out: each function returns one figure and shows nothing."""

from investigate.figures.raw import events_over_time, lag_over_time
from investigate.figures.style import Drawing, template

__all__ = ["Drawing", "events_over_time", "lag_over_time", "template"]
