"""A saved model comes back the same; what is no model is refused in one line; nothing is left half-written."""

import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from tinygrad_mlp import nn
from tinygrad_mlp.data import Preprocessor, Table
from tinygrad_mlp.errors import ModelFileError, UnsupportedError
from tinygrad_mlp.export import load_model, replacing, save_model

ROWS = Table.from_columns(
    {
        "mass": [1.5, 2.0, None, 3.5, 4.0, 9.25],
        "colour": ["red", 'sky, "light"', None, "red", "grün", "grün"],
        "kind": ["a", "b", "a", "b", "a", "b"],
        "price": [1.0, 2.5, 3.0, 1e6, 5.0, -6.0],
    }
)


@pytest.fixture
def saved(tmp_path):
    """A model file and what was stored in it."""
    preprocessor = Preprocessor.fit(ROWS, "kind", task="classification", leave_out=["price"])
    model = nn.MLP([preprocessor.n_inputs, 4, 2], "relu", "softmax", rng=3, dropout=0.25)
    path = tmp_path / "model.npz"
    save_model(path, model, preprocessor, {"seed": 3, "note": "ä"})
    return path, model, preprocessor


def contents(path):
    with np.load(path, allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}


def rewritten(path, **changes):
    arrays = {**contents(path), **{key.replace("__", "."): value for key, value in changes.items()}}
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


@pytest.mark.parametrize("activation", list(nn.HIDDEN_UNITS))
@pytest.mark.parametrize("output", list(nn.FAMILIES))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_network_of_any_units_computes_the_same_after_loading(tmp_path, activation, output, dtype):
    model = nn.MLP([3, 4, 2], activation, output, rng=1, dtype=dtype)
    save_model(tmp_path / "m.npz", model)
    again = load_model(tmp_path / "m.npz")
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(dtype)
    assert np.array_equal(again.model(x).numpy(), model(x).numpy())
    assert again.model(x).dtype == dtype
    assert again.preprocessor is None
    assert again.details == {}


def test_the_preprocessing_and_the_details_come_back(saved):
    path, model, preprocessor = saved
    again = load_model(path)
    assert again.preprocessor == preprocessor
    assert again.details == {"seed": 3, "note": "ä"}
    assert again.model.dropout.p == 0.25
    assert again.model.training is False
    X = preprocessor.transform(ROWS)
    model.eval()
    assert np.array_equal(again.model(again.preprocessor.transform(ROWS)).numpy(), model(X).numpy())


def test_a_network_without_hidden_layers_and_one_of_mixed_units_come_back(tmp_path):
    for model in (nn.MLP([3, 1], [], "linear"), nn.MLP([3, 4, 5, 1], ["maxout", "tanh"], "logistic")):
        save_model(tmp_path / "m.npz", model)
        assert repr(load_model(tmp_path / "m.npz").model) == repr(model)


def test_no_array_needs_pickle(saved):
    assert {array.dtype.kind for array in contents(saved[0]).values()} <= set("Uifb")


def test_a_model_that_cannot_be_rebuilt_is_refused_before_writing(tmp_path):
    sequence = nn.Sequential(nn.Linear(2, 1, rng=0))
    own_unit = nn.MLP([2, 2, 1], lambda x: x * x)

    class OwnFamily(nn.Gaussian):
        pass

    for model in (sequence, own_unit, nn.MLP([2, 1], [], OwnFamily())):
        with pytest.raises(UnsupportedError, match="save_model: "):
            save_model(tmp_path / "m.npz", model)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_cut_short_is_refused(saved, share):
    path = saved[0]
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_changed_byte_in_a_parameter_is_noticed(saved):
    path, model, _ = saved
    whole = path.read_bytes()
    place = whole.index(model.layers[0].weight.numpy().tobytes())
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(ModelFileError, match="damaged"):
        load_model(path)


def npy_bytes() -> bytes:
    out = io.BytesIO()
    np.save(out, np.arange(3.0))
    return out.getvalue()


def zip_bytes(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


FOREIGN = {
    "empty": b"",
    "text": b"a,b\n1,2\n",
    "npy": npy_bytes(),
    "pickle": pickle.dumps({"w": 1}),
    "zip of text": zip_bytes(readme=b"hello"),
    "zip of nothing": zip_bytes(),
    "npz of another program": zip_bytes(**{"w.npy": npy_bytes()}),
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_file_is_refused(tmp_path, content):
    (tmp_path / "m.npz").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"m\.npz: ") as caught:
        load_model(tmp_path / "m.npz")
    assert "\n" not in str(caught.value)


def test_an_object_array_is_not_unpickled(saved):
    rewritten(saved[0], state__surprise=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ModelFileError, match="damaged"):
        load_model(saved[0])


NETWORK = {"kind": "MLP", "sizes": [5, 4, 2], "activations": ["relu"]}
NETWORK |= {"output": "softmax", "dropout": 0, "dtype": "float64"}
DAMAGE = [
    ({"version": np.array(2)}, "format 2"),
    ({"version": np.array("x")}, "version"),
    ({"version": None}, "version"),
    ({"format": np.array("other")}, "not a model of tinygrad_mlp"),
    ({"network": np.array("{")}, "network cannot be read"),
    ({"network": np.array("[1]")}, "network cannot be read"),
    ({"network": np.array(json.dumps(NETWORK | {"sizes": [10**9, 10**9, 2]}))}, "more parameters than the file"),
    ({"network": np.array(json.dumps(NETWORK | {"sizes": [5, -4, 2]}))}, "description"),
    ({"network": np.array(json.dumps(NETWORK | {"sizes": [4, 4, 2]}))}, "cannot be built"),
    ({"network": np.array(json.dumps(NETWORK | {"activations": ["swoosh"]}))}, "cannot be built"),
    ({"network": np.array(json.dumps(NETWORK | {"activations": 3}))}, "cannot be built"),
    ({"network": np.array(json.dumps(NETWORK | {"output": {}}))}, "cannot be built"),
    ({"network": np.array(json.dumps(NETWORK | {"dropout": "x"}))}, "cannot be built"),
    ({"network": np.array(json.dumps(NETWORK | {"dtype": "float16"}))}, "description"),
    ({"network": np.array(json.dumps({"kind": "MLP"}))}, "description"),
    ({"details": np.array("nonsense")}, "details"),
    ({"state__output__bias": None}, "cannot be built"),
    ({"state__output__bias": np.array([np.nan, 0.0])}, "finite"),
    ({"state__output__bias": np.array(["a", "b"])}, "finite"),
    ({"state__output__bias": np.zeros(3)}, "cannot be built"),
    ({"preprocessor__names": None}, "preprocessor.names"),
    ({"preprocessor__format": np.array(9)}, "format 9"),
    ({"preprocessor__classes": np.array(["a", "b", "c"])}, "does not fit its preprocessing"),
]


@pytest.mark.parametrize(("changes", "message"), DAMAGE, ids=lambda x: "" if isinstance(x, dict) else x)
def test_damage_is_named(saved, changes, message):
    path = rewritten(saved[0], **changes)
    with pytest.raises(ModelFileError, match=message) as caught:
        load_model(path)
    assert str(caught.value).count(str(path)) == 1


def test_no_such_file_and_a_folder_are_errors_of_one_line(tmp_path):
    for path, reason in ((tmp_path / "none.npz", "no such file"), (tmp_path, "cannot be read")):
        with pytest.raises(ModelFileError, match=reason):
            load_model(path)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "m.npz"
    target.write_bytes(b"old")

    def write_half():
        with replacing(target) as file:
            file.write(b"half")
            raise RuntimeError("disk")

    with pytest.raises(RuntimeError, match="disk"):
        write_half()
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["m.npz"]


def test_saving_over_a_model_that_fails_keeps_the_old_model(saved, monkeypatch):
    path, model, preprocessor = saved
    before = path.read_bytes()

    def failing(file, **_arrays):
        file.write(b"PK half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", failing)
    with pytest.raises(OSError, match="No space left") as caught:
        save_model(path, model, preprocessor)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_an_error_names_the_file_that_was_asked_for(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        save_model(tmp_path / "no folder" / "m.npz", nn.MLP([1, 1], []))
    assert caught.value.filename == str(tmp_path / "no folder" / "m.npz")


def test_a_link_is_followed_and_a_pipe_is_written_to(tmp_path):
    real, link = tmp_path / "real.npz", tmp_path / "link.npz"
    link.symlink_to(real)
    with replacing(link) as file:
        file.write(b"content")
    assert link.is_symlink()
    assert real.read_bytes() == b"content"
    reader, writer = os.pipe()
    with replacing(f"/dev/fd/{writer}") as file:
        file.write(b"content")
    os.close(writer)
    with os.fdopen(reader, "rb") as end:
        assert end.read() == b"content"
