"""Certificates, where the network between services is not trusted."""

from dataclasses import dataclass
from pathlib import Path

import grpc


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM form."""

    certificate: Path | None = None
    """A server's certificate, with the chain up to the authority."""

    key: Path | None = None
    """The certificate's private key."""

    authority: Path | None = None
    """The certificates that clients trust."""

    def server_credentials(self) -> grpc.ServerCredentials | None:
        """Returns what a server proves itself by; None without a certificate."""
        if self.certificate is None or self.key is None:
            return None
        return grpc.ssl_server_credentials([(self.key.read_bytes(), self.certificate.read_bytes())])

    def channel_credentials(self) -> grpc.ChannelCredentials | None:
        """Returns what a client checks servers by; None without an authority."""
        if self.authority is None:
            return None
        return grpc.ssl_channel_credentials(self.authority.read_bytes())
