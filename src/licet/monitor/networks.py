"""Whether an address lies in declared networks."""

from __future__ import annotations

import ipaddress
from functools import lru_cache


@lru_cache(65_536)
def within(ip: str, networks: tuple[str, ...]) -> bool:
    """Whether an address is in one of these (CIDR). What is no address is in none; a network that is none holds none."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    return any(address in network for network in _networks(networks) if network.version == address.version)


@lru_cache(4_096)
def _networks(networks: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    found = []
    for each in networks:
        try:
            found.append(ipaddress.ip_network(each, strict=False))
        except ValueError:
            continue
    return tuple(found)
