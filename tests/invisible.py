"""What nobody sees of a text that a person is shown."""

from __future__ import annotations

from investigate.invisible_characters import is_invisible


def invisible_in(text: str) -> list[str]:
    """Return the characters of a text that cannot be seen, in their order."""
    return [letter for letter in text if is_invisible(letter)]
