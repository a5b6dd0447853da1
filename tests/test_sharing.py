"""A model as it is sent to a colleague: what the file says, that every command takes it, and what is refused."""

import json
import shutil
import struct
from html import unescape

import numpy as np
import pytest
import torch

from pronotum import demo, formats, sharing
from pronotum.errors import UserError
from pronotum.landmarks import Scheme
from pronotum.models import storage, weights
from pronotum.models.classical import ClassicalConfig, ClassicalModel
from pronotum.models.ebnet import Block, EBNet, EBNetConfig
from pronotum.report import shape_drawing

SETTINGS = ("epochs=2", "model.frame=[64,48]", 'model.blocks=[{"channels":4,"kernel":3}]', "model.hidden=8")
QUICK = ["--model", "ebnet1", *(word for setting in SETTINGS for word in ("--set", setting))]
SIZE = (192, 144)


@pytest.fixture(scope="module")
def beetles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("beetles")
    demo.draw_beetles(folder, "pronotum", n=10, seed=3, size=SIZE)
    return folder


@pytest.fixture(scope="module")
def validated(command, beetles, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert command("crossvalidate", beetles, "-o", folder, "--folds", 2, *QUICK) == 0
    return folder


@pytest.fixture(scope="module")
def shared(command, validated, tmp_path_factory):
    path = tmp_path_factory.mktemp("shared") / "beetles.pronotum"
    said = ("--licence", "CC-BY-4.0", "--domain", "pronota, dorsal", "--author", "A. Nobody")
    assert command("export", validated, path, *said) == 0
    return path


def tiny(card=None, names=("a", "b", "c")):
    torch.manual_seed(0)
    config = EBNetConfig(n_landmarks=3, frame=(64, 48), blocks=(Block(channels=4, kernel=3),), hidden=8)
    return storage.StoredModel("ebnet1", EBNet(config), Scheme(names), card or {})


def errors_of(names, value=1.0):
    summary = {"n": 5, "mean": value, "median": value, "p90": value, "p95": value, "max": value}
    return [{"landmark": n, "px_256x192": summary, "percent_centroid_size": summary} for n in (*names, "all")]


def evaluation(names=("a", "b", "c"), seen=()):
    tables = {"landmarks": errors_of(names), "mean_shape_baseline": errors_of(names, 2.0)}
    return {"specimens": 7, "seen_in_training": list(seen), **tables}


def test_the_file_says_what_was_said_and_what_was_measured(validated, beetles, shared):
    found = sharing.describe(shared)
    assert (found["licence"], found["domain"], found["author"]) == ("CC-BY-4.0", "pronota, dorsal", "A. Nobody")
    assert found["specimens"] == 10
    size = list(SIZE)
    assert found["photographs"] == {"n": 10, "commonest": size, "smallest": size, "largest": size}
    report = json.loads((validated / "report.json").read_text())
    errors = found["errors"]
    assert errors["origin"].startswith("2-fold cross-validation of 10 specimens")
    for unit in ("px_256x192", "percent_centroid_size"):
        assert errors["landmarks"][-1][unit] == report["overall"]["errors"][unit]
        assert errors["landmarks"][2][unit] == report["landmarks"][2]["errors"][unit]
        assert errors["mean_shape_baseline"][0][unit] == report["landmarks"][0]["mean_shape"][unit]
    config = json.loads((validated / "config.json").read_text())
    assert found["data"]["sha256"] == config["data"]["sha256"]
    assert {"pronotum", "torch", "numpy", "python"} <= set(found["versions"])
    assert found["radii"]["n_errors"] == 10 * len(found["scheme"]["names"])
    assert found["exported"][:2] == "20"


def test_it_names_no_folder_of_the_machine(validated, beetles, shared):
    assert str(beetles) in (validated / "config.json").read_text()
    assert str(beetles).encode() not in shared.read_bytes()
    assert sharing.describe(shared)["data"]["files"] == ["landmarks.tps"]


def test_nor_those_of_the_models_it_was_started_from(tmp_path):
    data = {"files": ["C:\\secret\\one.tps", "/secret/two.tps"], "specimens": 4, "sha256": "0"}
    storage.save(tmp_path / "m.safetensors", tiny({"started_from": {"data": data, "started_from": {"data": data}}}))
    card = sharing.prepare(tmp_path / "m.safetensors", sharing.Statement()).card
    assert "secret" not in json.dumps(card)
    assert card["started_from"]["started_from"]["data"]["files"] == ["one.tps", "two.tps"]


def test_every_command_takes_the_file(command, validated, beetles, shared, tmp_path, capsys):
    assert command("predict", shared, beetles, "-o", tmp_path / "file", "--no-overlays") == 0
    assert command("predict", validated, beetles, "-o", tmp_path / "run", "--no-overlays") == 0
    both = [np.stack([one.points for one in formats.load(tmp_path / n / "predictions.tps")]) for n in ("file", "run")]
    assert np.array_equal(*both)
    capsys.readouterr()
    assert command("evaluate", shared, beetles, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["seen_in_training"]) == 10
    assert command("train", beetles, "-o", tmp_path / "more", "--from", shared, *QUICK[2:4]) == 0


def test_a_file_can_be_exported_again_and_keeps_what_is_not_said_anew(command, shared, tmp_path):
    again = tmp_path / "again.pronotum"
    assert command("export", shared, again, "--licence", "CC0") == 0
    before, after = sharing.describe(shared), sharing.describe(again)
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"file", "sha256", "licence", "exported"}
    assert after["licence"] == "CC0"


def test_errors_of_an_evaluation_can_be_named(command, tmp_path, capsys):
    storage.save(tmp_path / "m.safetensors", tiny())
    said = tmp_path / "said.json"
    said.write_text(json.dumps(evaluation()))
    asked = ("export", tmp_path / "m.safetensors", tmp_path / "m.pronotum", "--errors", said)
    assert command(*asked) == 0
    found = sharing.describe(tmp_path / "m.pronotum")["errors"]
    assert found["origin"] == "7 specimens of another data set"
    assert found["mean_shape_baseline"][3]["px_256x192"]["mean"] == 2.0
    said.write_text(json.dumps(evaluation(seen=["one", "two"])))
    command(*asked)
    capsys.readouterr()
    assert command("model", "show", tmp_path / "m.pronotum") == 0
    out = capsys.readouterr().out
    assert "the model has LEARNT FROM 2" in out
    assert "note: Some of the specimens of the error table were learnt from: the errors are too small." in out


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (None, "cannot be opened"),
        ("no json", "no table of errors"),
        ("[1]", "no table of errors"),
        ("[" * 200_000, "no table of errors"),
        ('{"specimens": 3}', "no table of errors"),
        (json.dumps(evaluation(("a", "b", "x"))), "errors of the landmarks a, b, x; expected a, b, c"),
        (json.dumps({**evaluation(), "landmarks": [{"landmark": "a"}]}), r"landmarks\.0\.px_256x192: Field required"),
    ],
)
def test_other_files_of_errors_are_refused_in_one_line(tmp_path, written, why):
    if written is not None:
        (tmp_path / "e.json").write_text(written)
    with pytest.raises(UserError, match=rf"e\.json: .*{why}"):
        sharing.read_errors(tmp_path / "e.json", tiny())


def test_a_cross_validation_of_other_data_is_not_taken_for_the_models(validated, tmp_path):
    moved = tmp_path / "run"
    shutil.copytree(validated, moved, ignore=shutil.ignore_patterns("folds", "figures"))
    described = json.loads((moved / "crossvalidation.json").read_text())
    (moved / "crossvalidation.json").write_text(json.dumps({**described, "data": "0"}))
    with pytest.raises(UserError, match="a cross-validation of other data than the model's"):
        sharing.prepare(moved, sharing.Statement())


def test_what_is_missing_is_said_when_exporting(command, tmp_path, capsys):
    storage.save(tmp_path / "m.safetensors", tiny())
    assert command("export", tmp_path / "m.safetensors", tmp_path / "m.pronotum") == 0
    out = capsys.readouterr().out
    for missing in ("no error table", "no licence was given: --licence", "no domain", "no author"):
        assert missing in out
    assert command("export", tmp_path / "m.safetensors", tmp_path / "m.model") == 2
    assert "a name that ends in '.model'; expected one that ends in .pronotum" in capsys.readouterr().err
    assert command("export", tmp_path / "m.safetensors") == 2
    assert command("export", tmp_path / "m.safetensors", "--onnx", tmp_path / "m.pronotum") == 2
    assert "expected one that ends in .onnx" in capsys.readouterr().err


def test_photographs_in_a_model_are_said(command, tmp_path, capsys):
    config = ClassicalConfig.read({"n_landmarks": 3, "picture": (64, 48), "references": 2})
    stored = storage.StoredModel("classical", ClassicalModel(config), Scheme.numbered(3), {})
    storage.save(tmp_path / "m.safetensors", stored)
    assert command("export", tmp_path / "m.safetensors", tmp_path / "m.pronotum") == 0
    assert "note: the file holds 2 photographs" in capsys.readouterr().out
    assert command("model", "show", tmp_path / "m.pronotum") == 0
    assert "note: The file holds 2 photographs" in capsys.readouterr().out


def test_a_graph_is_written_beside_and_says_the_same(command, shared, tmp_path, capsys):
    pytest.importorskip("onnxruntime", reason="pip install 'pronotum[onnx]'")
    pytest.importorskip("onnx", reason="pip install 'pronotum[onnx]'")
    path = tmp_path / "m.onnx"
    assert command("export", shared, "--onnx", path, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["check"]["largest_difference_px"] < 0.01
    assert said["out"] is None
    beside = json.loads(path.with_suffix(".json").read_text())
    assert beside["landmarks"] == sharing.describe(shared)["scheme"]["names"]
    assert beside["card"]["sharing"]["licence"] == "CC-BY-4.0"


def test_the_card_as_text_json_and_page(command, shared, tmp_path, capsys):
    page = tmp_path / "card.html"
    assert command("model", "show", shared, "--html", page) == 0
    out = capsys.readouterr().out
    for said in ("CC-BY-4.0", "pronota, dorsal", "A. Nobody", "10 specimens", "192x144", "mean shape", "% of centroid"):
        assert said in out
    assert command("model", "show", shared, "--json") == 0
    assert json.loads(capsys.readouterr().out) == sharing.describe(shared)
    html = page.read_text(encoding="utf-8")
    for said in ("CC-BY-4.0", "pronota, dorsal", "<svg", "prefers-color-scheme: dark", ">8</text>"):
        assert said in html
    assert "http" not in html.replace("http-equiv", "")
    assert "<script" not in html


def test_a_run_folder_is_shown_too(validated, shared, capsys):
    assert sharing.describe(validated)["errors"] == sharing.describe(shared)["errors"]


def test_names_that_were_sent_are_text_and_nothing_else(command, tmp_path, capsys):
    evil = ("<script>alert(1)</script>", "\x1b[31mred", "‮over")
    card = {"sharing": {"licence": "\x1b]0;title\x07", "author": "<img src=x onerror=alert(1)>"}, "preset": "\x1b[2J"}
    shape = {"mean_shape": [[0, 0], [50, 10], [None, None]]}
    storage.save(tmp_path / "m.pronotum", tiny({**card, **shape}, evil))
    assert command("model", "show", tmp_path / "m.pronotum", "--html", tmp_path / "c.html") == 0
    out, html = capsys.readouterr().out, (tmp_path / "c.html").read_text(encoding="utf-8")
    assert not any(letter in out + html for letter in "\x1b\x07‮")
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html


def test_lines_stay_in_columns_and_commands_can_be_copied_whatever_the_names(command, tmp_path, capsys):
    names = ("the tip of the anterior margin", "b", "c")
    said = {
        "sharing": {"errors": {"origin": "x", "landmarks": errors_of(names), "mean_shape_baseline": errors_of(names)}}
    }
    path = tmp_path / "my wings; ls.pronotum"
    storage.save(path, tiny(said, names))
    assert command("model", "show", path, "--html", tmp_path / "c.html") == 0
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("error in % of centroid size") + 2
    assert len({line.index("1.00") for line in lines[start : start + 4]}) == 1
    html = unescape((tmp_path / "c.html").read_text(encoding="utf-8"))
    assert "pronotum predict 'my wings; ls.pronotum' new-photographs/" in html


def test_names_stand_beside_their_landmarks_and_off_each_other():
    square = np.array([[0.0, 0.0], [100, 0], [100, 80], [0, 80], [50, 40], [np.nan, np.nan]])
    svg = shape_drawing.draw(square, ["a", "b", "c", "d", "mid", "none"])
    assert svg.count("<circle") == svg.count("<text") == 5
    assert ">mid</text>" in svg
    long = shape_drawing.draw(square, ["anterior", "b", "c", "d", "mid", "none"])
    assert ">1</text>" in long
    assert "<title>anterior</title>" in long
    curve = shape_drawing.draw(square, ["a", "b", "rim 1", "rim 2", "rim 3", "rim 4"], [range(2, 6)])
    assert curve.count("<text") == 2
    assert curve.count("<polyline") == 1


# What may come with a mail: none of it may do more than end in one line.


def write_file(path, header, tensors=None):
    text = header if isinstance(header, str) else json.dumps(header)
    weights.save(path, tensors or {"x": torch.zeros(2)}, {storage.FORMAT: text})


def header_of(model):
    """Header and weights as they are stored."""
    return {
        "format": storage.FORMAT,
        "format_version": 1,
        "architecture": model.architecture,
        "config": model.network.config.model_dump(mode="json"),
        "scheme": model.scheme.as_plain(),
        "card": model.card,
    }, dict(model.network.state_dict())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"architecture": "resnet"}, "architecture 'resnet'"),
        ({"architecture": ["heatmap"]}, r"architecture \['heatmap'\]"),
        ({"architecture": "../../etc/passwd"}, "architecture"),
        ({"format_version": 2}, "model format 2"),
        ({"config": []}, "damaged model .*config is a list"),
        ({"config": {"n_landmarks": 3, "run": "rm -rf"}}, "damaged model"),
        ({"scheme": "abc"}, "damaged model .*scheme is a str"),
        ({"scheme": {"names": ["a", "b"], "pairs": [], "curves": []}}, "2 names for 3 landmarks"),
        ({"scheme": {"names": ["a", "a", "c"], "pairs": [], "curves": []}}, "must differ"),
        ({"card": None}, "damaged model .*card is a NoneType"),
    ],
)
def test_headers_of_something_else_are_refused(tmp_path, change, why):
    header, tensors = header_of(tiny())
    write_file(tmp_path / "m.pronotum", {**header, **change}, tensors)
    with pytest.raises(UserError, match=rf"m\.pronotum: .*{why}"):
        sharing.describe(tmp_path / "m.pronotum")


@pytest.mark.parametrize(
    "change", [{"hidden": 10**9}, {"n_landmarks": 10**12}, {"n_landmarks": -1}, {"hidden": 10**19}]
)
def test_a_config_that_asks_for_more_than_the_file_has_takes_no_memory(tmp_path, change):
    header, tensors = header_of(tiny())
    write_file(tmp_path / "m.pronotum", {**header, "config": {**header["config"], **change}}, tensors)
    with pytest.raises(UserError, match=r"m\.pronotum: damaged model"):
        storage.load(tmp_path / "m.pronotum")


def test_pictures_as_large_as_a_city_are_refused(tmp_path):
    header, _ = header_of(tiny())
    config = {"n_landmarks": 3, "frame": [64, 64], "detail": [10**6, 10**6]}
    write_file(tmp_path / "m.pronotum", {**header, "architecture": "heatmap", "config": config})
    with pytest.raises(UserError, match="a config that asks for too much"):
        storage.load(tmp_path / "m.pronotum")
    config["coarse_widths"] = [8] * 100_000
    write_file(tmp_path / "m.pronotum", {**header, "architecture": "heatmap", "config": {**config, "detail": [8, 8]}})
    with pytest.raises(UserError, match="damaged model"):
        storage.load(tmp_path / "m.pronotum")


def test_weights_of_other_shapes_missing_and_superfluous_ones_are_named(tmp_path):
    header, tensors = header_of(tiny())
    for changed, name in (
        ({**tensors, "fc3.weight": torch.zeros(5, 8)}, "fc3.weight"),
        ({n: v for n, v in tensors.items() if n != "fc1.bias"}, "fc1.bias"),
        ({**tensors, "payload": torch.zeros(3)}, "payload"),
    ):
        write_file(tmp_path / "m.pronotum", header, changed)
        with pytest.raises(UserError, match=rf"damaged model \(weights that do not fit the config: {name}\)"):
            storage.load(tmp_path / "m.pronotum")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not a pronotum model"),
        (b"\x80\x04\x95cos\nsystem\n", "not a pronotum model"),
        (struct.pack("<Q", 2**60) + b"{}", r"a header of 1152921504606846976 bytes"),
        (struct.pack("<Q", 60_000_000) + b" " * 1000, "a header of 60000000 bytes"),
        (struct.pack("<Q", 2) + b"{}", "not a pronotum model"),
        (struct.pack("<Q", 8) + b"[[[[[[[[", "not a pronotum model"),
    ],
)
def test_bytes_of_something_else_are_refused(tmp_path, content, why):
    (tmp_path / "m.pronotum").write_bytes(content)
    with pytest.raises(UserError, match=rf"m\.pronotum: .*{why}"):
        sharing.describe(tmp_path / "m.pronotum")


@pytest.mark.parametrize("text", ["[]", "null", "{", "[" * 200_000, '"heatmap"'])
def test_headers_that_are_no_object_are_refused(tmp_path, text):
    write_file(tmp_path / "m.pronotum", text)
    with pytest.raises(UserError, match=r"m\.pronotum: not a pronotum model"):
        storage.load(tmp_path / "m.pronotum")


@pytest.mark.parametrize(
    "card",
    [
        {"sharing": "mine"},
        {"sharing": {"photographs": {"n": 1}}},
        {"sharing": {"errors": {"origin": "x", "landmarks": [], "mean_shape_baseline": []}}},
        {"sharing": {"errors": {"origin": "x", "landmarks": errors_of("abc"), "mean_shape_baseline": errors_of("ab")}}},
        {"mean_shape": [[1, 2]]},
        {"mean_shape": "none"},
        {"n_held_out": "\x1b[2J"},
        {"held_out_error_px": float("inf")},
        {"data": {"files": 3}},
        {"started_from": {"data": {"sha256": float("nan")}}},
    ],
)
def test_cards_of_something_else_are_refused(tmp_path, card):
    storage.save(tmp_path / "m.pronotum", tiny(card))
    with pytest.raises(UserError, match=r"m\.pronotum: a damaged card"):
        sharing.describe(tmp_path / "m.pronotum")


def test_a_damaged_calibration_leaves_the_rest_of_the_card(tmp_path):
    storage.save(tmp_path / "m.pronotum", tiny({"calibration": {"typical": 3}}))
    found = sharing.describe(tmp_path / "m.pronotum")
    assert found["radii"] is None
    assert "damaged calibration" in found["problems"][0]
