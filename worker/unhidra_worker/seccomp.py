"""Seccomp of Linux: refuses system calls by which a model could do more than compute.

Numbers are those of the kernel's asm/unistd.h; structures, of linux/filter.h and linux/seccomp.h.
"""

import ctypes
import errno
import os
import platform
from dataclasses import dataclass

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
# offsets in seccomp_data, little-endian
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_CLONE_THREAD = 0x10000
_X32 = 0x40000000
_CLONE3 = 435
_STREAM, _SOCKET_TYPE = 1, 0xF
_SIGNALS = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX: by which files send signals
_OWNERS = (0x8901, 0x8902)  # FIOSETOWN, SIOCSPGRP: the same for sockets


@dataclass(frozen=True)
class _Machine:
    audit: int  # AUDIT_ARCH_*
    clone: int
    own: tuple[int, ...]  # kill and tgkill: allowed to itself
    prlimit: int  # allowed to itself
    socketpair: int  # allowed of streams: others send to any address
    fcntl: int
    ioctl: int
    refused: tuple[int, ...]


# pidfd_send_signal, io_uring_{setup,enter,register}, pidfd_open, pidfd_getfd, process_madvise
_COMMON = (424, 425, 426, 427, 434, 438, 440)
_MACHINES = {
    "x86_64": _Machine(
        audit=0xC000003E,
        clone=56,
        own=(62, 234),
        prlimit=302,
        socketpair=53,
        fcntl=72,
        ioctl=16,
        refused=(
            *(41, 57, 58, 59, 322),  # socket, fork, vfork, execve, execveat
            *(101, 310, 311),  # ptrace, process_vm_readv, process_vm_writev
            *(
                200,
                129,
                297,
                109,
                112,
            ),  # tkill, rt_sigqueueinfo, rt_tgsigqueueinfo, setpgid, setsid
            *(
                141,
                142,
                144,
                203,
                314,
                251,
            ),  # setpriority, sched_set{param,scheduler,affinity,attr}, ioprio_set
            *(29, 64, 68, 240),  # shmget, semget, msgget, mq_open: what outlives a process
            *(272, 308, 165, 166, 155, 161),  # unshare, setns, mount, umount2, pivot_root, chroot
            *(
                321,
                298,
                323,
                248,
                249,
                250,
            ),  # bpf, perf_event_open, userfaultfd, add_key, request_key, keyctl
            *_COMMON,
        ),
    ),
    "aarch64": _Machine(
        audit=0xC00000B7,
        clone=220,
        own=(129, 131),
        prlimit=261,
        socketpair=199,
        fcntl=25,
        ioctl=29,
        refused=(  # as above; there is no fork and no vfork
            *(198, 221, 281),
            *(117, 270, 271),
            *(130, 138, 240, 154, 157),
            *(140, 118, 119, 122, 274, 30),
            *(194, 190, 186, 180),
            *(97, 268, 40, 39, 41, 51),
            *(280, 241, 282, 217, 218, 219),
            *_COMMON,
        ),
    ),
}


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("yes", ctypes.c_uint8),
        ("no", ctypes.c_uint8),
        ("k", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Instruction)))


def enter(libc: ctypes.CDLL) -> bool:
    """Refuse them from now on, to this thread and those that it starts, with EPERM.

    False: the kernel does not allow a filter, or none is written for this machine.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return False
    code = program(machine, os.getpid())
    instructions = (_Instruction * len(code))(*(_Instruction(*c) for c in code))
    whole = _Program(len(code), instructions)
    done = libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(whole), 0, 0)
    return bool(done == 0)


def program(machine: _Machine, pid: int) -> list[tuple[int, int, int, int]]:
    """Return the filter: instructions of code, jumps if so and if not, and operand."""
    refuse = (_RETURN, 0, 0, _ERROR | errno.EPERM)
    allow = (_RETURN, 0, 0, _ALLOW)

    def if_first(number: int, test: int, operand: int) -> list[tuple[int, int, int, int]]:
        """Allow a call only if a test of its first argument holds."""
        return [
            (_EQUAL, 0, 4, number),
            (_LOAD, 0, 0, _FIRST_ARGUMENT),
            (test, 0, 1, operand),
            allow,
            refuse,
        ]

    def unless_second(number: int, refused: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
        """Refuse a call with one of some second arguments."""
        checks = [step for r in refused for step in ((_EQUAL, 0, 1, r), refuse)]
        return [
            (_EQUAL, 0, len(checks) + 2, number),
            (_LOAD, 0, 0, _SECOND_ARGUMENT),
            *checks,
            allow,
        ]

    code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, machine.audit),
        refuse,
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        refuse,
        (_EQUAL, 0, 1, _CLONE3),  # its flags cannot be seen; the C library uses clone then
        (_RETURN, 0, 0, _ERROR | errno.ENOSYS),
        *if_first(machine.clone, _ANY_BIT, _CLONE_THREAD),
        *if_first(machine.prlimit, _EQUAL, 0),
        *unless_second(machine.fcntl, _SIGNALS),
        *unless_second(machine.ioctl, _OWNERS),
        (_EQUAL, 0, 5, machine.socketpair),
        (_LOAD, 0, 0, _SECOND_ARGUMENT),
        (_AND, 0, 0, _SOCKET_TYPE),
        (_EQUAL, 0, 1, _STREAM),
        allow,
        refuse,
    ]
    for number in machine.own:
        code += if_first(number, _EQUAL, pid)
    for number in machine.refused:
        code += [(_EQUAL, 0, 1, number), refuse]
    return [*code, allow]
