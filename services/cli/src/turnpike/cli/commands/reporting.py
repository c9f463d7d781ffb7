"""How commands fail: with a line, never with a traceback, for whatever can be foreseen."""

import sys
from collections.abc import Callable

from turnpike.cli.errors import CommandError
from turnpike.cli.setup.mistakes import MistakesError
from turnpike.cli.stack.errors import StackError
from turnpike.cli.terminal import Terminal, abandon

_INTERRUPTED = 130


def reported(command: Callable[[], None], *, as_json: bool) -> int:
    """Runs `command`; tells what made it fail, and returns the exit status."""
    terminal = Terminal(as_json=as_json)
    try:
        command()
    except MistakesError as error:
        mistakes = [vars(mistake) for mistake in error.mistakes]
        terminal.error(str(error), reason=error.reason, mistakes=mistakes)
        return error.status
    except CommandError as error:
        terminal.error(str(error), reason=error.reason)
        return error.status
    except StackError as error:
        terminal.error(str(error))
        return 1
    except BrokenPipeError:
        abandon(sys.stdout)
        return 1
    except OSError as error:
        terminal.error(_describe(error))
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


def _describe(error: OSError) -> str:
    if error.filename:
        return f"{error.filename}: {error.strerror}"
    return error.strerror or str(error)
