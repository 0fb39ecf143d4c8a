"""Takes from this process what a model has no use for. What holds is told to the server."""

import contextlib
import ctypes
import os
import resource
import sys
from pathlib import Path

from unhidra_worker import landlock, seccomp

LEVELS = (
    "core",  # leaves no file when it crashes
    "files",  # has few of them open
    "file_size",  # writes none
    "memory",  # takes no more than the model may
    "no_network",
    "no_new_privileges",
    "landlock",  # reads only the model, Python and the system; signals nobody else
    "seccomp",  # starts no process, opens no socket
)
OPEN_FILES = 64

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_NO_NEW_PRIVS = 38


def enter(model: Path, memory_mb: int) -> list[str]:
    """Restrict this process, before it has threads, and return the LEVELS that hold from now on.

    It may take memory_mb beside what it has, and read what is in the folder of the model.
    """
    held = [
        name
        for name, kind, most in [
            ("core", resource.RLIMIT_CORE, 0),
            ("files", resource.RLIMIT_NOFILE, OPEN_FILES),
            ("file_size", resource.RLIMIT_FSIZE, 0),
        ]
        if _limit(kind, most)
    ]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
            held.append("no_network")
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
            held.append("no_new_privileges")
        if landlock.enter(libc, _readable(model)):
            held.append("landlock")
        if seccomp.enter(libc):
            held.append("seccomp")
            if "no_network" not in held:
                held.append("no_network")
    if _limit_memory(memory_mb):
        held.append("memory")
    return held


def _limit(kind: int, most: int) -> bool:
    try:
        resource.setrlimit(kind, (most, most))
    except (OSError, ValueError):
        return False
    return True


def _limit_memory(megabytes: int) -> bool:
    """Let this process take so much beside what it has. False: the system cannot say or do so."""
    try:
        with open("/proc/self/statm", encoding="ascii") as f:
            have = int(f.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return False
    return _limit(resource.RLIMIT_AS, have + (megabytes << 20))


def _readable(model: Path) -> set[str]:
    """Return what a model may read: itself, Python and its packages, what tells of the machine."""
    paths = {str(model), sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path}
    paths |= {"/usr", "/lib", "/lib64", "/sys/devices/system", "/proc/self"}
    paths |= {"/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm/overcommit_memory"}
    paths |= {"/etc/ld.so.cache", "/etc/localtime", "/etc/os-release"}
    paths |= {"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"}
    real = set()
    for path in filter(None, paths):
        with contextlib.suppress(OSError):
            real.add(os.path.realpath(path, strict=True))
    return real - {"/"}
