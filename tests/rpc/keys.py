"""Signing keys of made-up services, fixed so that failures can be looked at."""

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from turnpike.rpc.identity import Signer
from turnpike.rpc.verifier import Verifier

SERVICES = ("gatekeeper", "agent-runtime", "tool-registry")
TENANT = "3f0c8f6e-6a53-4d8e-9f57-0f5f5b0f6a01"
PRINCIPAL = "5a1d0a52-91a2-4b34-9d8e-2d0a7a0c7b02"


def seed(service: str) -> bytes:
    return sha256(service.encode()).digest()


def public_key(service: str) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed(service)).public_key().public_bytes_raw()


def signer(service: str) -> Signer:
    return Signer(service, seed(service))


def verifier() -> Verifier:
    return Verifier({service: public_key(service) for service in SERVICES})
