"""Runs one version of a model beside an Unhidra server.

A model is a class that derives from Model. The server starts a process for it, which speaks
to the server over two sockets that it inherits, and to nobody else.
"""

from unhidra_worker.model import Context, Model, ModelError, Tensor

__all__ = ["Context", "Model", "ModelError", "Tensor"]
