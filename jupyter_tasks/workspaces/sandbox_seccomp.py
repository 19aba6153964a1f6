"""A small filter of system calls for what namespaces do not separate.

Owns one classic BPF program for ``bwrap --seccomp``: kernel keyrings (the caller's session keyring is inherited),
vsock and other sockets that reach the host from any network namespace, the kernel log, and calls that only attackers
and profilers use. Not a list of what is allowed: agents run compilers, browsers and debuggers.
"""

from __future__ import annotations

import errno
import platform
import struct

__all__ = ["seccomp_program"]

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NR, _ARCH, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data

_FAMILIES = (1, 2, 10, 16)  # unix, inet, inet6, netlink: those that a network namespace separates
_X32 = 0x40000000

_REFUSED = {
    "x86_64": {
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        "bpf": 321,
        "perf_event_open": 298,
        "userfaultfd": 323,
        "open_by_handle_at": 304,
        "kexec_load": 246,
        "kexec_file_load": 320,
        "syslog": 103,
    },
    "aarch64": {
        "add_key": 217,
        "request_key": 218,
        "keyctl": 219,
        "bpf": 280,
        "perf_event_open": 241,
        "userfaultfd": 282,
        "open_by_handle_at": 265,
        "kexec_load": 104,
        "kexec_file_load": 294,
        "syslog": 116,
    },
}
_IO_URING_SETUP = 425  # everywhere; it would make sockets past this filter, and programs fall back without it
_SOCKET = {"x86_64": 41, "aarch64": 198}
_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def seccomp_program(machine: str | None = None) -> bytes | None:
    """The filter for this machine's processor as ``struct sock_filter`` values; None for one that we do not know."""
    machine = machine or platform.machine()
    if machine not in _AUDIT:
        return None
    code: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, _AUDIT[machine]),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),  # 32-bit calls have other numbers
        (_LOAD, 0, 0, _NR),
    ]
    if machine == "x86_64":
        code += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    for number in sorted(_REFUSED[machine].values()):
        code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]
    code += [(_EQUAL, 0, 1, _IO_URING_SETUP), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    code += [(_EQUAL, 1, 0, _SOCKET[machine]), (_RETURN, 0, 0, _ALLOW), (_LOAD, 0, 0, _FIRST_ARGUMENT)]
    for family in _FAMILIES:
        code += [(_EQUAL, 0, 1, family), (_RETURN, 0, 0, _ALLOW)]
    code.append((_RETURN, 0, 0, _ERRNO | errno.EAFNOSUPPORT))
    return b"".join(struct.pack("=HBBI", *step) for step in code)
