"""Files that are replaced whole or not at all, whoever writes them at the same time."""

from __future__ import annotations

import os
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
            # A new file may hold evidence: whoever it is for lets others read it.
            draft.touch(mode=0o600)
            draft.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o600)
            with draft.open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())  # or a power cut may leave an empty file under the name
            written[path] = draft
        for path, draft in written.items():
            draft.replace(path)
