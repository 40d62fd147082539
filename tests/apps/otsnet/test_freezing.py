from typing import Any

import pytest
import torch

from apps.base.optim import Optim, parameter_groups
from apps.otsnet.freezing import layer_groups
from apps.otsnet.options import Quantize
from apps.otsnet.task import Reading
from tests.apps.otsnet.tiny import eyes, pictures, reader, words
from tests.apps.otsnet.tiny_files import FACTS


def task(freeze: int) -> Reading:
    made = Reading(observe=eyes(), quantize=Quantize(codes=8, code_width=8), optim=Optim(freeze=freeze))
    made.build({**FACTS, "slots": 6})
    made.train()
    return made


def step(made: Reading) -> None:
    parameter_groups(made.model, made.optim, made.layers())
    tokens = words("abc", "de", "f")
    output = made.model(pictures(), made.model.teach(tokens, 0, 0.5))
    torch.stack(list(made.model.losses(output, tokens).values())).sum().backward()
    made.model.follow([(output, tokens)], 0, 0.5)


@pytest.mark.parametrize("name", ["otsnet", "ctc", "parseq"])
def test_every_layer_is_its_own_rate_from_the_picture_to_the_word(name: Any) -> None:
    model = reader(name)
    found = parameter_groups(model, Optim(lr=1.0, layer_decay=0.5), layer_groups(model))
    rate_of = {id(parameter): group["lr"] for group in found for parameter in group["params"]}
    rates = {key: rate_of[id(parameter)] for key, parameter in model.named_parameters()}
    stem, block = rates["observer.stem.0.weight"], rates["observer.blocks.0.attn.proj.weight"]
    eyes_end, heads = rates["observer.norm.weight"], {rate for key, rate in rates.items() if "head" in key}
    assert stem == rates["observer.place"] < block < eyes_end < 1
    assert heads == {1.0}


def test_what_is_frozen_moves_in_no_way() -> None:
    before = {name: value.clone() for name, value in task(2).model.state_dict().items()}
    free, frozen = task(0), task(2)
    for made in (free, frozen):
        made.model.load_state_dict(before)
        step(made)
    frozen_names = {name for name, parameter in frozen.model.named_parameters() if not parameter.requires_grad}
    assert {name.split(".")[1] for name in frozen_names} == {"stem", "place", "blocks"}
    moved = {name for name, value in frozen.model.state_dict().items() if not torch.equal(value, before[name])}
    assert not any(name.startswith("observer.") for name in moved)
    assert any(name.startswith("observer.stem") for name, value in free.model.state_dict().items() if not torch.equal(value, before[name]))


def test_frozen_codes_follow_nobody() -> None:
    for freeze, follows in ((0, True), (len(task(0).layers()), False)):
        made = task(freeze)
        before = made.model.state_dict()["quantizer.book.rows"].clone()
        for _ in range(3):
            step(made)
        assert torch.equal(made.model.state_dict()["quantizer.book.rows"], before) is not follows
