"""An exported file as a model folder of MLflow: the file, the code that answers for it (apps/base/serving.py) and what that imports."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["save_model"]


def save_model(folder: Path, program: Path, metadata: Mapping[str, Any], model_id: str) -> None:
    import mlflow.pyfunc
    from mlflow.models import Model

    mlflow.pyfunc.save_model(
        folder,
        python_model=str(Path(__file__).parents[1] / "serving.py"),
        artifacts={"program": str(program)},
        pip_requirements=_requirements(),
        metadata=dict(metadata),
        mlflow_model=Model(model_id=model_id),
    )


def _requirements() -> list[str]:
    """What the serving file imports, as installed here; a build mark such as +cpu names no public release."""
    from importlib.metadata import version

    return [f"{name}=={version(name).partition('+')[0]}" for name in ("mlflow", "numpy", "opencv-python-headless", "pillow", "torch")]
