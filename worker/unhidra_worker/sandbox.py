"""Takes from this process what a model has no use for. What worked is told to the server."""

import ctypes
import os
import resource
import sys

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_NO_NEW_PRIVS = 38


def enter() -> list[str]:
    """Restrict this process, before it has threads, and return what holds from now on."""
    held = []
    for name, kind, most in [
        ("core", resource.RLIMIT_CORE, 0),
        ("files", resource.RLIMIT_NOFILE, 64),
        ("file_size", resource.RLIMIT_FSIZE, 0),
    ]:
        try:
            resource.setrlimit(kind, (most, most))
            held.append(name)
        except (ValueError, OSError):
            continue
    if sys.platform != "linux":
        return held
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
        held.append("no_network")
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        held.append("no_new_privileges")
    return held


def limit_memory(megabytes: int) -> bool:
    """Let this process take so much beside what it has. False: the system cannot say or do so."""
    try:
        with open("/proc/self/statm", encoding="ascii") as f:
            have = int(f.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        most = have + (megabytes << 20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    except (OSError, ValueError):
        return False
    return True
