"""Sends back each message of argv[1] bytes that comes by file 3: as little as two processes can do."""

import socket
import sys

size = int(sys.argv[1])
data = memoryview(bytearray(size))
with socket.socket(fileno=3) as link:
    at = 0
    while n := link.recv_into(data[at:]):
        at += n
        if at == size:
            link.sendall(data)
            at = 0
