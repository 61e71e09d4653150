"""The command line: parse, call one function, return a code. Every deliberate error ends here."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from investigate.commands.console import Console
from investigate.commands.options import parse
from investigate.errors import InvestigationError

STOPPED = 130  # as a shell reports a process ended by SIGINT
READER_GONE = 141  # and by SIGPIPE


def run() -> None:
    """Answer the command line of this process and leave with its exit code."""
    # Queries are made of hundreds of thousands of objects that live as long as the command;
    # looking through them for garbage would take a tenth of its time.
    gc.set_threshold(100_000, 50, 50)
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; an error of use is one message."""
    console = Console()
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
        console.say(f"investigate: {_of_the_system(error)}")
        return InvestigationError.exit_code
    return code


def _of_the_system(error: OSError) -> InvestigationError:
    """Return the message for a file the system refuses; raise what is not about a file again."""
    if error.filename is None and error.errno not in (errno.ENOSPC, errno.EDQUOT):
        raise error
    where = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
    return InvestigationError(
        f"{where}{error.strerror or error}",
        hint="check the path, its permissions and the space left on its disk",
    )
