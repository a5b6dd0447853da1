"""What turning a dial means for the settings of a training."""

import pytest

from pronotum import demo, preparation
from pronotum.errors import UserError
from pronotum.models import architecture
from pronotum.search_space import SearchSpace
from pronotum.settings import resolve
from pronotum.workflows import TrainOptions


@pytest.fixture(scope="module")
def beetles(tmp_path_factory):
    return demo.draw_beetles(tmp_path_factory.mktemp("beetles"), "pronotum", n=4, seed=0, size=(640, 480))


def space(data, **options):
    return SearchSpace.of(data, TrainOptions(pose="upright", **options))


def test_defaults_change_nothing_and_cost_one(beetles):
    found = space(beetles, preset="fast")
    assert [dial.name for dial in found.dials] == ["resolution", "rate", "augmentation", "epochs"]
    assert found.settings(found.defaults) == {}
    assert found.cost(found.defaults) == 1


def test_dials_multiply_what_was_asked_for(beetles):
    found = space(beetles, preset="fast", overrides={"rate": "0.002", "coarse_steps": "101"})
    turned = found.settings({**found.defaults, "rate": 1.5, "epochs": 0.5})
    kind = architecture.named("heatmap")
    settings, _ = resolve(kind, beetles, turned, "fast")
    usual = kind.preset("fast")
    assert settings.rate == 0.003
    assert (settings.coarse_steps, settings.fine_steps) == (50, usual.fine_steps // 2)
    assert settings.augmentation == usual.augmentation


def test_more_augmentation_stays_within_what_is_possible(beetles):
    found = space(beetles, overrides={"paste": 0.9})
    turned = found.settings({**found.defaults, "augmentation": 1.5})
    settings, _ = resolve(architecture.named("heatmap"), beetles, turned, None)
    assert settings.augmentation.rotation == 30
    assert settings.bend == 1.5
    assert settings.paste == 1


@pytest.mark.parametrize(("pose", "name"), [("upright", "heatmap"), ("free", "free")])
def test_resolution_is_the_config_of_that_area(beetles, pose, name):
    kind, found = architecture.named(name), SearchSpace.of(beetles, TrainOptions(pose=pose))
    for area in kind.areas:
        turned = found.settings({**found.defaults, "resolution": area / kind.areas[0]})
        _, config = resolve(kind, beetles, turned, None)
        assert config == preparation.configure(kind, beetles, area)
    assert len({str(preparation.configure(kind, beetles, area)) for area in kind.areas}) == 3


def test_the_papers_networks_see_pictures_as_they_are_or_vary_them(beetles):
    found = space(beetles, model="ebnet3")
    assert [dial.name for dial in found.dials] == ["rate", "augmentation", "epochs"]
    assert found.settings(found.defaults) == {}
    turned = found.settings({**found.defaults, "augmentation": 0.5})
    settings, _ = resolve(architecture.named("ebnet3"), beetles, turned, None)
    assert settings.geometric
    assert settings.augmentation.rotation == 10


def test_what_cannot_be_varied_is_said(beetles):
    with pytest.raises(UserError, match="no 'resolution' to vary in --model ebnet3"):
        SearchSpace.of(beetles, TrainOptions(model="ebnet3"), ["resolution"])
    with pytest.raises(UserError, match="did you mean 'epochs'"):
        SearchSpace.of(beetles, TrainOptions(pose="upright"), ["epoch"])
