"""Starting programs: fork and exec in a session of their own.

Owns what a child inherits (three files, nothing else) and how a failed exec is told. ``subprocess`` is not used: it
costs 15 ms of imports and knows no controlling terminal.
"""

from __future__ import annotations

import errno
import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SIGNALS = {"INT": signal.SIGINT, "TERM": signal.SIGTERM, "KILL": signal.SIGKILL, "HUP": signal.SIGHUP}

_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)  # by Python, and that would be inherited


def spawn(
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: str,
    files: tuple[int, int, int],
    *,
    terminal: bool = False,
) -> int:
    """Start ``argv`` with ``files`` as its first three; with ``terminal``, file 0 becomes its controlling terminal.

    Returns: its pid, which is also its process group. Raises: OSError (which program or directory, and why).
    """
    program = _find(argv[0], env.get("PATH", os.defpath))
    report_read, report_write = os.pipe()  # both close on exec: a report only comes when that failed
    try:
        pid = os.fork()
    except OSError:
        os.close(report_read)
        os.close(report_write)
        raise
    if pid == 0:
        _become(program, argv, env, cwd, files, terminal, report_write)
    os.close(report_write)
    try:
        report = os.read(report_read, 64)
    finally:
        os.close(report_read)
    if report:
        number = int(report)
        what = cwd if number < 0 else argv[0]
        raise OSError(abs(number), os.strerror(abs(number)), what)
    return pid


def _find(program: str, path: str) -> str:
    """The file of a program: looked for here, because ``os.execvpe`` would import in every child."""
    if "/" in program:
        return program
    for folder in path.split(":"):
        found = os.path.join(folder or ".", program)
        if os.access(found, os.X_OK) and not os.path.isdir(found):
            return found
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)


def _become(
    program: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: str,
    files: tuple[int, int, int],
    terminal: bool,
    report: int,
) -> None:
    """In the child: never returns."""
    sign = 1
    try:
        signal.set_wakeup_fd(-1)  # a signal now must not write into the parent's pipe
        os.setsid()
        if terminal:
            import fcntl
            import termios

            fcntl.ioctl(files[0], termios.TIOCSCTTY, 0)
        high = [os.dup(fd) for fd in files]  # out of the way, whatever numbers they have
        for target, fd in enumerate(high):
            os.dup2(fd, target)
        for number in _IGNORED:
            signal.signal(number, signal.SIG_DFL)
        sign = -1
        os.chdir(cwd)
        sign = 1
        os.execve(program, list(argv), env)
    except OSError as problem:
        os.write(report, b"%d" % (sign * (problem.errno or errno.EIO)))
    except BaseException:  # noqa: BLE001 - whatever it was, the child must not run the parent's code
        os.write(report, b"%d" % errno.EINVAL)
    finally:
        os._exit(127)


def kill_group(group: int, number: int) -> bool:
    """Signal a whole process group; False when nothing of it is left."""
    try:
        os.killpg(group, number)
    except OSError:
        return False
    return True
