"""What each sealed text is bound to: it opens in no other row, whoever moves it."""

from uuid import UUID


def of_connector(tenant: UUID, connector: str) -> str:
    """Returns what a connector's headers and variables are bound to."""
    return f"{tenant}/{connector}"


def of_credential(tenant: UUID, connector: str, principal: str) -> str:
    """Returns what the headers that somebody lends are bound to."""
    return f"{tenant}/{connector}/{principal}"


def of_grant(tenant: UUID, connector: str, principal: str) -> str:
    """Returns what the means to renew a credential are bound to: they are no headers."""
    return f"{tenant}/{connector}/{principal}/grant"


def of_revocation(tenant: UUID, connector: str, principal: str) -> str:
    """Returns what the way to take a credential back is bound to."""
    return f"{tenant}/{connector}/{principal}/revocation"


def of_sign_in(tenant: UUID, connector: str, identity: UUID) -> str:
    """Returns what a sign-in under way is bound to."""
    return f"{tenant}/{connector}/sign-in/{identity}"


def of_client(tenant: UUID, connector: str, issuer: str) -> str:
    """Returns what a client that an issuer registered is bound to."""
    return f"{tenant}/{connector}/client/{issuer}"


def of_variable(tenant: UUID, principal: str, name: str) -> str:
    """Returns what a variable's value is bound to."""
    return f"{tenant}/variables/{principal}/{name}"
