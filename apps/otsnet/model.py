"""OTSNet: observe the picture, think where and which glyph each character is, spell the word and correct it (2.0).

Shapes: B batch, C H W picture, L slots, N tokens, D width, K classes, G groups of codes, V vocabulary, J look-alikes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from apps.otsnet import losses, vocabulary
from apps.otsnet.answer import Answer, Rule, answer_margin, best, chosen, refine_margin, refined
from apps.otsnet.beginning import begin
from apps.otsnet.corrupt import draw_hypotheses, look_alikes
from apps.otsnet.locate import Locator
from apps.otsnet.observe import Observer, column_mean
from apps.otsnet.options import BY_COLUMNS, Locate, Observe, Quantize, Verify, Weights
from apps.otsnet.quantize import Quantized, Quantizer, joined
from apps.otsnet.verify import Sources, Verifier

__all__ = ["Otsnet", "OtsnetOutput", "Teaching"]


class Teaching(NamedTuple):
    """What a training step is given besides pictures."""

    spoilt_BL: Tensor  # hypotheses for the verifier
    own_B: Tensor  # bool: its own first reading instead
    progress: float  # share of training that is done


class OtsnetOutput(NamedTuple):
    position_logits: Tensor  # (B,L,K), of PAM
    semantic_logits: Tensor  # (B,L,K), of SQ
    fused_logits: Tensor  # (B,L,K), of MMCV; without it the logarithm of the mean of the two above
    verify: Tensor  # (B,L) logit that the hypothesis is right there; (B,0) without a judge
    attention: Tensor  # (B,L,N), rows are shares of one
    codes: Tensor  # int64 (B,L,G)
    hypothesis: Tensor  # int64 (B,L), what was verified
    quantized: Quantized
    columns: Tensor | None = None  # (B,S,K) for the CTC loss
    seen: Tensor | None = None  # (B,S): columns that are of the picture; None: all
    progress: float = 1.0  # share of training that is done
    v_BND: Tensor | None = None  # what the eyes saw, where its letters are learned from boxes


class Otsnet(nn.Module):
    """
    >>> model = Otsnet("0123456789", slots=26)
    >>> model(torch.randn(2, 3, 32, 128)).fused_logits.shape
    torch.Size([2, 26, 11])

    charset: the characters in the order of their tokens. slots: L, most characters and the end.
    """

    def __init__(
        self,
        charset: str,
        slots: int = 26,
        observe: Observe | None = None,
        locate: Locate | None = None,
        quantize: Quantize | None = None,
        verify: Verify | None = None,
        weights: Weights | None = None,
    ) -> None:
        super().__init__()
        self.observe, self.locate = observe or Observe(), locate or Locate()
        self.quantize, self.verify, self.weights = quantize or Quantize(), verify or Verify(), weights or Weights()
        self.characters, self.slots = len(charset), slots
        dim, classes = self.observe.d, vocabulary.classes(self.characters)
        if self.weights.ctc and self.observe.grid not in BY_COLUMNS:
            raise ValueError(
                f"weights.ctc={self.weights.ctc} needs observe.grid=4x32 or 1x32: the columns of {self.observe.grid} are too few for words"
            )
        if self.verify.begin < self.quantize.begin and self.verify.head != "none":
            raise ValueError(
                f"verify.begin={self.verify.begin} is before quantize.begin={self.quantize.begin}, and spelling looks at glyphs; raise it"
            )
        self.observer = Observer(self.observe)
        self.locator = Locator(self.observe, self.locate, slots)
        self.position_head = nn.Linear(dim, classes)
        self.quantizer = Quantizer(self.observe, self.quantize)
        self.semantic_head = nn.Linear(dim, classes)
        self.verifier = None if self.verify.head == "none" else Verifier(self.observe, self.verify, self.characters)
        self.column_head = nn.Linear(dim, classes) if self.weights.ctc else None
        self.rule = Rule(self.verify.refinement == "replace", self.verify.verify_threshold, self.verify.replace_threshold)
        self.alike_VJ = look_alikes(charset)
        begin(self)

    def forward(self, images_BCHW: Tensor, teaching: Teaching | None = None) -> OtsnetOutput:
        """Without teaching the hypothesis is the model's own first reading."""
        progress = 1.0 if teaching is None else teaching.progress
        sources, said, attention_BLN, position_BLK = self.think(images_BCHW, progress)
        semantic_BLK = self.semantic_head(said.s_BLD)
        p_BLK = mean_probability(position_BLK, semantic_BLK)
        hypothesis_BL = best(p_BLK, self.characters)
        if teaching is not None:
            hypothesis_BL = torch.where(teaching.own_B.unsqueeze(1), hypothesis_BL, teaching.spoilt_BL)
        if self.verifier is None or progress < self.verify.begin:
            fused_BLK, verify_BL = p_BLK.clamp(min=1e-30).log(), p_BLK[:, :0, 0]
        else:
            spelled = self.verifier(hypothesis_BL, sources)
            fused_BLK = spelled.logits_BLC
            verify_BL = self.verifier.judge(spelled.h_BLD, hypothesis_BL) if self.verifier.judges else fused_BLK[:, :0, 0]
        columns_BSK = None
        if self.column_head is not None:
            columns_BSK = self.column_head(column_mean(sources.v_BND, self.observer.cells_of(images_BCHW)))
        seen_BS = self.observer.seen_columns(images_BCHW)
        return OtsnetOutput(
            position_BLK, semantic_BLK, fused_BLK, verify_BL, attention_BLN, said.codes_BLG, hypothesis_BL, said, columns_BSK, seen_BS,
            progress, sources.v_BND if self.observe.boxes else None,
        )  # fmt: skip

    def think(self, images_BCHW: Tensor, progress: float = 1.0) -> tuple[Sources, Quantized, Tensor, Tensor]:
        """Everything before spelling: (what the picture said, its codes, A (B,L,N), logits of places (B,L,K))."""
        v_BND, place_1ND, seen_BN = self.observer(images_BCHW), self.observer.keys(images_BCHW), self.observer.seen(images_BCHW)
        g_BLD, attention_BLN = self.locator(v_BND, place_1ND, self.observer.cells_of(images_BCHW), seen_BN)
        said = self.quantizer(g_BLD, progress)
        sources = Sources(v_BND, place_1ND, g_BLD, said.s_BLD, self.locator.slots, seen_BN)
        return sources, said, attention_BLN, self.position_head(g_BLD)

    def read(self, images_BCHW: Tensor, iterations: int | None = None) -> Answer:
        """The words, refined so many times; None: as the options say. Fixed, so that an exported program does the same."""
        return self.steps(images_BCHW, iterations)[0]

    def steps(self, images_BCHW: Tensor, iterations: int | None = None) -> tuple[Answer, list[Tensor]]:
        """The answer, and the word (B,L) before and after each round."""
        sources, said, attention_BLN, position_BLK = self.think(images_BCHW)
        p_BLK = mean_probability(position_BLK, self.semantic_head(said.s_BLD))
        first_BL = best(p_BLK, self.characters)
        words, margin_B = [first_BL], answer_margin(p_BLK, first_BL)
        rounds = self.verify.rounds if iterations is None else iterations
        judge = self.verifier is not None and self.verifier.judges
        verify_BL = p_BLK[:, :0, 0]
        if self.verifier is None and rounds:
            raise ValueError(f"this model has no verifier (verify.head=none): it cannot refine {rounds} times; ask for iterations=0")
        for _ in range(rounds):
            assert self.verifier is not None
            spelled = self.verifier(words[-1], sources)
            p_BLK = spelled.logits_BLC.float().softmax(-1)
            judged_BL = self.verifier.judge(spelled.h_BLD, words[-1]) if judge else p_BLK[..., 0]
            words.append(refined(words[-1], p_BLK, judged_BL, self.characters, self.rule))
            margin_B = torch.minimum(margin_B, refine_margin(words[-2], words[-1], p_BLK, judged_BL, self.rule))
            if judge:  # what a slot knows does not hang on its own character: the new one is held against the same
                verify_BL = self.verifier.judge(spelled.h_BLD, words[-1])
        if judge and not rounds:
            assert self.verifier is not None
            verify_BL = self.verifier.judge(self.verifier(first_BL, sources).h_BLD, first_BL)
        tokens_BL = words[-1]
        if judge:
            verify_BL = verify_BL.float().sigmoid().masked_fill(vocabulary.behind_end(tokens_BL), 1.0)
        probs_BL = chosen(p_BLK, tokens_BL)
        return Answer(tokens_BL, probs_BL, verify_BL, attention_BLN, said.codes_BLG, first_BL, margin_B, p_BLK), words

    def confidences(self, table_BLK: Tensor, tokens_BL: Tensor) -> Tensor:
        """Of the characters and the end by a table like the answer's, (B,L)."""
        return chosen(table_BLK, tokens_BL)

    def judge(self, images_BCHW: Tensor, claim_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Of a claimed word: (probability that each character is right (B,L), what each is otherwise (B,L,K))."""
        if self.verifier is None or not self.verifier.judges:
            raise ValueError(f"this model judges nothing (verify.head={self.verify.head}); train one with verify.head=full")
        sources, *_ = self.think(images_BCHW)
        spelled = self.verifier(claim_BL, sources)
        return self.verifier.judge(spelled.h_BLD, claim_BL).float().sigmoid(), spelled.logits_BLC.float().softmax(-1)

    def teach(self, tokens_BL: Tensor, step: int, progress: float) -> Teaching:
        """What training shows at this step, by the step alone."""
        options = self.verify
        drawn = draw_hypotheses(
            tokens_BL, step, progress, self.alike_VJ, self.characters, options.corrupt_rate, options.own_hypothesis, options.shift_rate
        )
        return Teaching(drawn.spoilt_BL, drawn.own_B, progress)

    def losses(self, output: OtsnetOutput, tokens_BL: Tensor, boxes_BT4: Tensor | None = None) -> dict[str, Tensor]:
        """Weighted, by name; their sum is what training minimises (section 3)."""
        w, valid_BL = self.weights, vocabulary.up_to_end(tokens_BL)
        found = {"position": w.position * losses.characters(output.position_logits, tokens_BL)}
        glyphs, spelling = output.progress >= self.quantize.begin, output.progress >= self.verify.begin
        if glyphs:
            found["semantic"] = w.semantic * losses.characters(output.semantic_logits, tokens_BL)
        else:
            found["position"] = found["position"] + nothing(self.quantizer, self.semantic_head)
        if self.verifier is not None and not spelling:
            found["position"] = found["position"] + nothing(self.verifier)
        elif self.verifier is not None:
            found["fused"] = w.fused * losses.characters(output.fused_logits, tokens_BL)
            if self.verifier.judges:
                found["verify"] = w.verify * losses.verdicts(output.verify, output.hypothesis, tokens_BL)
        for name, value in self.quantizer.losses(output.quantized, valid_BL, self.quantize.beta).items() if glyphs else ():
            found[name] = w.diversity * value if name == "diversity" else value
        if boxes_BT4 is not None and w.align:
            found["align"] = w.align * losses.align(output.attention, boxes_BT4, self.observer.cells)
        if boxes_BT4 is not None and output.v_BND is not None:
            boxed = losses.boxed(output.v_BND, self.position_head, boxes_BT4, tokens_BL, self.observer.cells)
            found["boxes"] = self.observe.boxes * boxed
        if output.columns is not None:
            found["ctc"] = w.ctc * losses.columns(output.columns, tokens_BL, self.characters, output.seen)
        return found

    def follow(self, taught: Sequence[tuple[OtsnetOutput, Tensor]], step: int, progress: float) -> dict[str, Tensor]:
        """After each step of the optimiser, of its batches and their tokens (B,L): the codes move. Numbers to log."""
        outputs, tokens = zip(*taught, strict=True)
        if outputs[0].progress < self.quantize.begin:
            return {}
        said = joined([output.quantized for output in outputs])
        return self.quantizer.follow(said, vocabulary.up_to_end(torch.cat(tokens)), step, progress)


def nothing(*parts: nn.Module) -> Tensor:
    """0 of weights that do not learn yet: processes that train together wait for a gradient of every one."""
    return sum((0.0 * parameter.sum() for part in parts for parameter in part.parameters()), torch.zeros(()))


def mean_probability(position_BLK: Tensor, semantic_BLK: Tensor) -> Tensor:
    return (position_BLK.float().softmax(-1) + semantic_BLK.float().softmax(-1)) / 2
