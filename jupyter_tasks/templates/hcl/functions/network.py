"""IP networks."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from jupyter_tasks.templates.hcl.functions.registry import FunctionProblem, function
from jupyter_tasks.templates.hcl.types import NUMBER, STRING
from jupyter_tasks.templates.hcl.values import ListValue, Value

__all__: list[str] = []
if TYPE_CHECKING:
    import ipaddress

_Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"


def _network(prefix: str) -> _Network:
    import ipaddress

    try:
        if "/" in prefix:
            return ipaddress.ip_network(prefix, strict=False)
    except ValueError:
        pass
    raise FunctionProblem(f"invalid CIDR expression: {prefix!r}.", 0)


def _whole(value: int | Decimal, argument: int) -> int:
    if not isinstance(value, int):
        raise FunctionProblem("a whole number is required.", argument)
    return value


@function("cidrhost", prefix=STRING, hostnum=NUMBER)
def _cidrhost(prefix: str, host: int | Decimal) -> Value:
    network, number = _network(prefix), _whole(host, 1)
    if not -network.num_addresses <= number < network.num_addresses:
        raise FunctionProblem(f"prefix of {network.prefixlen} does not accommodate a host numbered {number}.", 1)
    return str(network[number])


@function("cidrnetmask", prefix=STRING)
def _cidrnetmask(prefix: str) -> Value:
    network = _network(prefix)
    if network.version != 4:
        raise FunctionProblem("IPv6 addresses cannot have a netmask.", 0)
    return str(network.netmask)


@function("cidrsubnet", prefix=STRING, newbits=NUMBER, netnum=NUMBER)
def _cidrsubnet(prefix: str, bits: int | Decimal, number: int | Decimal) -> Value:
    return _subnet(_network(prefix), _whole(bits, 1), _whole(number, 2))


def _subnet(network: _Network, bits: int, number: int) -> str:
    length = network.prefixlen + bits
    if bits < 0 or length > network.max_prefixlen:
        raise FunctionProblem(f"not enough remaining address space for {bits} more bits.", 1)
    if not 0 <= number < 1 << bits:
        raise FunctionProblem(f"prefix extension of {bits} does not accommodate a subnet numbered {number}.", 2)
    base = int(network.network_address) + (number << (network.max_prefixlen - length))
    return f"{type(network.network_address)(base)}/{length}"


@function("cidrsubnets", _variadic=True, prefix=STRING, newbits=NUMBER)
def _cidrsubnets(prefix: str, *bits: int | Decimal) -> Value:
    network = _network(prefix)
    made: list[str] = []
    at = int(network.network_address)
    for index, extra in enumerate(bits):
        length = network.prefixlen + _whole(extra, index + 1)
        if not network.prefixlen < length <= network.max_prefixlen:
            raise FunctionProblem("must extend prefix by at least one bit that it has.", index + 1)
        size = 1 << (network.max_prefixlen - length)
        at = (at + size - 1) // size * size
        if at + size > int(network.broadcast_address) + 1:
            raise FunctionProblem("not enough remaining address space.", index + 1)
        made.append(f"{type(network.network_address)(at)}/{length}")
        at += size
    return ListValue(made)
