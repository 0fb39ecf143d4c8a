"""Goes wrong in the way that the text names, and else answers in capitals."""

import os
import re
import socket
import sys
import time

from unhidra_worker import Model, Tensor, frames


class Fault(Model):
    def load(self):
        name = self.folder.parent.name
        if name == "crash":
            os._exit(9)
        if name == "slow":
            time.sleep(5)

    def predict(self, batch, context):
        return [{"text": Tensor.texts_of([self.one(t) for t in i["text"].texts()])} for i in batch]

    def stream(self, inputs, context):
        for word in inputs["text"].texts()[0].split():
            yield {"text": Tensor.texts_of([self.one(word)])}

    def one(self, text):
        fault = text.split()[0]
        if fault == "loop":
            while True:
                pass
        if fault == "regex":  # in C, with the interpreter's lock
            re.match(r"(a+)+$", "a" * 64 + "b")
        if fault == "exit":
            os._exit(7)
        if fault == "sleep":
            time.sleep(2)
        if fault == "memory":
            return str(len(bytearray(1 << 33)))
        if fault == "garbage":
            send(b"not a frame" * 1000)
        if fault == "half":
            send(frames.encode(frames.Message(frames.RESPONSE, {"items": []}, 1))[:20])
            time.sleep(600)
        if fault == "fork":
            for _ in range(1000):
                if os.fork() == 0:
                    time.sleep(600)
                    os._exit(0)
        if fault == "disk":
            self.fill()
        if fault == "noise":
            for _ in range(64):
                sys.stderr.write("noise " * 100_000)
        return text.upper()

    def fill(self):
        folders = [self.folder, "/tmp", "/var/tmp", "/dev/shm"]
        refused = 0
        for folder in folders:
            try:
                with open(os.path.join(folder, "full"), "wb") as f:
                    f.write(bytes(1 << 20))
            except OSError:
                refused += 1
        if refused == len(folders):
            raise OSError("nothing may be written")


def send(garbage):
    socket.socket(fileno=os.dup(4)).sendall(garbage)
