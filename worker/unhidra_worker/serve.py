"""A worker: one process, one version of a model, one batch at a time."""

import faulthandler
import importlib
import os
import platform
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unhidra_worker import frames, sandbox
from unhidra_worker.frames import Link, Message
from unhidra_worker.model import Context, Model
from unhidra_worker.packed import Packed
from unhidra_worker.streaming import Flow, stream
from unhidra_worker.wire import describe, pack_outputs, unpack_inputs

CONTROL, DATA = 3, 4  # file descriptors
EXIT_LOAD = 3  # the model cannot be loaded: starting again would not help


class SandboxError(RuntimeError):
    """The operator requires more of the sandbox than the system has."""


def main() -> None:
    """Serve until the server has gone."""
    faulthandler.enable()  # a dump of all stacks on SIGABRT
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the server
    sys.dont_write_bytecode = True
    control = Link(socket.socket(fileno=CONTROL))
    data = Link(socket.socket(fileno=DATA))
    try:
        if control.receive().kind != frames.HELLO:
            os._exit(2)
        control.send(Message(frames.HELLO_ACK, {"python": platform.python_version()}))
        flow = Flow()
        model = _load(control, control.receive(), flow)
        while True:
            request = data.receive()
            if request.kind == frames.STREAM:
                stream(model, request, data, flow)
                continue
            context = Context(request.budget_ms, traceparent=request.body.get("traceparent", ""))
            items = answer(model, request.body["items"], context)
            data.send(Message(frames.RESPONSE, fitting(items), request.id))
    except (EOFError, ConnectionError):
        os._exit(0)


def _answer_control(control: Link, flow: Flow) -> None:
    """Answer the server's questions. This goes on while a model computes, unless it holds the
    interpreter's lock; so the server asks only who is idle. What it says of a stream is kept."""
    try:
        while True:
            message = control.receive()
            if message.kind == frames.PING:
                control.send(Message(frames.PONG, None, message.id))
            flow.told(message)
    except (EOFError, ConnectionError, ValueError):
        os._exit(0)


def _load(control: Link, message: Message, flow: Flow) -> Model:
    """Load the model that message names, in a sandbox: nothing of it runs outside of one."""
    try:
        folder = Path(message.body["folder"])
        held = []
        if message.body["sandbox"] != "off":
            held = sandbox.enter(folder, message.body["memory_mb"])
        missing = [level for level in sandbox.LEVELS if level not in held]
        if missing and message.body["sandbox"] == "required":
            levels = ", ".join(missing)
            raise SandboxError(f"UNHIDRA_ML_SANDBOX is required, and here workers lack: {levels}")
        threading.Thread(target=_answer_control, args=(control, flow), daemon=True).start()
        model = load(folder, message.body["class"])
        control.send(Message(frames.LOADED, {"sandbox": held}))
    except BaseException as err:  # whatever a model raises, the server is told
        control.send(Message(frames.ERROR, describe(err)))
        os._exit(EXIT_LOAD)
    return model


def load(folder: Path, name: str) -> Model:
    """Return the model of class name, FILE:CLASS, with its weights."""
    sys.path.insert(0, str(folder))
    module, _, cls = name.partition(":")
    kind = getattr(importlib.import_module(module), cls)
    if not (isinstance(kind, type) and issubclass(kind, Model)):
        raise TypeError(f"{name} does not derive from unhidra_worker.Model")
    model = kind(folder)
    model.load()
    if kind.predict is Model.predict and kind.stream is Model.stream:
        raise TypeError(f"{name} has neither predict nor stream")
    return model


def answer(model: Model, items: Sequence[Any], context: Context) -> list[dict[str, Any]]:
    """Answer each item of a batch. If the batch fails, each item is tried by itself."""
    batch = [unpack_inputs(item) for item in items]
    try:
        outputs = model.predict(batch, context)
        if len(outputs) != len(batch):
            raise ValueError(f"{len(outputs)} answers to {len(batch)} requests")
        return [{"outputs": pack_outputs(o)} for o in outputs]
    except Exception as err:
        if len(items) == 1:
            return [{"error": describe(err)}]
    return [answer(model, [item], context)[0] for item in items]


def fitting(items: Sequence[dict[str, Any]], most: int = frames.MAX_MESSAGE - (1 << 17)) -> Packed:
    """Return the answers of a message, with an error in the place of each that it has no room for.

    Of a batch the server asks for these again, one by one. What is kept free is for the errors.
    """
    whole = Packed({"items": items})
    if whole.size <= most:
        return whole
    fit: list[Packed] = []
    for item in items:
        packed = Packed(item)
        if packed.size > most:
            error = {"code": "room", "message": f"an answer of {packed.size} bytes"}
            packed = Packed({"error": error})
        else:
            most -= packed.size
        fit.append(packed)
    return Packed({"items": fit})
