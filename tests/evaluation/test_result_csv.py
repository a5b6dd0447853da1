import numpy as np
import pytest

from pronotum import formats
from pronotum.errors import UserError
from pronotum.evaluation.part import FINE_TUNED, SCRATCH, Part
from pronotum.evaluation.result_csv import (
    FINE_TUNED_IMPROVED,
    PARTS,
    SCRATCH_IMPROVED,
    read_correlation,
    read_summary,
)

CORRELATION = "Image,Landmark,x1,y1,x2,y2\n2,1,10,20,13,24\n2,2,30,40,30.5,40\n04,1,1,2,1,2\n04,2,3,4,,\n"
HEADER = (
    "Image,{},x_manual,y_manual,x_prediction,y_prediction,x_prediction_improved,y_prediction_improved,"
    "x_fine_tuning,y_fine_tuning,x_fine_tuning_improved,y_fine_tuning_improved"
)
MD_HEADER = HEADER.format("LM") + ",,\n"


def write(folder, name, text):
    path = folder / name
    path.write_text(text)
    return path


def test_a_correlation_table_is_a_part(tmp_path):
    part = read_correlation(write(tmp_path, "tete_correlation.csv", CORRELATION))
    assert (part.name, part.specimens, part.landmarks) == ("head", ("2", "04"), ("1", "2"))
    assert (part.methods, part.unit) == ((SCRATCH,), "px of 256x192")
    assert part.manual.tolist() == [[[10, 20], [30, 40]], [[1, 2], [3, 4]]]
    np.testing.assert_array_equal(part.errors(SCRATCH), [[5, 0.5], [0, np.nan]])


@pytest.mark.parametrize(
    ("head", "end"), [(HEADER.format("#Landmark") + "\n", ""), (MD_HEADER, ",,")], ids=["others", "md: empty columns"]
)
def test_a_summary_is_a_part_with_four_methods(tmp_path, head, end):
    rows = [f"7,{number},{number},0,{number},1,{number},2,{number},3,{number},4.5{end}\n" for number in (1, 2, 3)]
    part = read_summary(write(tmp_path, "md.csv", head + "".join(rows)))
    assert (part.name, part.specimens, part.unit) == ("mandible_right", ("7",), "px of 3264x2448")
    assert part.manual.tolist() == [[[1, 0], [2, 0], [3, 0]]]
    errors = {method: part.errors(method).mean() for method in part.methods}
    assert errors == {SCRATCH: 1, SCRATCH_IMPROVED: 2, FINE_TUNED: 3, FINE_TUNED_IMPROVED: 4.5}


def test_the_name_may_be_given_and_others_stay(tmp_path):
    path = write(tmp_path, "pronotum_correlation.csv", CORRELATION)
    assert read_correlation(path).name == "pronotum"
    assert read_correlation(path, "wing").name == "wing"


def test_rows_of_specimens_may_be_mixed(tmp_path):
    text = "Image,Landmark,x1,y1,x2,y2\n1,1,1,1,1,1\n2,1,2,2,2,2\n1,2,3,3,3,3\n2,2,4,4,4,4\n"
    part = read_correlation(write(tmp_path, "a.csv", text))
    assert part.manual[:, :, 0].tolist() == [[1, 3], [2, 4]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CORRELATION.replace("Landmark", "Point"), r"a\.csv:1: 0 columns named Landmark or #Landmark or LM; expected"),
        (CORRELATION.replace("y2", "z2"), r"a\.csv:1: 0 columns named y2; expected one; name a result table"),
        (CORRELATION.replace("13", "dreizehn"), r"a\.csv:2: 'dreizehn' in column x2; expected a number"),
        (CORRELATION + "2,2,30,40,30,40\n", r"a\.csv:6: landmark 2 of specimen 2; expected landmark 3; each landmark"),
        (CORRELATION + "002,1,30,40,30,40\n", r"a\.csv:6: landmark 1 of specimen 002; expected landmark 3"),
        (CORRELATION.replace("04,1,1,2,1,2\n", ""), r"a\.csv:4: landmark 2 of specimen 04; expected landmark 1"),
        (CORRELATION.replace("2,2,30,40,30.5,40\n", ""), r"a\.csv:2: only 1 landmark of specimen 2; expected 2 as in"),
        (CORRELATION + "5,x,1,1,1,1\n", r"a\.csv:6: 'x' in column Landmark; expected a number"),
        (CORRELATION + "5,1.5,1,1,1,1\n", r"a\.csv:6: specimen '5', landmark '1\.5'; expected the numbers of both"),
        (CORRELATION + ",1,1,1,1,1\n", r"a\.csv:6: specimen '', landmark '1'"),
        ("Image,Landmark,x1,y1,x2,y2\n", r"a\.csv: a header and no rows; expected a row per specimen and landmark"),
    ],
)
def test_a_broken_table_says_where_and_what_to_do(tmp_path, text, message):
    with pytest.raises(UserError, match=message) as error:
        read_correlation(write(tmp_path, "a.csv", text))
    assert "\n" not in str(error.value)


FILES = {"elytre": (293, 11), "tete": (293, 10), "pronotum": (293, 8), "md": (290, 18), "mg": (286, 16)}
TPS = {
    SCRATCH: "prediction",
    SCRATCH_IMPROVED: "prediction_improved",
    FINE_TUNED: "fine_tuning",
    FINE_TUNED_IMPROVED: "fine_tuning_improved",
}


@pytest.mark.parametrize("name", FILES)
def test_the_published_summaries_say_what_their_tps_copies_say(shared_data, name):
    folder = shared_data / "beetle-founding-coordinates"
    if not (folder / "original_csv").is_dir():
        pytest.skip(f"needs the authors' coordinates in {folder}")
    part = read_summary(folder / "original_csv" / f"{name}.csv")
    assert (len(part.specimens), len(part.landmarks)) == FILES[name]
    ours = PARTS.get(name, name)
    load = {
        kind: formats.load(folder / f"{ours}_{kind}.tps", lambda _: (3264, 2448)) for kind in ("manual", *TPS.values())
    }
    tps = Part.join(ours, load["manual"], {method: load[kind] for method, kind in TPS.items()})
    assert (tps.name, tps.specimens, tps.methods) == (part.name, part.specimens, part.methods)
    np.testing.assert_array_equal(tps.manual, part.manual)
    for method in part.methods:
        np.testing.assert_allclose(tps.points(method), part.points(method), rtol=0, atol=0.006)  # six digits there
    wrong = (part.points(SCRATCH)[:, 1, 0] == part.points(SCRATCH)[:, 0, 0]).mean()
    assert (wrong == 1) == (name == "pronotum"), "the published pronotum repeats the x of landmark 1 in landmark 2"
