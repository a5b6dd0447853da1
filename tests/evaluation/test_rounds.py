import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronotum.errors import UserError
from pronotum.evaluation import rounds
from pronotum.evaluation.part import Part
from pronotum.landmarks import Landmarks

BEETLES = [str(number) for number in range(1, 294)]


def without(*missing):
    return [one for one in BEETLES if int(one) not in missing]


LEFT, RIGHT = without(3, 7, 40, 66, 159, 248, 292), without(4, 146, 238)


def one_line(error) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("specimens", "size", "sizes"),
    [(BEETLES, 33, [33] * 8 + [29]), (RIGHT, 30, [30] * 9 + [20]), (LEFT, 26, [26] * 11)],
)
def test_contiguous_rounds_are_those_of_the_paper(specimens, size, sizes):
    plan = rounds.contiguous(specimens, size)
    assert [len(test) for test in plan.tests] == sizes
    assert plan.specimens == tuple(specimens)
    assert set(plan.training(7)).isdisjoint(plan.tests[6])
    assert len(plan.training(7)) == len(specimens) - size


@given(n=st.integers(2, 60), n_rounds=st.integers(2, 9), seed=st.integers(0, 99))
def test_shuffled_rounds_test_every_specimen_once(n, n_rounds, seed):
    specimens = [f"p_{i:03d}" for i in range(n)]
    if n < n_rounds:
        with pytest.raises(UserError, match=f"{n_rounds} rounds of {n} specimens"):
            rounds.shuffled(specimens, n_rounds, seed=seed)
        return
    plan = rounds.shuffled(specimens, n_rounds, seed=seed)
    assert plan == rounds.shuffled(specimens, n_rounds, seed=seed)
    assert sorted(plan.specimens) == specimens
    assert max(map(len, plan.tests)) - min(map(len, plan.tests)) <= 1
    for number, test in enumerate(plan.tests, start=1):
        assert sorted([*plan.training(number), *test]) == specimens


def test_shuffling_depends_on_the_seed_and_is_not_the_order_of_acquisition():
    assert rounds.shuffled(BEETLES, 9, seed=0) != rounds.shuffled(BEETLES, 9, seed=1)
    assert np.abs(np.diff([int(one) for one in rounds.shuffled(BEETLES, 9).tests[0]])).max() > 5


def test_groups_are_not_divided():
    groups = {one: str(int(one) // 7) for one in BEETLES}
    for test in rounds.shuffled(BEETLES, 5, groups=groups).tests:
        inside = {groups[one] for one in test}
        assert inside.isdisjoint(groups[one] for one in BEETLES if one not in test)
    with pytest.raises(UserError, match="1 specimen without a group: 293"):
        rounds.shuffled(BEETLES, 5, groups={one: "a" + one for one in BEETLES[:-1]})


def test_one_plan_serves_parts_that_lack_different_specimens():
    plan = rounds.contiguous(rounds.specimens_of({"left": LEFT, "right": RIGHT, "pronotum": BEETLES}), 33)
    assert plan.specimens == tuple(BEETLES)
    for part in (LEFT, RIGHT, list(reversed(BEETLES))):
        folds = plan.folds(part)
        assert sorted(np.concatenate(folds).tolist()) == list(range(len(part)))
        for number, fold in enumerate(folds, start=1):
            assert {part[i] for i in fold} == set(plan.tests[number - 1]) & set(part)


def test_several_rows_of_a_specimen_stay_in_one_round():
    plan = rounds.contiguous(["1", "1", "2", "3", "3", "4"], 2)
    assert plan.tests == (("1", "2"), ("3", "4"))
    assert plan.rounds_of(["4", "1", "01", "3"]).tolist() == [2, 1, 1, 2]


def test_padding_and_case_do_not_make_another_specimen_but_digits_do():
    assert rounds.key(" P_001 ") == rounds.key("p_1")
    assert rounds.key("10") != rounds.key("1")
    assert rounds.key("p_0") == "p_0"
    assert len({rounds.key(one) for one in BEETLES}) == len(BEETLES)


def test_specimens_come_in_natural_order():
    assert rounds.specimens_of({"a": ["p10", "p9", "p1"], "b": ["p2", "p10"]}) == ("p1", "p2", "p9", "p10")


def test_parts_that_do_not_match_are_refused():
    with pytest.raises(UserError) as error:
        rounds.specimens_of({"pronotum": ["1", "2"], "head": ["t_1", "t_2"]})
    assert "no specimen in common with head" in one_line(error)
    with pytest.raises(UserError) as error:
        rounds.specimens_of({"pronotum": BEETLES, "left": LEFT}, complete=True)
    assert "left: lacks 7 of 293 specimens: 3, 7, 40, 66, 159 ..." in one_line(error)
    with pytest.raises(UserError) as error:
        rounds.contiguous(BEETLES[:200], 33).rounds_of(["1", "250"], "head")
    assert "head: 1 of 2 specimens are not in the plan of rounds: 250" in one_line(error)


@pytest.mark.parametrize("make", [lambda ids: rounds.contiguous(ids, 2), lambda ids: rounds.shuffled(ids, 2)])
def test_rows_without_identity_are_refused(make):
    with pytest.raises(UserError) as error:
        make(["1", "", "3", " "])
    assert "2 rows without identity, the first is row 2" in one_line(error)


@pytest.mark.parametrize("size", [0, 4, 9])
def test_a_size_must_leave_two_rounds(size):
    with pytest.raises(UserError) as error:
        rounds.contiguous(["1", "2", "3", "4"], size)
    assert "expected 1 to 3" in one_line(error)


def test_a_plan_by_hand_must_be_one():
    for tests in ((("1",),), (("1",), ()), (("1",), ("01",))):
        with pytest.raises(ValueError, match="two rounds or more"):
            rounds.Plan(tests)


def test_contamination_is_found_across_parts_and_spellings():
    assert rounds.contaminated(["p_001", "p_7"], ["P_01", "p_2"]) == {"P_01"}
    assert rounds.contaminated(["3", "4"], ["1", "2"]) == set()
    with pytest.raises(UserError, match="without identity"):
        rounds.contaminated(["3", ""], ["1"])


def test_pretraining_on_one_round_contaminates_all_the_others():
    plan = rounds.contiguous(BEETLES, 33)
    pretraining = plan.training(7)
    rounds.require_clean(pretraining, plan, 7)
    assert rounds.contaminated(pretraining, plan.tests[6]) == set()
    for number in (1, 2, 3, 4, 5, 6, 8, 9):
        assert rounds.contaminated(pretraining, plan.tests[number - 1]) == set(plan.tests[number - 1])
        with pytest.raises(UserError, match="test specimens are in the pre-training") as error:
            rounds.require_clean(pretraining, plan, number)
        one_line(error)


def specimens(*identities, k=2):
    return [Landmarks(np.full((k, 2), float(i)), id=one) for i, one in enumerate(identities)]


def test_files_are_joined_by_identity_not_by_row():
    part = Part.join("head", specimens("1", "2", "3"), {"scratch": specimens("003", "1", "2")})
    assert part.errors("scratch")[:, 0].tolist() == [np.sqrt(2), np.sqrt(2), 2 * np.sqrt(2)]
    assert part.representatives("scratch") == {"best": "1", "median": "2", "worst": "3"}
    assert part.select(np.array([2, 0])).specimens == ("3", "1")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (specimens("1"), "1 specimen missing, 0 too many: 2"),
        (specimens("1", "2", "9"), "0 specimens missing, 1 too many: 9"),
        (specimens("1", "01"), "two rows of one specimen"),
        (specimens("1", ""), "1 row without identity"),
        (specimens("1", "2", k=3), "3 landmarks; expected 2"),
        ([], "no specimens"),
    ],
)
def test_files_that_do_not_match_are_refused(rows, message):
    with pytest.raises(UserError) as error:
        Part.join("head", specimens("1", "2"), {"scratch": rows})
    assert one_line(error).startswith("head: scratch")
    assert message in str(error.value)


def test_a_contaminated_specimen_must_be_one_of_the_part():
    with pytest.raises(ValueError, match="not there"):
        Part.join("head", specimens("1"), {"a": specimens("1")}, contaminated={"a": frozenset("2")})
    with pytest.raises(ValueError, match="not there"):
        Part.join("head", specimens("1"), {"a": specimens("1")}, contaminated={"b": frozenset("1")})
