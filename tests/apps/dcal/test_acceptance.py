import json

import pytest
import torch

from apps.dcal.acceptance import acceptance
from apps.dcal.embed import Embed
from apps.dcal.ranking import Gathered
from tests.apps.dcal.tiny_files import facts, tiny_model


def gathered(identities: int = 40, cameras: int = 3, spread: float = 0.8, seed: int = 0) -> Gathered:
    generator = torch.Generator().manual_seed(seed)
    identity = torch.arange(identities).repeat_interleave(cameras)
    vectors = torch.randn(identities, 8, generator=generator)[identity] + spread * torch.randn(len(identity), 8, generator=generator)
    camera = torch.arange(cameras).repeat(identities)
    return Gathered(vectors, identity, camera, torch.zeros(len(identity), dtype=torch.bool))


def pairs(data: Gathered) -> tuple[torch.Tensor, torch.Tensor]:
    """(cosines of strangers, of one identity's), over different cameras, one by one."""
    unit = torch.nn.functional.normalize(data.vectors.double(), dim=1)
    strangers, own = [], []
    for i in range(len(unit)):
        for j in range(i):
            if data.camera[i] != data.camera[j]:
                (own if data.identity[i] == data.identity[j] else strangers).append(float(unit[i] @ unit[j]))
    return torch.tensor(strangers), torch.tensor(own)


def test_the_threshold_accepts_the_wanted_share_of_strangers_of_other_cameras() -> None:
    data = gathered()
    strangers, own = pairs(data)
    rows = acceptance(data)
    assert [row["far"] for row in rows] == [0.1, 0.01]  # 4,680 pairs are too few for one in a thousand
    for row in rows:
        accepted = int((strangers > row["threshold"] + 1e-12).sum())
        assert accepted == int(row["far"] * len(strangers))
        assert row["tar"] == pytest.approx(float((own > row["threshold"]).double().mean()))
        assert row["pairs"] == len(strangers)


def test_ties_accept_fewer_never_more() -> None:
    data = gathered()
    (row, *_) = acceptance(data._replace(vectors=data.vectors.sign()))
    strangers, _ = pairs(data._replace(vectors=data.vectors.sign()))
    assert float((strangers > row["threshold"] + 1e-12).double().mean()) <= row["far"]


@pytest.mark.parametrize("camera", [-1, 0])
def test_without_pairs_of_different_known_cameras_there_is_no_threshold(camera: int) -> None:
    data = gathered()
    assert acceptance(data._replace(camera=torch.full_like(data.camera, camera))) == []


def test_too_few_pairs_give_no_threshold_and_no_pictures_neither() -> None:
    assert acceptance(gathered(identities=3)) == []
    data = gathered()
    assert acceptance(Gathered(*(value[:0] for value in data))) == []


def test_many_pictures_are_thinned_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.dcal.acceptance.MOST", 90)
    rows = acceptance(gathered(identities=60))  # 180 pictures: every second one
    assert 0 < rows[0]["pairs"] < 90 * 89 / 2


def test_rows_survive_a_checkpoint_and_json() -> None:
    rows = acceptance(gathered())
    assert json.loads(json.dumps(rows)) == rows


def test_a_fingerprint_follows_weights_preparation_and_branches_not_the_threshold() -> None:
    def model(seed: int = 0, branches: str = "both", rows: int = 1, **changed: object) -> str:
        plain = facts(rows)
        plain["preprocess"] |= changed
        return Embed(tiny_model(seed), plain, [], branches).metadata()["model"]

    assert model() == model(rows=2)
    assert len({model(), model(seed=1), model(branches="sa"), model(branches="glca"), model(share=0.5, fit="crop")}) == 5
