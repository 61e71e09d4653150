"""The command line: parse, call one function, return a code. Every deliberate error ends here."""

from __future__ import annotations

import errno
import gc
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module

from investigate.commands.console import Console
from investigate.commands.options import parse
from investigate.errors import InvestigationError

OTHERS = 0o077  # what no file of a command lets its group and others do
STOPPED = 130  # as a shell reports a process ended by SIGINT
READER_GONE = 141  # and by SIGPIPE
_OF_DISKS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def run() -> None:
    """Answer the command line of this process and leave with its exit code."""
    # Queries are made of hundreds of thousands of objects that live as long as the command;
    # looking through them for garbage would take a tenth of its time.
    gc.set_threshold(100_000, 50, 50)
    # Cases, reports and plans hold evidence: whoever may see them is let in by their owner.
    os.umask(os.umask(OTHERS) | OTHERS)
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; an error of use is one message."""
    console = Console()
    options = Namespace()
    try:
        options = parse(arguments)
        # A command is loaded when it is called: `check` never waits for boto3, plotly or papermill.
        command = import_module(f"investigate.commands.{options.module}")
        code = int(command.run(options, console))
    except InvestigationError as error:
        console.say(f"investigate: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        console.say("investigate: stopped")
        return STOPPED
    except BrokenPipeError:
        # Nobody reads on (`investigate check … | head`); the flush at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except OSError as error:
        console.say(f"investigate: {_of_the_system(error, options)}")
        return InvestigationError.exit_code
    return code


def _of_the_system(error: OSError, options: Namespace) -> InvestigationError:
    """Return the message for a file or a disk the system refuses; raise what is about neither
    again. A disk that is full does not say which one it is: those the command writes to are told.
    """
    if error.filename is not None:
        return InvestigationError(
            f"{os.fsdecode(error.filename)}: {error.strerror or error}",
            hint="check the path, its permissions and the space left on its disk; then run the "
            "same again",
        )
    if error.errno not in _OF_DISKS:
        raise error
    from tempfile import gettempdir

    asked = (getattr(options, name, None) for name in ("out", "case", "spill"))
    places = dict.fromkeys([*(str(place) for place in asked if place), gettempdir()])
    return InvestigationError(
        f"{error.strerror or error}, on the disk of one of: {', '.join(places)}",
        hint="free some space there, or name other places (--out, --spill, TMPDIR); "
        "then run the same again",
    )
