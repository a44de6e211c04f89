"""Where calls may go: rules on URLs and addresses. Nothing is looked up here.

The ranges are those of IANA's special-purpose address registries (RFC 6890), with the metadata services of the clouds.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import idna

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_URL = 2_000
LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
NOT_IN_URLS = re.compile(r"[^!-~]|[\\\"<>^`{|}]")

IPV4_NOT_PUBLIC = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by carriers; Alibaba's metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's metadata
        "169.254.0.0/16",  # link-local; the metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",
    )
)
# In IPv6 only this is unicast on the internet, less what follows.
IPV6_PUBLIC = ipaddress.IPv6Network("2000::/3")
IPV6_NOT_PUBLIC = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocols, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
    )
)
# A translator on the way turns these into the IPv4 address of the last 32 bits (RFC 6052).
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

HTTP, HTTPS = 80, 443
OWN_PORTS = 1024
"""Below are the ports of named services, of which only HTTPS is called."""
OF_OTHERS = frozenset(
    {
        # "Bad ports" of the Fetch standard: telephones, file servers, chats, mail filters.
        *(1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6679, 6697, 10080, *range(6665, 6670)),
        # Databases, caches and queues.
        *(1433, 1521, 1883, 2181, 3306, 5432, 5671, 5672, 6379, 6380, 8883, 9042, 9092, 9093, 11211, 26379, 33060),
        *range(27017, 27020),
        # Desktops.
        *(3389, *range(5900, 5904)),
    }
)


class TargetRefused(ValueError):
    """The target may not be called; the message says why and what to change."""


def is_public(address: Address) -> bool:
    """Whether `address` is one of the open internet. IPv4 inside IPv6 (mapped, 6to4, Teredo) is not; through NAT64
    it is what the IPv4 address is."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in IPV4_NOT_PUBLIC)
    if address in NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return address in IPV6_PUBLIC and not any(address in network for network in IPV6_NOT_PUBLIC)


@dataclass(frozen=True)
class Policy:
    """Which targets may be called: https to public addresses at the usual ports, or at `ports` where some are named;
    http too, and any address and port, in the `allowed` networks."""

    allowed: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset()

    def check_address(self, address: Address, scheme: str, port: int) -> None:
        """Raises TargetRefused."""
        if any(address in network for network in self.allowed):
            return
        if scheme != "https":
            raise TargetRefused("plain http is allowed only to the networks of TRANCHE_OUTBOUND_ALLOW; use https")
        if not is_public(address):
            raise TargetRefused(
                "its address is not a public one; name its network in TRANCHE_OUTBOUND_ALLOW to allow it"
            )
        self.check_port(port)

    def check_port(self, port: int) -> None:
        """Of a public address. Raises TargetRefused."""
        usual = port == HTTPS or (port >= OWN_PORTS and port not in OF_OTHERS)
        if not (port in self.ports if self.ports else usual):
            raise TargetRefused(
                f"port {port} of public hosts is not called; use {HTTPS}, or name the port in TRANCHE_OUTBOUND_PORTS"
            )

    def read_url(self, url: str) -> str:
        """`url` with its host in ASCII, as far as it can be judged without looking up its name.

        Raises TargetRefused.
        """
        parts = split(url)
        if parts.scheme not in ("https", *(["http"] if self.allowed else [])):
            raise TargetRefused("must start with https://")
        if "@" in parts.netloc:
            raise TargetRefused("must not hold a user name or password")
        if parts.fragment:
            raise TargetRefused("must not have a fragment (#…): it is not sent")
        host, port = read_host(parts), read_port(parts)
        literal = as_address(host)
        called = port or (HTTPS if parts.scheme == "https" else HTTP)
        if literal is not None:
            self.check_address(literal, parts.scheme, called)
        elif not self.allowed:
            self.check_port(called)
        shown = f"[{host}]" if ":" in host else host
        read = parts._replace(netloc=shown if port is None else f"{shown}:{port}").geturl()
        if NOT_IN_URLS.search(read):
            raise TargetRefused("has characters that a URL does not have; percent-encode them")
        return read


def split(url: str) -> SplitResult:
    """The URL's parts. Raises TargetRefused where it is too long or no URL."""
    if len(url) > MAX_URL:
        raise TargetRefused(f"is longer than {MAX_URL} characters")
    if re.search(r"[\x00-\x20\x7f\\]", url):
        raise TargetRefused("has spaces, control characters or backslashes; percent-encode them")
    try:
        return urlsplit(url)
    except ValueError:
        raise TargetRefused("is not a URL such as https://example.com/hook") from None


def read_port(parts: SplitResult) -> int | None:
    """The port, None where none is named. Raises TargetRefused for one that is none."""
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise TargetRefused("must have a port from 1 to 65535, or none")
    return port


def read_host(parts: SplitResult) -> str:
    """The host: an address in its usual form, or a name in ASCII and lower case. Raises TargetRefused."""
    given = parts.hostname or ""
    if parts.netloc.startswith("["):
        address = as_address(given)
        if address is None or "%" in given:
            raise TargetRefused("has an IPv6 address that cannot be read; write it like https://[2606:4700::1111]/")
        return str(address)
    name = as_ascii(given)
    labels = name.removesuffix(".").split(".")
    if not all(LABEL.fullmatch(label) for label in labels) or len(name) > 253:
        raise TargetRefused("has no readable host name")
    # Resolvers read 2130706433, 0x7f.1 and 0177.0.0.1 as addresses too.
    if NUMBER.fullmatch(labels[-1]) and as_address(name) is None:
        raise TargetRefused("has a host of numbers; write an IPv4 address as four decimal numbers")
    return name


def as_ascii(name: str) -> str:
    """An international name as it is looked up (UTS 46). Raises TargetRefused."""
    if name.isascii():
        return name.lower()
    try:
        return idna.encode(name, uts46=True).decode()
    except idna.IDNAError:
        raise TargetRefused("has a host name that international names do not allow") from None


def as_address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
