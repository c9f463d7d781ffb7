"""structlog without rich.

structlog.dev imports rich wherever it is installed, as it is beside the command line:
5 MB in each service, to colour tracebacks. Our logs are JSON.
"""

import sys

_hidden = "rich" not in sys.modules
if _hidden:
    # Whoever imports it now is told that there is none.
    sys.modules["rich"] = None  # pyright: ignore[reportArgumentType]
import structlog  # noqa: E402
from structlog.typing import EventDict, Processor, WrappedLogger  # noqa: E402

if _hidden:
    del sys.modules["rich"]

__all__ = ["EventDict", "Processor", "WrappedLogger", "structlog"]
