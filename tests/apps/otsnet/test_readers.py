from types import SimpleNamespace
from typing import Any

import pytest
import torch

from apps.otsnet import losses
from apps.otsnet.ctc import greedy, unwritable
from apps.otsnet.options import Ctc, Decoder, Observe
from apps.otsnet.parseq import draw_orders, order_mask
from apps.otsnet.readers import build_reader
from apps.otsnet.task import Reading
from tests.apps.otsnet.tiny import PAD, eyes, otsnet, pictures, reader, words
from tests.apps.otsnet.tiny_files import FACTS


@pytest.mark.parametrize("name", ["otsnet", "ctc", "parseq"])
def test_every_reader_is_asked_the_same_and_learns(name: Any) -> None:
    model, tokens = reader(name, scale=1.0), words("abc", "de", "f")
    answer = model.read(pictures())
    assert answer.tokens.shape == answer.probs.shape == answer.first.shape == (3, 6)
    assert answer.attention.shape == (3, 6, 64)
    torch.testing.assert_close(answer.attention.sum(-1), torch.ones(3, 6))
    assert answer.margin.shape == (3,)
    model.train()
    optimizer, seen = torch.optim.Adam(model.parameters(), 3e-3), []
    for step in range(15):
        output = model(pictures(), model.teach(tokens, step, 0.0))  # type: ignore[arg-type]
        loss = torch.stack(list(model.losses(output, tokens).values())).sum()  # type: ignore[arg-type]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.follow([(output, tokens)], step, 0.0)  # type: ignore[arg-type]
        seen.append(float(loss.detach()))
    assert seen[-1] < 0.8 * seen[0]
    assert [n for n, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("name", ["ctc", "parseq"])
def test_pictures_are_read_alone_as_in_a_batch(name: Any) -> None:
    model, x = reader(name), pictures(7)
    together = model.read(x)
    for i in range(7):
        alone = model.read(x[i : i + 1])
        assert torch.equal(alone.tokens[0], together.tokens[i])
        torch.testing.assert_close(alone.probs[0], together.probs[i], rtol=0, atol=1e-5)


# --- columns ---------------------------------------------------------------------------------------------------------


def path(*classes: int) -> torch.Tensor:
    p = torch.full((1, len(classes), 7), 0.05)
    p[0, torch.arange(len(classes)), torch.tensor(classes)] = 0.7
    return p


@pytest.mark.parametrize(
    ("classes", "word"),
    [((0, 0, 0), ""), ((1, 1, 2), "ab"), ((1, 0, 1), "aa"), ((0, 3, 3, 0, 3, 2), "ccb"), ((1, 2, 1, 2, 1, 2, 1), "ababa")],
)
def test_repeats_merge_and_blanks_go(classes: tuple[int, ...], word: str) -> None:
    tokens, probs, _ = greedy(path(*classes), 6, 6)
    assert torch.equal(tokens, words(word))
    if len(word) < 5:
        torch.testing.assert_close(probs.prod(1), torch.tensor([0.7 ** len(classes)]))
    assert (probs[tokens == PAD] == 1).all()


def test_a_slot_was_read_in_its_columns() -> None:
    seen = greedy(path(0, 3, 3, 0, 2), 6, 6)[2]
    assert seen[0, 0].tolist() == [False, True, True, False, False]
    assert seen[0, 1].tolist() == [False, False, False, False, True]
    assert not seen[0, 2:].any()


def test_more_slots_than_columns_are_refused() -> None:
    assert build_reader("ctc", "abc", 33, Observe(grid="4x32")).slots == 33
    with pytest.raises(ValueError, match=r"words of 40 need as many, and pictures 128 wide have 32; lower data\.max_length"):
        build_reader("ctc", "abc", 41, Observe(grid="4x32"))


def test_words_that_columns_cannot_write_are_named() -> None:
    words = ["aaaaaaaaaaaaaaaaa", "a" * 16, "abcdefghijklmnopqrstuvwxy", ""]
    assert unwritable(words, 32) == ["a" * 17]
    assert [len(word) + 1 for word in unwritable(["ab", "aa", "aba"], 2)] == [3, 4]


def test_a_training_by_columns_says_which_words_teach_it_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    data = SimpleNamespace(say=said.append, training_texts=lambda: ["a" * 16, "ab", "a" * 16])
    monkeypatch.setattr(Reading, "total_steps", lambda self: 1)
    for name, grid in (("ctc", "4x32"), ("otsnet", "8x16")):
        task = Reading(name, observe=eyes(grid=grid))  # pyright: ignore[reportArgumentType]
        task.build({**FACTS, "slots": 17})
        task._trainer = SimpleNamespace(datamodule=data)  # pyright: ignore[reportAttributeAccessIssue]
        task.on_fit_start()
    assert said == [
        "reader ctc, size nano, attention of the encoder: differential",
        f"WARNING: 2 training words need more than 16 columns and teach CTC nothing: {'a' * 16}",
        "reader otsnet, size nano, attention of the encoder: differential",
    ]


def test_words_that_need_more_columns_than_there_are_are_counted_and_cost_nothing() -> None:
    model = reader("ctc", observe=eyes(grid="4x32", width=32)).train()  # 8 columns
    tokens = words("aaaaa", "abcde")  # 9 and 5
    output = model(pictures(2, width=32))
    assert float(model.follow([(output, tokens)], 0, 0.0)["infeasible"]) == 1  # type: ignore[arg-type]
    assert float(losses.columns(output.columns[:1], tokens[:1], 6)) == 0  # type: ignore[union-attr]
    assert float(losses.columns(output.columns[1:], tokens[1:], 6)) > 0  # type: ignore[union-attr]


def test_the_longest_word_fits_and_one_letter_seventeen_times_does_not() -> None:
    long = torch.cat([torch.arange(1, 26), torch.zeros(1, dtype=torch.int64)])[None]
    same = torch.tensor([[1] * 17 + [0] + [28] * 8])
    assert losses.needed_columns(long).tolist() == [25]
    assert losses.needed_columns(same).tolist() == [33]


def test_recurrent_layers_stand_behind_the_stem_alone() -> None:
    model = reader("ctc", observe=Observe(dim=16, width=64, grid="4x32"), ctc=Ctc(encoder="lstm", hidden=8))
    assert len(model.observer.blocks) == 0
    assert model.read(pictures()).tokens.shape == (3, 6)


# --- letter by letter ------------------------------------------------------------------------------------------------


def test_orders_come_with_their_reverses_and_leave_what_is_behind_the_word() -> None:
    ranks = draw_orders(8, 5, 6, torch.Generator().manual_seed(0))
    assert ranks[0].tolist() == list(range(8))
    assert ranks[1].tolist() == [5, 4, 3, 2, 1, 0, 6, 7]
    for one, other in ((2, 3), (4, 5)):
        assert sorted(ranks[one, :5].tolist()) == list(range(5))
        assert (ranks[one, :5] + ranks[other, :5]).tolist() == [4] * 5
    assert (ranks[2:, 5:] == torch.arange(5, 8)).all()
    assert torch.equal(draw_orders(8, 5, 6, torch.Generator().manual_seed(0)), ranks)


def test_a_slot_sees_what_was_spelled_before_it() -> None:
    mask = order_mask(torch.tensor([2, 0, 1]))
    assert mask.tolist() == [[True, False, True], [True, False, False], [True, False, True]]
    assert order_mask(torch.arange(6))[:, 1:].tolist() == torch.ones(6, 5).tril(-1).bool().tolist()


def test_spelling_one_by_one_is_the_forward_order_of_what_was_spelled() -> None:
    model = reader("parseq", decoder=Decoder(refine=0))
    answer = model.read(pictures())
    teaching = model.teach(answer.tokens, 0, 0.0)._replace(ranks_OL=torch.arange(6)[None])  # type: ignore[union-attr]
    logits = model(pictures(), teaching).order_logits[0]  # type: ignore[union-attr]
    for i in range(3):
        length = int((answer.tokens[i] == 0).int().argmax())
        best = logits[i, : length + 1].argmax(-1)
        assert torch.equal(best[: min(length + 1, 5)], answer.tokens[i][: min(length + 1, 5)])


@pytest.mark.parametrize("decoder", [Decoder(autoregressive=False, refine=2), Decoder(refine=0), Decoder(permutations=2)])
def test_the_ways_of_spelling_answer(decoder: Decoder) -> None:
    assert reader("parseq", decoder=decoder).read(pictures()).tokens.shape == (3, 6)


def test_the_readers_have_the_same_eyes() -> None:
    ours, plain = otsnet(), reader("parseq")
    assert [n for n, _ in ours.observer.stem.named_parameters()] == [n for n, _ in plain.observer.stem.named_parameters()]
    assert plain.observe.attention == "softmax"
    assert reader("parseq", observe=eyes(attention="differential", macaron=True)).observe.macaron
