"""A model is asked batch by batch, and one bad input does not spoil the others."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from unhidra_worker import Context, Model, ModelError, Tensor
from unhidra_worker.model import Inputs, Outputs
from unhidra_worker.serve import answer, fitting, load


class Halves(Model):
    """Halves even numbers, and refuses a batch with others."""

    def predict(self, batch: Sequence[Inputs], context: Context) -> Sequence[Outputs]:
        out = []
        for inputs in batch:
            numbers = inputs["x"].numbers()
            if any(n % 2 for n in numbers):
                raise ModelError("odd")
            out.append({"y": Tensor.numbers_of([n // 2 for n in numbers], "INT64")})
        return out


def item(*numbers: int) -> list[dict[str, object]]:
    t = Tensor.numbers_of(numbers, "INT64")
    return [{"name": "x", "datatype": t.datatype, "shape": list(t.shape), "data": t.data}]


def test_one_bad_input_does_not_spoil_the_others() -> None:
    got = answer(Halves(Path()), [item(2, 4), item(3), item(6)], Context(1000))
    assert [list(g) for g in got] == [["outputs"], ["error"], ["outputs"]]
    assert got[1]["error"] == {"code": "input", "message": "odd"}
    assert Tensor("INT64", (2,), got[0]["outputs"][0]["data"]).numbers() == [1, 2]


def test_texts_and_numbers() -> None:
    assert Tensor.texts_of(["", "ü", "日本"]).texts() == ["", "ü", "日本"]
    assert Tensor.numbers_of([1.5, -2], shape=(1, 2)).numbers() == [1.5, -2]
    with pytest.raises(ValueError, match="do not fill"):
        Tensor.numbers_of([1, 2, 3], shape=(2, 2))


def test_a_class_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other_model.py").write_text("class Other:\n    pass\n")
    with pytest.raises(TypeError, match="does not derive"):
        load(tmp_path, "other_model:Other")


def test_answers_that_one_message_has_no_room_for_are_errors() -> None:
    items = [{"outputs": [{"data": bytes(n)}]} for n in (40, 90, 30, 200)]
    got = fitting(items, 150)
    assert [g["error"]["code"] if "error" in g else "" for g in got] == ["", "room", "", "room"]
    assert fitting(items) == items
