"""Nothing that a person has said is lost, and nothing else gets into the landmark file."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pronotum.desk import store as stores
from pronotum.desk.specimens import Conflict
from pronotum.desk.states import Edit, History, Refused, State, apply
from pronotum.errors import UserError
from pronotum.formats import tps
from pronotum.landmarks import Landmarks, Scheme

from .conftest import N_LANDMARKS, SIZE


def place(k, x, y):
    return Edit(what="place", landmark=k, x=x, y=y)


def on_disk(folder, image):
    """The points of a photograph as any other program would read them, y down."""
    sizes = {"b3.jpg": (240, 320)}
    found = tps.load(folder / "landmarks.tps", lambda name: sizes.get(name, SIZE))
    return next(one for one in found if one.image == image)


def with_scheme(store, n=N_LANDMARKS):
    store.set_scheme(Scheme.numbered(n))


def test_a_landmark_is_in_the_file_where_it_was_placed(photographs, opened):
    store = opened(photographs)
    with_scheme(store)
    assert not store.file.exists()
    store.edit("b3.jpg", 0, place(2, 17.25, 301.5))
    found = on_disk(photographs, "b3.jpg")
    assert found.points[2].tolist() == [17.25, 301.5]
    assert np.isnan(np.delete(found.points, 2, axis=0)).all()
    # tpsDig counts from the lower edge of the photograph as it is seen: 320 - 301.5
    assert "17.25000 18.50000" in store.file.read_text()


def test_what_the_record_holds_beside_landmarks_survives(photographs, opened):
    lines = "LM=2\r\n10 20\r\n30.00 40.0\r\nIMAGE=b1.jpg\r\nID=A7\r\nCOMMENT=left wing\r\nVARIABLES=a b\r\n\r\n"
    other = "LM=2\r\n1 2\r\n3 4\r\nIMAGE=not here.jpg\r\n"
    (photographs / "landmarks.tps").write_bytes((lines + other).encode())
    store = opened(photographs)
    assert [str(one) for one in store.problems] == [
        "not here.jpg: photograph 'not here.jpg' not found; put it beside the landmark file or below"
    ]
    store.edit("b1.jpg", 0, place(1, 31, 200))
    expected = lines.replace("30.00 40.0\r\n", "31.00000 40.00000\r\n") + other
    assert (photographs / "landmarks.tps").read_bytes() == expected.encode()


def test_who_when_what_is_in_the_journal(digitised, opened):
    store = opened(digitised, who="bert")
    store.edit("b1.jpg", 0, place(0, 5, 6))
    lines = [json.loads(line) for line in (digitised / ".desk" / "journal.jsonl").read_text().splitlines()]
    entry, confirmed = lines
    assert (entry["by"], entry["what"], entry["specimen"], entry["landmark"]) == ("bert", "place", "b1.jpg", 1)
    assert entry["after"]["points"][0] == [5, 6]
    assert entry["at"].startswith("20")
    assert confirmed == {"saved": 1}


def test_undo_and_redo_also_after_closing(digitised, opened):
    store = opened(digitised)
    before = digitised.joinpath("landmarks.tps").read_bytes()
    store.edit("b1.jpg", 0, place(0, 5, 6))
    store.edit("b1.jpg", 1, Edit(what="missing", landmark=1))
    changed = digitised.joinpath("landmarks.tps").read_bytes()
    store = opened(digitised)
    store.undo("b1.jpg", 2)
    one = store.undo("b1.jpg", 3)
    assert digitised.joinpath("landmarks.tps").read_bytes() == before
    assert one.state.accepted
    with pytest.raises(Refused, match="nothing to undo"):
        store.undo("b1.jpg", 4)
    store.undo("b1.jpg", 4, "redo")
    store.undo("b1.jpg", 5, "redo")
    assert digitised.joinpath("landmarks.tps").read_bytes() == changed


def test_undoing_the_first_landmark_leaves_no_file(photographs, opened):
    store = opened(photographs)
    with_scheme(store)
    store.edit("b1.jpg", 0, place(0, 5, 6))
    store.undo("b1.jpg", 1)
    assert not store.file.exists()
    assert opened(photographs).get("b1.jpg").history.revision == 2


def test_two_windows_do_not_overwrite_each_other(digitised, opened):
    store = opened(digitised)
    store.edit("b1.jpg", 0, place(0, 5, 6))
    with pytest.raises(Conflict, match=r"b1\.jpg: changed meanwhile by me") as caught:
        store.edit("b1.jpg", 0, place(0, 50, 60))
    assert caught.value.specimen.state.points[0].tolist() == [5, 6]
    store.edit("b2.jpg", 0, place(0, 50, 60))  # another specimen is no conflict
    assert on_disk(digitised, "b1.jpg").points[0].tolist() == [5, 6]


def test_another_program_is_a_conflict_too(digitised, opened):
    store = opened(digitised)
    store.edit("b1.jpg", 0, place(0, 5, 6))
    path = digitised / "landmarks.tps"
    theirs = on_disk(digitised, "b1.jpg")
    points = np.array(theirs.points)
    points[0] = 77, 88
    tps.save(path, [theirs.with_points(points), on_disk(digitised, "b2.jpg")])
    with pytest.raises(Conflict, match="another program"):
        store.edit("b1.jpg", 1, place(1, 9, 9))
    assert store.get("b1.jpg").state.points[0].tolist() == [77, 88]
    one = store.undo("b1.jpg", 2)  # and what it overwrote can be had back
    assert one.state.points[0].tolist() == [5, 6]


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_crash_between_journal_and_landmark_file_loses_nothing(digitised, opened, kept):
    """The journal holds three changes; the landmark file is as it was after `kept` of them."""
    store, path = opened(digitised), digitised / "landmarks.tps"
    versions = [path.read_bytes()]
    for k in range(3):
        store.edit("b1.jpg", k, place(k, 10 + k, 20 + k))
        versions.append(path.read_bytes())
    store.close()
    journal = digitised / ".desk" / "journal.jsonl"
    lines = [line for line in journal.read_text().splitlines() if "saved" not in line]
    journal.write_text("\n".join(lines) + '\n{"saved": 0}\n{"n": 4, "at": "2026-')  # and the last line is torn
    path.write_bytes(versions[kept])
    (digitised / ".landmarks-abc.tps").write_text("half a fi")
    store = opened(digitised)
    assert path.read_bytes() == versions[3]
    assert store.get("b1.jpg").state.points[:3].tolist() == [[10, 20], [11, 21], [12, 22]]
    assert not list(digitised.glob(".landmarks-*"))
    store.edit("b1.jpg", 3, place(3, 1, 1))
    assert opened(digitised).get("b1.jpg").history.revision == 4


def test_a_new_record_is_replayed_too(photographs, opened):
    store = opened(photographs)
    with_scheme(store)
    store.edit("b2.jpg", 0, place(0, 3, 4))
    store.close()
    journal = photographs / ".desk" / "journal.jsonl"
    journal.write_text("\n".join(line for line in journal.read_text().splitlines() if "saved" not in line) + "\n")
    store.file.unlink()
    opened(photographs)
    assert on_disk(photographs, "b2.jpg").points[0].tolist() == [3, 4]


def test_a_landmark_file_that_cannot_be_written_is_told_and_caught_up(digitised, opened, monkeypatch):
    store = opened(digitised)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(stores.tps, "save", full)
        one = store.edit("b1.jpg", 0, place(0, 5, 6))
        assert "No space left on device" in store.trouble
        assert one.history.revision == 1
    store.edit("b1.jpg", 1, place(1, 7, 8))
    assert store.trouble == ""
    assert on_disk(digitised, "b1.jpg").points[:2].tolist() == [[5, 6], [7, 8]]


def test_acceptance_takes_over_what_was_predicted(photographs, opened):
    store = opened(photographs)
    with_scheme(store, 3)
    store.edit("b1.jpg", 0, place(0, 5, 6))
    predicted = np.array([[50, 60], [70.5, 80.25], [np.nan, np.nan]])
    with pytest.raises(Refused, match="landmark 3: not placed yet"):
        store.edit("b1.jpg", 1, Edit(what="accept"), predicted=predicted)
    store.edit("b1.jpg", 1, Edit(what="missing", landmark=2))
    one = store.edit("b1.jpg", 2, Edit(what="accept"), predicted=predicted)
    assert one.state.accepted
    assert on_disk(photographs, "b1.jpg").points[:2].tolist() == [[5, 6], [70.5, 80.25]]
    assert opened(photographs).get("b1.jpg").state.missing == {2}


def test_scale_and_missing_survive_without_a_record(photographs, opened):
    store = opened(photographs)
    with_scheme(store)
    store.edit("b1.jpg", 0, Edit(what="scale", scale=0.0123))
    store.edit("b1.jpg", 1, Edit(what="missing", landmark=4))
    assert not store.file.exists()  # a file of nothing but missing landmarks is none
    one = opened(photographs).get("b1.jpg")
    assert (one.state.scale, one.state.missing) == (0.0123, {4})
    store = opened(photographs)
    store.edit("b1.jpg", 2, place(0, 1, 2))
    assert on_disk(photographs, "b1.jpg").scale == 0.0123


def test_records_without_landmarks_wait_for_them(photographs, opened):
    (photographs / "landmarks.tps").write_text("LM=0\nIMAGE=b2.jpg\nID=0\nLM=0\nIMAGE=b1.jpg\nID=1\n")  # as tpsUtil
    store = opened(photographs)
    with_scheme(store, 2)
    assert not store.accepted
    store.edit("b1.jpg", store.get("b1.jpg").history.revision, place(1, 3, 4))
    text = store.file.read_text()
    assert text == "LM=0\nIMAGE=b2.jpg\nID=0\nLM=2\n-1.00000 -1.00000\n3.00000 236.00000\nIMAGE=b1.jpg\nID=1\n"
    assert opened(photographs).get("b1.jpg").state.placed == [False, True]


def test_a_longer_scheme_asks_again_and_a_shorter_one_is_refused(digitised, opened):
    store = opened(digitised)
    with pytest.raises(Refused, match="7 landmarks, and specimens with 8; expected at least 8"):
        with_scheme(store, 7)
    with_scheme(store, 9)
    assert not store.accepted
    assert on_disk(digitised, "b1.jpg").n_landmarks == 9
    assert opened(digitised).get("b1.jpg").state.placed == [True] * 8 + [False]


def test_several_specimens_on_a_photograph(photographs, opened):
    text = "LM=1\n1 1\nIMAGE=b1.jpg\nID=a\nLM=1\n2 2\nIMAGE=b1.jpg\nID=b\n"
    (photographs / "landmarks.tps").write_text(text)
    store = opened(photographs)
    assert [one.key for one in store] == ["b1.jpg", "b1.jpg#2", "b2.jpg", "b3.jpg"]
    store.edit("b1.jpg#2", 0, place(0, 5, 5))
    assert (photographs / "landmarks.tps").read_text() == text.replace("2 2", "5.00000 235.00000")


def test_records_of_another_file_are_taken_over_where_there_are_none(digitised, opened):
    store = opened(digitised)
    new = Landmarks(np.full((8, 2), 9.0), image="b3.jpg")
    mine = Landmarks(np.linspace([9, 9], [300, 200], 8), image="b1.jpg")
    stranger = Landmarks(np.full((8, 2), 9.0), image="x.jpg")
    done = store.bring_in([new, mine, stranger])
    assert done.taken == ("b3.jpg",)
    assert [one.what for one in done.left] == [
        "has landmarks here already; yours were kept",
        "photograph 'x.jpg' not found; put it beside the landmark file or below",
    ]
    assert (on_disk(digitised, "b3.jpg").points == 9).all()


def square(x, image="b1.jpg", name=""):
    return Landmarks(np.array([[x, 10.0], [x + 20, 10], [x + 20, 30], [x, 30]]), image, name)


@pytest.fixture
def one_of_two(photographs):
    """A project with one of the two specimens of a photograph."""
    tps.save(photographs / "landmarks.tps", [square(100, name="a")], lambda name: SIZE)
    return photographs


def test_a_later_file_brings_further_specimens_of_a_photograph(one_of_two, opened):
    store = opened(one_of_two)
    again = square(100.4)  # as formats have it that keep whole px
    other = replace(square(200, name="a"), scale=0.5)
    done = store.bring_in([other, again, replace(other, id="c"), square(30, "b2.jpg")])
    assert done.taken == ("b1.jpg#2", "b2.jpg")
    assert [str(one) for one in done.left] == [
        "b1.jpg: has landmarks here already; yours were kept",
        "b1.jpg (ID=c): has the landmarks of another record of the photograph; they were taken once",
    ]
    found = tps.load(one_of_two / "landmarks.tps", lambda name: SIZE)
    assert [(one.image, one.points[0, 0], one.scale) for one in found] == [
        ("b1.jpg", 100, None),
        ("b1.jpg", 200, 0.5),
        ("b2.jpg", 30, None),
    ]
    assert len({one.id for one in found}) == 3
    store.reload()
    assert [one.key for one in store] == ["b1.jpg", "b1.jpg#2", "b2.jpg", "b3.jpg"]
    assert store.bring_in([other, again]).taken == ()
    undone = store.undo("b1.jpg#2", store.get("b1.jpg#2").history.revision)
    assert not undone.state.touched
    store.close()
    assert opened(one_of_two).undo("b1.jpg#2", undone.history.revision, "redo").state.accepted


def test_ids_tell_specimens_of_a_photograph_apart(photographs, opened):
    tps.save(photographs / "landmarks.tps", [square(100, name="a"), square(200, name="b")], lambda name: SIZE)
    store = opened(photographs)
    done = store.bring_in([square(140, name="b"), square(160, name="a"), square(30, name="c")])
    assert (done.taken, len(done.left)) == (("b1.jpg#3",), 2)
    assert store.get("b1.jpg#3").id == "c"


def test_a_file_of_the_second_specimen_alone_is_told_what_to_do(one_of_two, opened):
    (left,) = opened(one_of_two).bring_in([square(200)]).left
    assert left.what.startswith("has landmarks here already; yours were kept; if it is another specimen on the")
    assert left.what.endswith("send one file with both")


def test_a_new_specimen_that_could_not_be_written_is_in_the_journal(one_of_two, opened, monkeypatch):
    store = opened(one_of_two)
    with monkeypatch.context() as full:
        full.setattr(stores.tps, "save", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "full")))
        store.bring_in([square(100), square(200)])
        assert "safe in the journal" in store.trouble
    store.close()
    found = opened(one_of_two)
    assert found.get("b1.jpg#2").state.accepted
    assert [one.points[0, 0] for one in tps.load(found.file, lambda name: SIZE)] == [100, 200]


def test_links_that_lead_out_are_not_followed(photographs, tmp_path, opened):
    outside = tmp_path / "secret.jpg"
    outside.write_bytes((photographs / "b1.jpg").read_bytes())
    (photographs / "link.jpg").symlink_to(outside)
    store = opened(photographs)
    assert [str(one) for one in store.problems] == ["link.jpg: a link that leads out of the project"]
    with pytest.raises(Refused):
        store.get("link.jpg")
    store.close()
    (tmp_path / "other.tps").write_text("LM=1\n1 1\nIMAGE=b1.jpg\n")
    (photographs / "landmarks.tps").symlink_to(tmp_path / "other.tps")
    with pytest.raises(UserError, match="leads out of the project"):
        opened(photographs)


def test_one_desk_at_a_time(photographs, opened):
    opened(photographs)
    with pytest.raises(UserError, match="open in another desk"):
        stores.Store(photographs, "bert")


def test_several_landmark_files_need_a_choice(photographs, opened):
    (photographs / "a.tps").write_text("LM=1\n1 1\nIMAGE=b1.jpg\n")
    assert opened(photographs).file.name == "a.tps"
    (photographs / "b.tps").write_text("LM=1\n1 1\nIMAGE=b1.jpg\n")
    with pytest.raises(UserError, match=r"2 TPS files \(a.tps, b.tps\); expected one; call the one"):
        opened(photographs)


def test_a_damaged_journal_is_named_by_line(digitised, opened):
    opened(digitised).edit("b1.jpg", 0, place(0, 5, 6))
    journal = digitised / ".desk" / "journal.jsonl"
    journal.write_text("nonsense\n" + journal.read_text())
    with pytest.raises(UserError, match=r"journal.jsonl:1: not a line of the journal"):
        opened(digitised)


@pytest.mark.parametrize(("x", "y"), [(-0.6, 0), (0, -0.6), (319.6, 0), (0, 239.6)])
def test_places_outside_the_photograph_are_refused(x, y):
    with pytest.raises(Refused, match="outside the photograph"):
        apply(State.empty(3), place(0, x, y), SIZE)


def test_a_landmark_that_there_is_not_is_refused():
    with pytest.raises(Refused, match="no such landmark; expected 0 to 2"):
        apply(State.empty(3), place(3, 0, 0), SIZE)


def test_clearing_reopens_and_moving_does_not():
    state = apply(State.empty(1), place(0, 1, 1), SIZE)
    state = apply(state, Edit(what="accept"), SIZE)
    assert apply(state, place(0, 2, 2), SIZE).accepted
    assert not apply(state, Edit(what="clear", landmark=0), SIZE).accepted


@settings(max_examples=50)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("place"), st.integers(0, 2), st.floats(0, 319), st.floats(0, 239)),
            st.tuples(st.sampled_from(["missing", "clear"]), st.integers(0, 2)),
            st.tuples(st.sampled_from(["undo", "redo"])),
        ),
        max_size=20,
    )
)
def test_undoing_everything_leads_to_the_beginning(steps):
    """Against a slow model: a list of all states and a place in it."""
    history, model, at = History(State.empty(3)), [State.empty(3)], 0
    for step in steps:
        if step[0] in ("undo", "redo"):
            to = at + (1 if step[0] == "redo" else -1)
            if not 0 <= to < len(model):
                with pytest.raises(Refused):
                    history.target(step[0])
                continue
            at = to
            history = history.step(step[0], history.target(step[0]), "a", "")
        else:
            edit = Edit(what=step[0], landmark=step[1], **dict(zip("xy", step[2:], strict=False)))
            history = history.step(step[0], apply(history.state, edit, SIZE), "a", "")
            model, at = [*model[: at + 1], history.state], at + 1
        assert history.state.same(model[at])
    assert history.revision >= at


def test_states_round_trip_as_json():
    state = State(np.array([[1.5, 2.25], [np.nan, np.nan]]), frozenset({1}), True, 0.01)
    assert State.from_plain(json.loads(json.dumps(state.as_plain()))).same(state)


def test_the_journal_has_a_change_before_the_landmark_file_is_touched(digitised, opened, monkeypatch):
    store, path = opened(digitised), digitised / "landmarks.tps"
    before, seen = path.read_bytes(), []

    def killed(*_, **__):
        seen.append((path.read_bytes(), json.loads(store.journal.path.read_text())["after"]["points"][0]))
        raise OSError(5, "killed")

    monkeypatch.setattr(stores.tps, "save", killed)
    store.edit("b1.jpg", 0, place(0, 5, 6))
    assert seen == [(before, [5, 6])]
