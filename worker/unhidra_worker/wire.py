"""Tensors and errors as server and worker send them."""

from collections.abc import Sequence
from typing import Any

from unhidra_worker.model import Inputs, ModelError, Outputs, Tensor


def describe(err: BaseException) -> dict[str, Any]:
    """Return an error as the server is told it."""
    if isinstance(err, ModelError):
        return {"code": "input", "message": str(err)[:1000]}
    code = "memory" if isinstance(err, MemoryError) else "model"
    return {"code": code, "message": f"{type(err).__name__}: {err}"[:1000]}


def unpack_inputs(tensors: Sequence[Any]) -> Inputs:
    """Return the inputs of a request as a model takes them."""
    return {t["name"]: Tensor(t["datatype"], tuple(t["shape"]), t["data"]) for t in tensors}


def pack_outputs(outputs: Outputs) -> list[dict[str, Any]]:
    """Return what a model answered as it is sent."""
    return [
        {"name": name, "datatype": t.datatype, "shape": list(t.shape), "data": t.data}
        for name, t in outputs.items()
    ]
