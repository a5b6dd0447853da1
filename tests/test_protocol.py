"""The paper's protocol, small: two parts of synthetic beetles, two rounds, trainings of a few steps."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pronotum import demo, formats, paper_results, protocol, workflows
from pronotum.cli_reproduce import read_drops
from pronotum.errors import UserError
from pronotum.evaluation.part import CLASSICAL, FINE_TUNED, SCRATCH
from pronotum.formats import ebnet_csv
from pronotum.parts import combine, identities, open_parts


@pytest.fixture(scope="session")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    for number, name in enumerate(("pronotum", "head")):
        demo.draw_beetles(folder / name, name, n=8, seed=number, size=(256, 192))
    return folder


@pytest.fixture(scope="session")
def small(tiny):
    """A protocol of two rounds with these changes."""

    def make(**changes):
        options = workflows.TrainOptions(model="heatmap", overrides=tiny)
        return protocol.Protocol(n_rounds=2, options=options, dropped={"head": (5, 6)}, **changes)

    return make


@pytest.fixture(scope="session")
def carry_out(small):
    """Parts by name, and what was said; tables and figures where they are asked for, as they take their time."""

    def run(parts, folder, *, write=True, **changes):
        said = []
        subject = protocol.Reproduction(parts, folder, small(**changes), on_step=said.append)
        made = subject.execute()
        if write:
            paper_results.write(subject, made)
        return made, said

    return run


@pytest.fixture(scope="session")
def clean(parts, tmp_path_factory, carry_out):
    folder = tmp_path_factory.mktemp("clean")
    made, said = carry_out(parts, folder, pretrain=("pronotum", "head"))
    return folder, made, said


def test_every_specimen_is_predicted_once_by_each_method(parts, clean):
    _, made, _ = clean
    for name, data in open_parts(parts).items():
        part = made[name]
        assert len(part.specimens) == len(set(part.specimens)) == 8
        assert set(part.methods) == {SCRATCH, FINE_TUNED}
        factor = 1.0  # the pictures are 256x192 already
        order = [identities(data).index(one) for one in part.specimens]
        assert part.manual == pytest.approx(data.points[order] * factor, abs=1e-6)
        assert np.isfinite(part.predicted[FINE_TUNED]).all()


def test_no_training_sees_what_its_round_tests(parts, clean, small):
    folder, _, _ = clean
    data = open_parts(parts)
    subject = protocol.Reproduction(parts, folder, small(pretrain=("pronotum", "head")))
    for number in subject.numbers:
        pretrained = json.loads((folder / "pretrained" / f"{number:02d}" / "config.json").read_text())
        assert pretrained["data"]["specimens"] == 8  # four of each part
        for name in data:
            tested = {
                rows.id
                for rows in formats.load(folder / "rounds" / f"{number:02d}" / name / SCRATCH / "predictions.tps")
            }
            assert tested == set(subject.plan.tests[number - 1])
            assert not subject.contaminated(name)
        assert not set(subject.plan.training(number)) & set(subject.plan.tests[number - 1])


def test_tables_and_figures_are_written(clean):
    folder, made, _ = clean
    for name, part in made.items():
        table = pd.read_csv(folder / "tables" / f"{name}-distances-scratch.csv")
        assert len(table) == len(part.landmarks) + 1
        assert table.iloc[-1]["mean"] == pytest.approx(part.errors(SCRATCH).mean())
        assert (folder / "tables" / f"{name}-scratch-vs-fine-tuned.html").exists()
        assert (folder / "figures" / f"{name}-landmark-1.png").stat().st_size > 5000
    assert (folder / "tables" / "improvement.csv").exists()
    assert "CONTAMINATED" not in (folder / "tables" / "improvement.html").read_text()


def test_one_trunk_with_outputs_for_each_part_needs_no_landmark_dropped(parts, tmp_path):
    data = open_parts(parts)
    together = combine(data, {}, own_heads=True)
    assert list(data) == ["head", "pronotum"]
    assert together.points.shape == (8 + 8, 10 + 8, 2)
    assert np.isnan(together.points[:8, 10:]).all()
    assert np.isnan(together.points[8:, :10]).all()
    assert together.points[:8, :10] == pytest.approx(data["head"].points)
    assert together.points[8:, 10:] == pytest.approx(data["pronotum"].points)

    options = workflows.TrainOptions(model="ebnet3", overrides={"epochs": 2, "model.frame": "[64, 48]"})
    chosen = protocol.Protocol(n_rounds=2, run=1, options=options, pretrain=("pronotum", "head"), own_heads=True)
    made = protocol.Reproduction(parts, tmp_path, chosen).execute()
    config = json.loads((tmp_path / "pretrained" / "01" / "config.json").read_text())
    assert config["model"]["n_landmarks"] == 18
    assert config["model"]["frame"] == [64, 48]
    assert np.isfinite(made["head"].predicted[FINE_TUNED]).all()


def test_a_finished_protocol_is_found_again_and_never_mixed_with_another(parts, clean, small):
    folder, made, _ = clean
    found = protocol.reopen(folder)
    assert found.part("head").predicted[FINE_TUNED] == pytest.approx(made["head"].predicted[FINE_TUNED])
    assert found.plan == protocol.Reproduction(parts, folder, small()).plan
    other = protocol.Reproduction(parts, folder, small(pretrain=("pronotum", "head"), seed=1))
    with pytest.raises(UserError, match="a protocol with other protocol; expected the same command"):
        other.execute()
    fewer = protocol.Reproduction(parts, folder, found.protocol, ("head",))
    with pytest.raises(UserError, match="no part 'pronotum'"):
        fewer.execute()
    with pytest.raises(UserError, match=r"no protocol.json"):
        protocol.reopen(folder / "rounds")


def test_data_prepared_for_the_papers_programs_bring_their_own_rounds(parts, tmp_path, small):
    data = open_parts(parts)["pronotum"]
    folder = tmp_path / "prepared" / "pronotum"
    folder.mkdir(parents=True)
    for path in data.photographs:
        (folder / path.name).write_bytes(path.read_bytes())
    specimens = [replace(one, id="", source=None) for one in data.landmarks]
    for tag, tested in ((10, slice(0, 3)), (11, slice(3, 8))):
        train = [one for one in specimens if one not in specimens[tested]]
        ebnet_csv.save(folder / f"test_v{tag}.csv", specimens[tested])
        ebnet_csv.save(folder / f"train_v{tag}.csv", train)
    subject = protocol.Reproduction(tmp_path / "prepared", tmp_path / "out", replace(small(run=1), dropped={}))
    assert [len(test) for test in subject.plan.tests] == [3, 5]
    made = subject.execute()["pronotum"]
    assert made.specimens == ("001", "002", "003")
    assert made.manual == pytest.approx(data.points[:3])


def test_what_is_done_is_not_done_again(parts, clean, carry_out):
    folder, made, said = clean
    assert len(said) == 2 * (2 + 1 + 2)
    (folder / "rounds" / "02" / "head" / SCRATCH / "predictions.tps").unlink()
    before = made["head"].predicted[SCRATCH]
    again, said_again = carry_out(parts, folder, write=False, pretrain=("pronotum", "head"))
    assert said_again == ["round 2, head, scratch"]
    assert again["head"].predicted[SCRATCH] == pytest.approx(before, abs=1e-6)


def test_image_processing_is_asked_beside_the_networks_whenever_it_is_wanted(parts, tmp_path, small, carry_out):
    demo.draw_beetles(tmp_path / "parts" / "mandible_left", "mandible_left", n=8, seed=0, size=(512, 384))
    shutil.copytree(parts / "head", tmp_path / "parts" / "head")
    for photograph in (tmp_path / "parts" / "head" / "images").iterdir():
        Image.new("RGB", (256, 192), "white").save(photograph)  # all specimens of a part fail
    folder = tmp_path / "out"
    before = protocol.Reproduction(tmp_path / "parts", folder, small()).execute()
    assert before["head"].methods == (SCRATCH,)
    asked = {"classical": True, "settings": {CLASSICAL: {"model.references": 1}}}
    made, said = carry_out(tmp_path / "parts", folder, **asked)
    assert said == [f"round {number}, {part}, classical" for number in (1, 2) for part in ("head", "mandible_left")]
    subject = protocol.reopen(folder)
    assert subject.protocol.methods == (SCRATCH, CLASSICAL)
    assert subject.n_finished == subject.n_trainings == 8
    config = json.loads((folder / "rounds" / "01" / "mandible_left" / CLASSICAL / "run" / "config.json").read_text())
    assert (config["model"]["references"], config["data"]["specimens"]) == (1, 4)
    found = subject.part("mandible_left")
    assert np.isfinite(found.predicted[CLASSICAL]).all()
    assert found.predicted[CLASSICAL] == pytest.approx(made["mandible_left"].predicted[CLASSICAL])
    assert found.predicted[SCRATCH] == pytest.approx(before["mandible_left"].predicted[SCRATCH], abs=1e-6)
    assert np.isnan(made["head"].predicted[CLASSICAL]).all()
    assert "80 of 80 landmarks were not placed by classical" in made["head"].remarks()[0]
    tables, figures = folder / "tables", folder / "figures"
    assert pd.read_csv(tables / "head-distances-classical.csv").iloc[-1]["n"] == 0
    assert "were not placed by classical" in (tables / "head-scores.html").read_text()
    assert (figures / "mandible_left-overlays-classical.png").exists()
    assert (figures / "head-sheet-classical.png").exists()
    assert not (figures / "head-overlays-classical.png").exists()
    with pytest.raises(UserError, match="a protocol with other protocol"):
        protocol.Reproduction(tmp_path / "parts", folder, small(classical=True)).execute()


def test_what_a_version_wrote_that_knew_no_image_processing_goes_on(parts, clean, tmp_path, small):
    shutil.copytree(clean[0], tmp_path / "out")
    file = tmp_path / "out" / protocol.DESCRIPTION
    described = json.loads(file.read_text())
    del described["protocol"]["classical"]
    file.write_text(json.dumps(described))
    said = []
    chosen = small(pretrain=("pronotum", "head"))
    protocol.Reproduction(parts, tmp_path / "out", chosen, on_step=said.append).execute()
    assert said == []


def test_the_papers_way_is_stamped_contaminated(parts, tmp_path, monkeypatch, carry_out):
    monkeypatch.setattr(paper_results, "_figure", lambda *drawn: None)  # pages are read here, pictures elsewhere
    made, said = carry_out(parts, tmp_path, pretrain=("pronotum", "head"), pretrain_round=2)
    assert sum("pre-training" in step for step in said) == 1
    for name, part in made.items():
        assert part.n_contaminated(FINE_TUNED) == 4  # those of round 1; round 2 is the clean one
        page = (tmp_path / "tables" / f"{name}-scratch-vs-fine-tuned.html").read_text()
        assert "CONTAMINATED: 4 of the 8 test specimens" in page


def test_mistakes_are_found_before_anything_is_trained(parts, tmp_path):
    def checked(**changes):
        protocol.Reproduction(parts, tmp_path / "x", protocol.Protocol(**{"n_rounds": 2, **changes})).check()

    with pytest.raises(UserError, match=r"pronotum 8, head 10 landmarks; expected the same number"):
        checked(pretrain=("pronotum", "head"))
    with pytest.raises(UserError, match="part head: there is no landmark 11 to leave out; expected 1 to 10"):
        checked(pretrain=("pronotum", "head"), dropped={"head": (5, 11)})
    with pytest.raises(UserError, match="no part 'elytra'"):
        checked(pretrain=("elytra",))
    with pytest.raises(UserError, match="9 rounds of 8 specimens"):
        checked(n_rounds=9)
    with pytest.raises(UserError, match="round 3 of 2; expected 1 to 2"):
        checked(pretrain=("head",), pretrain_round=3)
    with pytest.raises(UserError, match=r"--set model.mod: no such setting; did you mean 'mode'"):
        checked(classical=True, settings={CLASSICAL: {"model.mod": "legacy"}})
    with pytest.raises(UserError, match="did you mean 'head'"):
        open_parts(parts, ["heat"])
    with pytest.raises(UserError, match="expected part=numbers"):
        read_drops(["elytra:1"])
    assert not (tmp_path / "x").exists()


def test_running_ids_are_no_identity_where_the_names_have_numbers(tmp_path):
    demo.draw_beetles(tmp_path / "pronotum", "pronotum", n=3, seed=0, size=(256, 192))
    file, images = tmp_path / "pronotum" / "landmarks.tps", tmp_path / "pronotum" / "images"
    text = file.read_text()
    for old, new in (("001", "112"), ("002", "012"), ("003", "120")):
        (images / f"pronotum_{old}.jpg").rename(images / f"pronotum_{new}.jpg")
        text = text.replace(f"pronotum_{old}", f"pronotum_{new}")
    file.write_text(text)
    assert identities(open_parts(tmp_path)["pronotum"]) == ("112", "012", "120")
    file.write_text(text.replace("ID=1", "ID=7"))
    assert identities(open_parts(tmp_path)["pronotum"]) == ("7", "2", "3")


def test_specimens_without_identity_are_refused(tmp_path):
    demo.draw_beetles(tmp_path / "pronotum", "pronotum", n=2, seed=0, size=(256, 192))
    file = tmp_path / "pronotum" / "landmarks.tps"
    text = "\n".join(line for line in file.read_text().splitlines() if not line.startswith("ID="))
    for number, name in enumerate(("one", "two"), 1):
        (tmp_path / "pronotum" / "images" / f"pronotum_00{number}.jpg").rename(
            tmp_path / "pronotum" / "images" / f"{name}.jpg"
        )
        text = text.replace(f"pronotum_00{number}", name)
    file.write_text(text)
    with pytest.raises(UserError, match=r"no identity in one.jpg; write ID="):
        identities(open_parts(tmp_path)["pronotum"])


def test_the_command_runs_it(command, parts, tmp_path, capsys, tiny):
    arguments = [
        "reproduce",
        parts,
        "-o",
        tmp_path,
        "--parts",
        "pronotum",
        "--rounds",
        2,
        "--run",
        1,
        "--model",
        "heatmap",
    ]
    settings = [word for name, value in tiny.items() for word in ("--set", f"{name}={value}")]
    settings += ["--set", "classical.references=2"]
    assert command(*arguments, *settings) == 2
    assert "no image processing asked for; add --classical" in capsys.readouterr().err
    assert command(*arguments, *settings, "--classical") == 0
    assert "round 1, pronotum, scratch" in capsys.readouterr().out
    assert len(pd.read_csv(tmp_path / "tables" / "pronotum-distances-scratch.csv")) == 9
    config = json.loads((tmp_path / "rounds" / "01" / "pronotum" / CLASSICAL / "run" / "config.json").read_text())
    assert config["model"]["references"] == 2
