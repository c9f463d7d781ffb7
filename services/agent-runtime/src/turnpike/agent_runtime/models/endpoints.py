"""Where models are, and what opens them: what either can be."""

from urllib.parse import urlsplit

_REFERENCES = ("env:", "file:", "os.environ/", "oidc/")


def is_endpoint(url: str) -> bool:
    """Says whether a text can be where a model is."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and port != 0
        and not (parts.username or parts.password or parts.fragment)
        and url.isprintable()
        and " " not in url
    )


def is_credential(key: str) -> bool:
    """Says whether a text can be a credential."""
    # It becomes a header. References are resolved by the command line, where
    # the operator is; a service, or a library in it, would read its own
    # environment and files for whoever asks.
    return key.isascii() and key.isprintable() and not key.startswith(_REFERENCES)
