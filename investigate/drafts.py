"""Files that are replaced whole or not at all, whoever writes them at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4


def replace_all(texts: Mapping[Path, str]) -> None:
    """Put each text in the place of a file; if one cannot be written, no file has changed.

    Raises `OSError`. Whatever happens, no draft stays.
    """
    with ExitStack() as drafts:
        written = {}
        for path, text in texts.items():
            # A name of its own: two that write one file must not write into each other's draft.
            draft = path.with_name(f".{uuid4().hex}.partial")
            drafts.callback(draft.unlink, missing_ok=True)
            draft.write_text(text, encoding="utf-8", newline="\n")
            written[path] = draft
        for path, draft in written.items():
            draft.replace(path)
