"""What a person can do something about."""


class CommandError(Exception):
    """Ends a command with a message and a status other than 0."""

    def __init__(self, message: str, *, reason: str = "", status: int = 1) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status
