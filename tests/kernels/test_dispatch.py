import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor

from kernels import explain, use_backend
from kernels.dispatch import Form, Operation


def plain(x: Tensor) -> Tensor:
    """Twice x."""
    return x * 2


def check(x: Tensor) -> None:
    if x.ndim != 1:
        raise ValueError("double: x is a vector")


def fast(x: Tensor) -> Tensor:
    return x + x + 0.5  # wrong on purpose, so that a test sees which form ran


def declines(x: Tensor) -> str | None:
    return "x is long" if len(x) > 3 else None


double = Operation(plain, check, torch=Form(fast, declines))
ONE = torch.ones(1)


def test_a_form_that_declines_leaves_the_work_to_the_next_one() -> None:
    assert double(ONE) == 2.5
    assert (double(torch.ones(4)) == 2).all()
    assert explain(double, torch.ones(4)) == "reference (backend auto; there is no triton form; torch declines: x is long)"


def test_a_chosen_backend_allows_nothing_faster() -> None:
    with use_backend("reference"):
        assert double(ONE) == 2
        assert explain(double, ONE) == "reference (backend reference)"
        with use_backend("torch"):
            assert double(ONE) == 2.5
        assert double(ONE) == 2
    assert double(ONE) == 2.5


def test_the_choice_ends_with_the_block_also_after_an_error() -> None:
    with pytest.raises(RuntimeError), use_backend("reference"):
        raise RuntimeError
    assert double(ONE) == 2.5


def test_the_choice_belongs_to_its_thread() -> None:
    seen: list[Tensor] = []
    with use_backend("reference"):
        thread = threading.Thread(target=lambda: seen.append(double(ONE)))
        thread.start()
        thread.join()
        assert double(ONE) == 2
    assert seen[0] == 2.5


def test_a_compiled_function_follows_a_later_choice() -> None:
    compiled = torch.compile(lambda x: double(x), fullgraph=True, backend="aot_eager")
    assert compiled(ONE) == 2.5
    with use_backend("reference"):
        assert compiled(ONE) == 2
    assert compiled(ONE) == 2.5


def test_an_operation_is_known_by_its_reference() -> None:
    assert double.__doc__ == "Twice x."
    with pytest.raises(ValueError, match="vector"):
        double(torch.ones(1, 1))
    with pytest.raises(ValueError, match="no backend cuda"):
        Operation(plain, check, cuda=Form(fast, declines))
    with pytest.raises(ValueError, match="no backend 'tritn'"), use_backend("tritn"):
        pass


def test_products_are_as_exact_as_torch_was_told_in_whatever_way() -> None:
    """Each way in a process of its own, for torch refuses to read one setting when it was given by the other."""
    settings = {
        "torch.backends.cuda.matmul.allow_tf32 = True": "tf32",
        "torch.backends.cuda.matmul.fp32_precision = 'tf32'": "tf32",
        "torch.backends.fp32_precision = 'tf32'": "tf32",
        "torch.set_float32_matmul_precision('high')": "tf32",
        "torch.backends.cuda.matmul.fp32_precision = 'ieee'": "ieee",
        "pass": "ieee",
    }
    code = f"""
import os, torch
from kernels.launch import precision
for setting in {list(settings)}:
    if os.fork() == 0:
        exec(setting)
        print(precision(), flush=True)
        os._exit(0)
    os.wait()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.stdout.split() == list(settings.values()), done.stderr
