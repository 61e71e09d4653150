"""Where Arrow takes its memory from while a capture runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa


@contextmanager
def system_allocator() -> Iterator[None]:
    """Let Arrow take its memory from the system.

    A capture makes many large arrays that live for a moment. Arrow's own allocator fetches and
    clears new pages for each of them, which took half of the processor's time.
    """
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)
