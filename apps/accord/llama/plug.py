"""A local folder of a Llama-like model as a solver: its texts are held to the rules, or judged (brief, 2.4.7). Extra `hf`; no network."""

import importlib.util
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from apps.accord.automata import automaton
from apps.accord.llama.decoding import Row, free, guided
from apps.accord.llama.prompt import prompt
from apps.accord.llama.scribes import FORMS
from apps.base.errors import UserError
from datamodules.accord.checker import check
from datamodules.accord.formats import accord_text, list_text
from datamodules.accord.instances import KINDS, MAXIMISED, Instance
from datamodules.accord.solution import Solution
from datamodules.errors import DataError

__all__ = ["LlamaPlug", "Written"]

TOKENIZER = ("tokenizer.json", "tokenizer.model", "vocab.json")
_READERS: dict[str, Any] = dict(zip(FORMS, (accord_text.read_solution, list_text.read_solution), strict=True))


@dataclass(frozen=True)
class Written:
    """The best of the texts of one instance. `feasible`: how many of the samples were; `texts`: all of them, in order."""

    solution: Solution
    text: str
    logp: float
    feasible: int
    texts: tuple[str, ...]


class LlamaPlug:
    """adapters: PEFT folders by kind; kinds without one are answered by the model itself.

    >>> plug = LlamaPlug("llama", adapters={"tsp": "llama/tsp"})      # doctest: +SKIP
    >>> plug.solve([instance])[0].text                                # doctest: +SKIP
    """

    def __init__(self, folder: str | Path, adapters: Mapping[str, str | Path] | None = None, device: str = "cpu") -> None:
        adapters = dict(adapters or {})
        _look(Path(folder), adapters)
        self.tokenizer, self.model = _opened(Path(folder), adapters)
        self.model.to(device).eval()
        self.adapters = tuple(adapters)
        self._spelled: dict[str, list[int]] = {}

    def solve(
        self,
        instances: Sequence[Instance],
        form: str = "accord",
        samples: int = 1,
        temperature: float | None = None,
        seed: int = 0,
        masked: bool = True,
        longest: int = 2048,
        indented: bool = False,
    ) -> list[Written]:
        """form: accord (states) or lists. temperature: default greedy for one sample, else 1. longest: tokens of a text, unmasked."""
        if form not in FORMS:
            raise UserError(f"form {form!r} is not known; there are {' and '.join(FORMS)}")
        if samples < 1:
            raise UserError(f"samples {samples}; at least 1 is needed")
        heat = (0.0 if samples == 1 else 1.0) if temperature is None else temperature
        out: list[Written | None] = [None] * len(instances)
        for kind in KINDS:  # one adapter at a time
            where = [k for k, instance in enumerate(instances) if instance.kind == kind]
            if not where:
                continue
            began = time.perf_counter()
            rows = [self._row(instances[k], form, heat, (seed, k, s), indented) for k in where for s in range(samples)]
            with self._adapter(kind):
                if masked:
                    guided(self.model, rows, automaton(kind), self._spell)
                else:
                    free(self.model, rows, self._stops(), longest, lambda ids: self.tokenizer.decode(ids, skip_special_tokens=True))
            wall = (time.perf_counter() - began) / len(where)
            for at, k in enumerate(where):
                out[k] = _best(instances[k], rows[at * samples : (at + 1) * samples], wall, masked)
        return [one for one in out if one is not None]

    def _row(self, instance: Instance, form: str, temperature: float, seed: tuple[int, int, int], indented: bool) -> Row:
        """Its random numbers hang on the seed, its place and its sample alone."""
        number = 0
        for part in seed:
            number = (number * 1_000_003 + part) % (1 << 62)
        generator = torch.Generator().manual_seed(number)
        ids = self.tokenizer(prompt(instance, indented))["input_ids"]
        return Row(instance, form, list(ids), temperature, generator)

    def _spell(self, text: str) -> list[int]:
        if text not in self._spelled:
            self._spelled[text] = list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        return self._spelled[text]

    def _stops(self) -> frozenset[int]:
        ends = self.model.generation_config.eos_token_id
        listed = ends if isinstance(ends, list) else [ends]
        return frozenset(one for one in (*listed, self.tokenizer.eos_token_id) if one is not None)

    def _adapter(self, kind: str) -> AbstractContextManager[Any]:
        if kind in self.adapters:
            self.model.set_adapter(kind)
            return nullcontext()
        return self.model.disable_adapter() if self.adapters else nullcontext()


def _look(folder: Path, adapters: Mapping[str, str | Path]) -> None:
    """What can be known before anything heavy is loaded."""
    if unknown := [kind for kind in adapters if kind not in KINDS]:
        raise UserError(f"adapters: kind {unknown[0]!r} is not known; there are {', '.join(KINDS)}")
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder}: no folder of a model (there is no config.json); name one that save_pretrained wrote")
    if not list(folder.glob("*.safetensors")):
        raise UserError(f"{folder}: has no .safetensors weights; pickled weights are not read: save the model again with safetensors")
    if not any((folder / name).is_file() for name in TOKENIZER):
        raise UserError(f"{folder}: has no tokenizer (none of {', '.join(TOKENIZER)}); save the model's tokenizer beside it")
    for kind, place in adapters.items():
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            if not (Path(place) / name).is_file():
                raise UserError(f"adapters: {place} for {kind} is no folder of a PEFT adapter (there is no {name})")
    missing = [name for name in ("transformers", "peft") if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"a Llama-like model needs {' and '.join(missing)}: pip install 'discern[hf]'")


def _opened(folder: Path, adapters: Mapping[str, str | Path]) -> tuple[Any, Any]:
    """Tokenizer and model, with every adapter loaded; none of the folders' own code is run."""
    from peft import PeftModel
    from transformers.models.auto import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, trust_remote_code=False, use_safetensors=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise UserError(f"{folder}: cannot be opened as a causal language model ({str(error).splitlines()[0][:160]})") from None
    for kind, place in adapters.items():
        try:
            if isinstance(model, PeftModel):
                model.load_adapter(str(place), adapter_name=kind, local_files_only=True)
            else:
                model = PeftModel.from_pretrained(model, str(place), adapter_name=kind, local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
            raise UserError(f"{place}: no adapter of {folder} ({str(error).splitlines()[0][:160]})") from None
    return tokenizer, model


def _best(instance: Instance, rows: Sequence[Row], wall: float, masked: bool) -> Written:
    """The feasible text of the best objective, the first of equals; where there is none, the first text and what is wrong with it."""
    source, found, wrong = f"llama, {'masked' if masked else 'free'}", [], []
    for row in rows:
        try:
            plan = None if row.stuck else _READERS[row.form](row.text, instance, lenient=not masked).plan
            report = None if plan is None else check(instance, plan)
        except DataError as error:
            if masked:
                raise RuntimeError(f"a masked text of {instance.kind} cannot be read ({error}): this is a bug of the decoder") from error
            wrong.append(str(error))
            continue
        if report is not None and report.feasible and report.objective is not None:
            found.append((report.objective, row, plan))
        else:
            wrong.append("no plan for this fleet was found at the start" if report is None else f"breaks {report.violations[0].code}")
            if masked and not row.stuck:
                raise RuntimeError(f"a masked text of {instance.kind} is not feasible ({wrong[-1]}): this is a bug of the decoder")
    texts = tuple(row.text for row in rows)
    if not found:
        return Written(
            Solution(instance.kind, None, None, "unknown", wall=wall, source=source, reason=wrong[0]), texts[0], rows[0].logp, 0, texts
        )
    sign = -1 if instance.kind in MAXIMISED else 1
    objective, row, plan = min(found, key=lambda one: sign * one[0])
    return Written(Solution(instance.kind, plan, objective, "feasible", wall=wall, source=source), row.text, row.logp, len(found), texts)
