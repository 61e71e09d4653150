"""One event's whole life: hop by hop, with the first break of its story named."""

from investigate.trace.hops import Hop
from investigate.trace.story import Story, document, story_of

__all__ = ["Hop", "Story", "document", "story_of"]
