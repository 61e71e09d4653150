"""Characters that nobody sees: they hide, reorder or imitate what is really there."""

from __future__ import annotations

import unicodedata

# Controls, formats (directions, joiners, tags, soft hyphens), halves of characters, line breaks of
# Unicode's own. Asked of Python's tables, so that none is forgotten.
_KINDS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Letters and signs that are drawn as nothing: fillers of Hangul, and Braille without a dot.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_LAYOUT = frozenset("\t\n")


def is_invisible(letter: str) -> bool:
    """Return whether a character cannot be seen; tab and line feed are seen by what they do."""
    if letter in _LAYOUT:
        return False
    return letter in _FILLERS or unicodedata.category(letter) in _KINDS


class _Numbered(dict[int, str]):
    """What is shown of each character, looked up once; for `str.translate`."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        self[code] = _numbers(letter) if is_invisible(letter) else letter
        return self[code]


def _numbers(letter: str) -> str:
    # As JSON writes them, in halves of four digits, so that a JSON text stays the same JSON.
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


_NUMBERED = _Numbered()


def escape_invisible(text: str) -> str:
    """Return a text with the number of each character that cannot be seen in its place."""
    return text if text.isascii() and text.isprintable() else text.translate(_NUMBERED)
