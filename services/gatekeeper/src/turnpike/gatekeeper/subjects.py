"""Whom bans name, written in the one way in which they are compared."""

import re

import idna

from turnpike.gatekeeper.model import Subject
from turnpike.rpc.errors import InvalidArgumentError

_LABEL = re.compile(r"^(?!-)[a-z0-9-]{1,63}(?<!-)$")
_LOCAL = re.compile(r"^[^\s@\x00-\x1f\x7f]{1,64}$")
_LONGEST_DOMAIN = 253


def normal_domain(text: str) -> str:
    """Returns a domain as DNS has it: lower case, ASCII, no dot at the end.

    Raises:
        ValueError: It is no domain of at least two labels.
    """
    try:
        domain = idna.encode(text.strip().removesuffix("."), uts46=True).decode().lower()
    except (idna.IDNAError, UnicodeError):
        raise ValueError("is no domain") from None
    labels = domain.split(".")
    if len(domain) > _LONGEST_DOMAIN or len(labels) < 2 or not all(map(_LABEL.match, labels)):
        raise ValueError("is no domain")
    return domain


def normal_email(text: str) -> str:
    """Returns an e-mail address in lower case, its domain as DNS has it.

    Raises:
        ValueError: It is no e-mail address.
    """
    local, _, domain = text.strip().rpartition("@")
    if not _LOCAL.match(local):
        raise ValueError("is no e-mail address")
    try:
        return f"{local.lower()}@{normal_domain(domain)}"
    except ValueError:
        raise ValueError("is no e-mail address") from None


def subject_of(kind: str, value: str) -> Subject:
    """Returns the subject that a caller means.

    Raises:
        InvalidArgumentError: It is no e-mail address, or no domain.
    """
    try:
        if kind == "email":
            value = normal_email(value)
        elif kind == "domain":
            value = normal_domain(value.removeprefix("@"))
    except ValueError as error:
        raise InvalidArgumentError(kind, str(error)) from None
    return Subject(kind=kind, value=value)
