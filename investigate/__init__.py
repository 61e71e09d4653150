"""Find out what went wrong in an event pipeline on AWS, and prove it."""

from investigate.investigation import Investigation, open_investigation

__all__ = ["Investigation", "open_investigation"]
