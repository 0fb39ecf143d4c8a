"""Answers each call of gRPC with what it was sent, at the socket argv[1], until its input ends."""

import sys
from concurrent.futures import ThreadPoolExecutor

import grpc


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: request)


server = grpc.server(
    ThreadPoolExecutor(1), handlers=[Echo()], options=[("grpc.max_receive_message_length", 1 << 24)]
)
server.add_insecure_port("unix:" + sys.argv[1])
server.start()
print("ready", flush=True)
sys.stdin.read()
