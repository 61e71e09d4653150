"""One reader per source of evidence; together they write a case."""

from investigate.capture.run import CAPTURES, capture
from investigate.capture.source import CaptureOptions

__all__ = ["CAPTURES", "CaptureOptions", "capture"]
