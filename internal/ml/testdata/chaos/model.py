"""Answers each text in capitals, and goes wrong in the ways that texts name."""

import os
import signal
import socket
import time

from unhidra_worker import Model, ModelError, Tensor, frames


class Chaos(Model):
    def load(self):
        if (self.folder / "broken").exists():
            raise RuntimeError("no weights")
        if (self.folder / "crash").exists():
            os._exit(9)

    def predict(self, batch, context):
        return [{"text": Tensor.texts_of([self.one(t) for t in inputs["text"].texts()])} for inputs in batch]

    def stream(self, inputs, context):
        words = inputs["text"].texts()[0].split()
        held = open("/dev/null")  # what a model must give back
        try:
            for i, word in enumerate(words):
                if word == "slowly":
                    time.sleep(0.05)
                elif word == "endless":
                    while True:
                        yield {"text": Tensor.texts_of(["more "])}
                elif word == "greedy":  # sends more than it may
                    while True:
                        frame = frames.Message(frames.CHUNK, {"outputs": []}, 1)
                        socket.socket(fileno=os.dup(4)).sendall(frames.encode(frame))
                elif word == "wrong":
                    yield {"other": Tensor.texts_of([word])}
                elif word == "huge":
                    word = "x" * frames.MAX_CHUNK
                elif word == "deaf":  # does not end when it is told to
                    while not context.cancelled():
                        pass
                    time.sleep(600)
                elif word == "parameters":
                    word = repr(sorted(context.parameters.items()))
                elif word == "closed":
                    word = str(Chaos.closed)
                yield {"text": Tensor.texts_of([self.one(word) + " " * (i < len(words) - 1)])}
        finally:
            held.close()
            Chaos.closed += 1

    closed = 0

    def one(self, text):
        if (self.folder / "weak").exists() and text.startswith("x"):
            os._exit(6)
        if (self.folder / "other").exists():
            return text
        if text == "loop":
            while True:
                pass
        if text == "sleep":
            time.sleep(0.05)
        if text == "exit":
            os._exit(7)
        if text == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if text == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        if text == "child":
            child = os.fork()
            if child == 0:
                time.sleep(600)
                os._exit(0)
            return str(child)
        if text.startswith("grow "):
            return "X" * int(text[5:])
        if text == "garbage":
            socket.socket(fileno=os.dup(4)).sendall(b"not a frame" * 100)
        if text == "flood":
            flood = frames.encode(frames.Message(frames.LOADED, bytes(1 << 17)))
            socket.socket(fileno=os.dup(3)).sendall(flood)
            time.sleep(600)
        if text == "bomb":
            return str(len(bytearray(1 << 31)))
        if text == "refuse":
            raise ModelError("I do not like this text")
        if text == "fail":
            raise ValueError("a mistake of the model")
        if text.startswith("read "):
            return open(text[5:]).read()
        if text == "signal":
            os.kill(os.getppid(), 0)
        if text == "start":
            os.posix_spawn("/bin/true", ["true"], {})
        if text == "network":
            socket.create_connection(("127.0.0.1", 9), timeout=1)
        return text.upper()
