"""Where webhooks may go: a public address, so that nobody can aim our requests inside.

A name is resolved here, checked, and the request goes to the address that was checked: a name
that resolves to another address a moment later gets nowhere.
"""

import ipaddress
import socket
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError

#: Translates to IPv4, private ones too. Source: RFC 6052.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class NotAllowed(Exception):
    """The URL leads to where no webhook may go, or nowhere."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


def check_url(url: str) -> None:
    """Refuse a URL that webhooks are not sent to, whatever its name resolves to.

    Raises:
        ValidationError: with words that say what to write instead.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValidationError("Write a URL such as https://shop.example/hooks.") from None
    plain_is_fine = settings.WEBHOOK_ALLOW_PRIVATE and parts.hostname in _LOOPBACK
    if parts.scheme != "https" and not (parts.scheme == "http" and plain_is_fine):
        raise ValidationError("Use https://; plain http:// is for the loopback in development.")
    if not parts.hostname or port == 0:
        raise ValidationError("Write a URL with a host, such as https://shop.example/hooks.")
    if parts.username or parts.password:
        raise ValidationError("Leave user and password out; the signature proves who we are.")
    if parts.fragment:
        raise ValidationError("Leave the part after # out; it is never sent.")


def address_of(host: str, port: int) -> str:
    """Return the address to connect to, checked.

    Raises:
        NotAllowed: the name does not resolve, or one of its addresses is not public.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotAllowed("name-not-resolved") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not settings.WEBHOOK_ALLOW_PRIVATE and not all(map(is_public, addresses)):
        raise NotAllowed("address-not-public")
    return addresses[0]


def is_public(address: str) -> bool:
    """Tell whether anybody on the internet could reach ``address``, and not only we."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is not None:
            ip = inner
        elif ip in _NAT64 or ip.teredo is not None:
            return False
    return ip.is_global and not ip.is_multicast
