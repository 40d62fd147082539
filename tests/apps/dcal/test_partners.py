import pytest
import torch

from apps.dcal.partners import choose_partners, derange


@pytest.mark.parametrize("n", [2, 3, 8])
def test_nobody_is_its_own_partner_and_everybody_is_somebodys(n: int) -> None:
    seen = set()
    for seed in range(200):
        partner = derange(n, torch.Generator().manual_seed(seed))
        assert sorted(partner.tolist()) == list(range(n))
        assert (partner != torch.arange(n)).all()
        seen |= set(enumerate(partner.tolist()))
    assert len(seen) == n * (n - 1)  # every other picture comes up
    assert torch.equal(derange(n, torch.Generator().manual_seed(1)), derange(n, torch.Generator().manual_seed(1)))


def test_one_picture_has_no_partner() -> None:
    with pytest.raises(ValueError, match="no partners"):
        derange(1)


@pytest.mark.parametrize("source", ["inter", "intra", "mixed", "batch"])
def test_partners_are_of_the_kind_that_was_asked_for(source: str) -> None:
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 2, 3])
    for seed in range(50):
        partner, strays = choose_partners(source, labels, torch.Generator().manual_seed(seed))
        same = labels[partner] == labels
        assert (partner != torch.arange(8)).all()
        if source == "inter":
            assert not same.any()
            assert strays == 0
        if source == "intra":
            assert same[:-1].all()
            assert strays == 1  # the only one of class 3 gets anyone


def test_of_one_class_there_is_no_other_and_everybody_falls_back() -> None:
    partner, strays = choose_partners("inter", torch.zeros(4, dtype=torch.long), torch.Generator().manual_seed(0))
    assert strays == 4
    assert (partner != torch.arange(4)).all()
