"""Random incidents: drawn from a seed, and each part records what it really did wrong."""

from investigate.sandbox.incidents.incident import Incident, draw, stories_of

__all__ = ["Incident", "draw", "stories_of"]
