"""The filter of system calls, interpreted: every refused call is refused, everything else passes."""

from __future__ import annotations

import errno
import struct

import pytest

from jupyter_tasks.workspaces.sandbox_seccomp import seccomp_program

ALLOW = 0x7FFF0000
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def run(program: bytes, arch: int, number: int, argument: int = 0) -> int:
    """A classic BPF machine for the few instructions that the filter uses; returns the verdict."""
    data = struct.pack("<IIQ6Q", number, arch, 0, argument, 0, 0, 0, 0, 0)
    code = list(struct.iter_unpack("=HBBI", program))
    at = accumulator = 0
    while True:
        operation, true, false, value = code[at]
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif operation == 0x15:
            at += true if accumulator == value else false
        elif operation == 0x35:
            at += true if accumulator >= value else false
        else:
            assert operation == 0x06
            return int(value)


def refused(verdict: int) -> int:
    assert verdict & 0xFFFF0000 == 0x00050000, hex(verdict)
    return verdict & 0xFFFF


@pytest.mark.parametrize(("machine", "keyctl", "socket"), [("x86_64", 250, 41), ("aarch64", 219, 198)])
def test_verdicts(machine: str, keyctl: int, socket: int) -> None:
    program = seccomp_program(machine)
    assert program is not None
    arch = AUDIT[machine]
    assert refused(run(program, arch, keyctl)) == errno.EPERM
    assert refused(run(program, arch, 425)) == errno.ENOSYS
    assert refused(run(program, 0x40000003, 1)) == errno.ENOSYS, "32-bit calls pass"
    for family in (1, 2, 10, 16):
        assert run(program, arch, socket, family) == ALLOW
    for family in (38, 40, 17, 31):  # alg, vsock, packet, bluetooth
        assert refused(run(program, arch, socket, family)) == errno.EAFNOSUPPORT
    passed = sum(run(program, arch, number, 1) == ALLOW for number in range(460))
    assert passed >= 448


def test_x32_numbers_do_not_pass() -> None:
    program = seccomp_program("x86_64")
    assert program is not None
    assert refused(run(program, AUDIT["x86_64"], 0x40000000 | 250)) == errno.ENOSYS


def test_unknown_processor_has_none() -> None:
    assert seccomp_program("vax") is None
