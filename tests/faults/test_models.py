"""Models and checkpoints that were damaged, or made to do harm: refused, and nothing is ever unpickled."""

from __future__ import annotations

import ast
import io
import json
import pickle
import random
import resource
import struct
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

import pronotum
from pronotum import sharing, training
from pronotum.errors import UserError
from pronotum.landmarks import Scheme
from pronotum.models import storage, weights
from pronotum.models.heatmap import HeatmapConfig, HeatmapModel
from pronotum.models.stage import Stage

from .conftest import FULL

FLIPS = 400 if FULL else 60
EXECUTED = []
"""What a file had executed."""


class Trap:
    """An object that calls us when it is unpickled."""

    def __reduce__(self):
        return EXECUTED.append, ("unpickled",)


def model() -> storage.StoredModel:
    torch.manual_seed(0)
    config = HeatmapConfig(
        n_landmarks=3,
        frame=(64, 64),
        detail=(64, 64),
        window=32,
        coarse_widths=(8, 8, 8),
        coarse_depth=8,
        fine_widths=(8, 8),
        fine_depth=8,
        finest_window=32,
    )
    return storage.StoredModel("heatmap", HeatmapModel(config), Scheme.numbered(3), {"seed": 0})


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    storage.save(path, model())
    return path.read_bytes()


def parts(content: bytes) -> tuple[dict, bytes]:
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def joined(header: object, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def with_header(content: bytes, **changes: object) -> bytes:
    """The file with another header of ours, and a checksum that fits: made on purpose, not damaged."""
    header, _ = parts(content)
    return with_metadata(content, json.dumps({**json.loads(header["__metadata__"][storage.FORMAT]), **changes}))


def hostile(content: bytes) -> dict[str, bytes]:
    header, data = parts(content)
    config = json.loads(header["__metadata__"][storage.FORMAT])["config"]
    archive = io.BytesIO()
    torch.save({"weights": Trap()}, archive)
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as file:
        file.writestr("../../evil.txt", "x")
    far = {name: value for name, value in header.items() if name != "__metadata__"}
    first = next(iter(far))
    elsewhere = {**header, first: {**far[first], "data_offsets": [0, 2**62]}}
    negative = {**header, first: {**far[first], "shape": [-1, 8]}}
    huge = {**header, first: {**far[first], "shape": [2**31, 2**31]}}
    return {
        "a pickle": pickle.dumps(Trap()),
        "a file of torch.save": archive.getvalue(),
        "a zip with paths": zipped.getvalue(),
        "empty": b"",
        "a header of 2**63 bytes": struct.pack("<Q", 2**63) + content[8:],
        "a header of a gigabyte": struct.pack("<Q", 2**30) + content[8:],
        "a header longer than the file": struct.pack("<Q", len(content)) + content[8:],
        "a header that is a list": joined([], data),
        "a header that is deeply nested": joined(b"[" * 100_000 + b"]" * 100_000, data),
        "a header that is no text": joined(b"\xff\xfe{}", data),
        "no header of ours": joined({**far}, data),
        "ours is a list": with_metadata(content, "[]"),
        "ours is deeply nested": with_metadata(content, "[" * 100_000),
        "tensors elsewhere": joined(elsewhere, data),
        "a negative shape": joined(negative, data),
        "a huge shape": joined(huge, data),
        "an unknown architecture": with_header(content, architecture="evil"),
        "an architecture that is a path": with_header(content, architecture="../../os.system"),
        "an architecture that is a list": with_header(content, architecture=[]),
        "a newer format": with_header(content, format_version=99),
        "a million landmarks": with_header(content, config={**config, "n_landmarks": 10**6}),
        "widths of a million": with_header(content, config={**config, "coarse_widths": [10**6] * 8}),
        "a frame of a gigapixel": with_header(content, config={**config, "frame": [2**16, 2**16]}),
        "a detail of a gigapixel": with_header(content, config={**config, "detail": [2**16, 2**16]}),
        "a window of a million": with_header(content, config={**config, "window": 2**20}),
        "an unknown setting": with_header(content, config={**config, "__class__": "os.system"}),
        "another scheme": with_header(content, scheme=Scheme.numbered(5).as_plain()),
        "a scheme that is a path": with_header(content, scheme="/etc/passwd"),
        "a card that is a list": with_header(content, card=[]),
    }


def with_metadata(content: bytes, text: str) -> bytes:
    said, tensors = {storage.FORMAT: text}, safetensors.torch.load(content)
    return safetensors.torch.save(tensors, {**said, weights.CHECKSUM: weights._checksum(tensors, said)})


def test_hostile_models_are_refused(whole, note, tmp_path):
    made = hostile(whole)
    for name, content in made.items():
        for suffix in (".safetensors", ".pronotum"):
            path = tmp_path / f"m{suffix}"
            path.write_bytes(content)
            for act in (storage.load, sharing.describe):
                with pytest.raises(UserError) as error:
                    act(path)
                assert "\n" not in str(error.value), name
    assert EXECUTED == []
    assert sorted(one.name for one in tmp_path.iterdir()) == ["m.pronotum", "m.safetensors"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 3 * 1024**2  # kB
    note(4 * len(made), "hostile model files opened")


@pytest.mark.finding("Weights in which a bit had changed were loaded without a word.")
def test_a_changed_bit_is_noticed_wherever_it_is(whole, note, tmp_path):
    drawn, path = random.Random(0), tmp_path / "model.safetensors"
    own = storage.load(write(path, whole)).network.state_dict()
    for _ in range(FLIPS):
        changed = bytearray(whole)
        at = drawn.randrange(len(changed))
        changed[at] ^= 1 << drawn.randrange(8)
        try:
            found = storage.load(write(path, bytes(changed)))
        except UserError:
            continue
        assert all(torch.equal(own[name], value) for name, value in found.network.state_dict().items())
        header = json.loads(parts(whole)[0]["__metadata__"][storage.FORMAT])
        assert (found.card, found.scheme.as_plain()["names"]) == (header["card"], tuple(header["scheme"]["names"]))
    note(FLIPS, "model files with a changed bit")


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def stages() -> list[Stage]:
    torch.manual_seed(0)
    network = nn.Linear(2, 1)

    def losses(generator):
        yield network(torch.randn(4, 2, generator=generator)).square().mean()

    return [
        Stage(
            name="line",
            network=network,
            epochs=2,
            batches=1,
            losses=losses,
            validate=None,
            optimiser=lambda net: torch.optim.AdamW(net.parameters(), 0.1),
            rates=lambda share: {"lr": 0.1},
        )
    ]


@pytest.mark.finding("A checkpoint whose weights were damaged was resumed from without a word.")
def test_hostile_checkpoints_are_refused(note, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    training.fit(stages(), seed=0, checkpoint=path)
    content, drawn = path.read_bytes(), random.Random(1)
    said, tensors = weights.load(path)
    header = json.loads(said["training"])
    made = [pickle.dumps(Trap()), b"", struct.pack("<Q", 2**62), content[: len(content) // 2]]
    for position in [drawn.randrange(len(content)) for _ in range(FLIPS // 2)]:
        made.append(content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :])
    for changes in ({"stage": "x"}, {"epoch": []}, {"best_error": None}, {"plan": 3}):
        weights.save(path, tensors, {"training": json.dumps({**header, **changes})})
        made.append(path.read_bytes())
    weights.save(path, {name: value.reshape(-1)[:1] for name, value in tensors.items()}, said)
    made.append(path.read_bytes())
    weights.save(path, {}, said)
    made.append(path.read_bytes())
    for bad in made:
        with pytest.raises(UserError):
            training.fit(stages(), seed=0, checkpoint=write(path, bad), resume=True)
    assert EXECUTED == []
    training.fit(stages(), seed=0, checkpoint=write(path, content), resume=True)
    note(len(made), "damaged or hostile checkpoints resumed from")


@pytest.mark.finding("A checkpoint in which a bit in the name of its checksum had changed was resumed from unchecked.")
def test_a_checkpoint_without_checksum_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    training.fit(stages(), seed=0, checkpoint=path)
    name = b'"sha256"'
    assert path.read_bytes().count(name) == 1
    path.write_bytes(path.read_bytes().replace(name, b'"sha252"'))
    with pytest.raises(UserError, match="no checksum"):
        training.fit(stages(), seed=0, checkpoint=path, resume=True)


@pytest.mark.finding("A model in which a bit in the name of its checksum had changed was loaded unchecked.")
def test_a_model_without_checksum_is_refused(whole, tmp_path):
    name = b'"sha256"'
    assert whole.count(name) == 1
    path = write(tmp_path / "model.safetensors", whole.replace(name, b'"sha252"'))
    with pytest.raises(UserError, match="no checksum"):
        storage.load(path)


def test_nothing_in_the_package_unpickles(note):
    """No module imports what unpickles, or calls it: torch.load, pandas.read_pickle, joblib, numpy with pickles."""
    forbidden, n = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}, 0
    for path in Path(pronotum.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                assert not forbidden & {name.split(".")[0] for name in names}, path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                called = ast.unparse(node.func)
                assert called not in ("torch.load", "pd.read_pickle", "pandas.read_pickle", "eval", "exec"), path
            if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "weights_only"):
                assert ast.unparse(node.value) == ("False" if node.arg == "allow_pickle" else "True"), path
        n += 1
    note(n, "modules searched for anything that unpickles")
