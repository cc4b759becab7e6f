"""TLS for test servers, with a certificate for 127.0.0.1 that only these tests trust."""

from __future__ import annotations

import ssl
import tempfile

__all__ = ["certificate", "client_context", "server_context"]

_CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBkDCCATagAwIBAgIUCx4rzUeKAn9izGrbUCZ0JeRiguMwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyNTIyNDUxOVoYDzIxMjYxMTAx
MjI0NTE5WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASktIpFD4qNL886fHMZ+OplWBPXwqKJaC+sl8t8PVLwMH9tGjYblHSK
eimruk/bA1jUT8hO38ZdNpJRiQWh6AzYo2QwYjAdBgNVHQ4EFgQUjPXyDRjk8v6E
1O+GEvvC9Ea2LTMwHwYDVR0jBBgwFoAUjPXyDRjk8v6E1O+GEvvC9Ea2LTMwDwYD
VR0RBAgwBocEfwAAATAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUC
IFPVkA7u4BoC4QlnzONISM9V8NsNmiWjMcYxmS3y63r5AiEA7L1CSH7bjMttMlQb
Ffrt/68E9kqtEmHQRVkdhkTcze4=
-----END CERTIFICATE-----
"""
_KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjEkPZLYLGSoy+Qn3
ngCkyZSn/z4/DzpMpnrj2PZwFVWhRANCAASktIpFD4qNL886fHMZ+OplWBPXwqKJ
aC+sl8t8PVLwMH9tGjYblHSKeimruk/bA1jUT8hO38ZdNpJRiQWh6AzY
-----END PRIVATE KEY-----
"""


def certificate() -> str:
    """Return the certificate, in PEM."""
    return _CERTIFICATE


def server_context() -> ssl.SSLContext:
    """Return what a server presents the certificate with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # the ssl module reads keys from files only
        file.write(_CERTIFICATE + _KEY)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def client_context() -> ssl.SSLContext:
    """Return what trusts this certificate and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=_CERTIFICATE)
    return context
