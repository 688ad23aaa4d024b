"""Where a crawl may connect: addresses are resolved once, checked, and connected to as checked.

A page or a redirect may name an inside host, and a name may resolve to an outside address when checked and to an
inside one when used. So the connection goes to the very address that passed.
"""

import ipaddress
import socket
from urllib.parse import SplitResult

PORTS = (80, 443, 8080, 8443)
_EMBEDDING = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")))
"""IPv6 ranges that carry an IPv4 address inside (NAT64, 6to4, Teredo, IPv4-compatible): refused, they may hide one."""


class RefusedError(Exception):
    """The crawl must not connect there."""


def check_address(address: str) -> None:
    """Raise `RefusedError` unless an IP address is of the public internet.

    >>> check_address("93.184.216.34")
    >>> check_address("::ffff:127.0.0.1")
    Traceback (most recent call last):
    pipeline.ingest.crawl.netguard.RefusedError: 127.0.0.1 is not a public address
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    found = mapped if mapped is not None else found
    embeds = found.version == 6 and any(found in network for network in _EMBEDDING)
    if not found.is_global or found.is_multicast or found.is_reserved or embeds:
        raise RefusedError(f"{found} is not a public address")


def resolve(url: SplitResult, allow_hosts: list[str]) -> tuple[str, int]:
    """`(IP address, port)` to connect to for a URL. Raises `RefusedError`, or `OSError` when a name has no address."""
    if url.scheme not in ("http", "https") or not url.hostname:
        raise RefusedError(f"{url.geturl()} is not an http or https address")
    if url.username is not None or url.password is not None:
        raise RefusedError("an address with a user name is not fetched")
    try:
        port = url.port or (443 if url.scheme == "https" else 80)
    except ValueError as error:
        raise RefusedError(str(error)) from error
    allowed = f"{url.hostname}:{port}" in allow_hosts
    if port not in PORTS and not allowed:
        raise RefusedError(f"port {port} is not a port of web pages")
    try:
        found = socket.getaddrinfo(url.hostname, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise RefusedError(f"{url.hostname!r} is not a host name") from error
    addresses = [str(item[4][0]) for item in found]
    if not allowed:
        for address in addresses:  # one inside address among several is enough to refuse
            check_address(address)
    return addresses[0], port
