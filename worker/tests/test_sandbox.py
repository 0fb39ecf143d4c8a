"""What holds for a worker in its sandbox, tried in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unhidra_worker import seccomp

TRY = """
import fcntl, os, socket, subprocess, sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from unhidra_worker import sandbox
held = sandbox.enter(Path(sys.argv[2]), 256)
def refused(do):
    try:
        do()
    except PermissionError:
        return True
    return False
tried = {
    "landlock": [lambda: open(sys.argv[3]), lambda: open(f"/proc/{os.getppid()}/environ")],
    "seccomp": [os.fork, socket.socket, lambda: os.kill(os.getppid(), 0), os.setsid,
                lambda: os.execv(sys.executable, ["python"]), lambda: os.nice(1),
                lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
                lambda: fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid()),
                lambda: fcntl.fcntl(0, 10, 9)],
}
for level, calls in tried.items():
    if level in held:
        assert all([refused(do) for do in calls]), level
thread = threading.Thread(target=lambda: None)
thread.start()
thread.join()
assert open(Path(sys.argv[2]) / "weights").read() == "w"
assert len(os.urandom(8)) == 8
assert len(socket.socketpair()) == 2
fcntl.fcntl(0, fcntl.F_GETFL)
print(" ".join(held))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there are limits alone")
def test_a_model_reads_itself_and_does_nothing_else(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights").write_text("w")
    (tmp_path / "server.key").write_text("k")
    package = str(Path(seccomp.__file__).parents[1])
    args = [
        sys.executable,
        "-I",
        "-B",
        "-c",
        TRY,
        package,
        str(model),
        str(tmp_path / "server.key"),
    ]
    done = subprocess.run(args, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert {"core", "files", "file_size", "memory", "no_new_privileges"} <= set(done.stdout.split())


def test_every_machine_has_the_same_calls_refused() -> None:
    for name, machine in seccomp._MACHINES.items():
        code = seccomp.program(machine, os.getpid())
        refused = set(machine.refused)
        assert len(refused) == len(machine.refused), name
        assert not refused & {machine.clone, machine.prlimit, *machine.own}, name
        # Jumps stay within the filter, and it ends with an answer.
        for at, (_, yes, no, _) in enumerate(code):
            assert at + 1 + max(yes, no) < len(code) or at == len(code) - 1, name
        assert code[-1] == (seccomp._RETURN, 0, 0, seccomp._ALLOW)
    x86, arm = (set(seccomp._MACHINES[m].refused) for m in ("x86_64", "aarch64"))
    assert len(x86) - len(arm) == 2, "fork and vfork"
