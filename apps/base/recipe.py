"""LightningCLI as we use it: a recipe becomes a datamodule, a task and a trainer. A stranger's recipe runs no code."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonargparse
import torch
from jsonargparse import set_parsing_settings
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI

from apps.base.callbacks.checkpoints import Checkpoints
from apps.base.callbacks.ema import Ema
from apps.base.card import Card
from apps.base.checkpoint import SCHEMA, WholeFiles
from apps.base.errors import UserError
from apps.base.mistakes import explain, known_keys
from apps.base.recipe_file import LINKED
from apps.base.task import BaseTask
from datamodules.base import BaseData
from datamodules.errors import DataError

__all__ = ["Recipe"]

# What a recipe may name besides the application's own tasks and datamodules: classes, one by one, none of which takes a callable.
# Both the public name and the place of definition are checked.
ALLOWED = (
    "pytorch_lightning.callbacks.EarlyStopping",
    "pytorch_lightning.callbacks.early_stopping.EarlyStopping",
    "pytorch_lightning.callbacks.LearningRateMonitor",
    "pytorch_lightning.callbacks.lr_monitor.LearningRateMonitor",
    "pytorch_lightning.callbacks.GradientAccumulationScheduler",
    "pytorch_lightning.callbacks.gradient_accumulation_scheduler.GradientAccumulationScheduler",
    "pytorch_lightning.callbacks.DeviceStatsMonitor",
    "pytorch_lightning.callbacks.device_stats_monitor.DeviceStatsMonitor",
)

# Ours, so that a recipe's would be ignored: an error instead.
OURS = {
    "logger": "runs are tracked by discern (a real server: MLFLOW_TRACKING_URI)",
    "default_root_dir": "paths hang on --home",
    "enable_checkpointing": "see the keys under checkpoints",
    "enable_progress_bar": "see --quiet",
    "enable_model_summary": "see 'discern report'",
    "plugins": "there is nothing to plug in from a recipe",
}

FOLLOWING = ("data.seed", "data.init_args.seed")  # linked to seed_everything: a value of their own would be overwritten


class QuietParser(LightningArgumentParser):
    """Raises what argparse would print."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "exit_on_error": False, "allow_abbrev": False})

    def parse_args(self, args: Any = None, *rest: Any, **more: Any) -> Any:
        """A nested key (`--model.a.b=null`) comes to the parser of the inner class as one word of text, with null as Python writes it."""
        if isinstance(args, list) and len(args) == 1 and args[0].endswith("=None"):
            args = [args[0].removesuffix("None") + "null"]
        return super().parse_args(args, *rest, **more)


class Recipe(LightningCLI):
    """The parsed recipe with what was made of it: `.datamodule`, `.model` (the task), `.trainer`, `.text` (resolved, YAML)."""

    def __init__(
        self, card: Card, args: list[str], allow: list[str], callbacks: list[Callback], prog: str, flags: Sequence[str] = ()
    ) -> None:
        """`flags` are options of the verb's own: a wrong key may be one of them misspelt."""
        packages = card.packages or (f"apps.{card.name}.task", f"datamodules.{card.name}.datamodule")
        set_parsing_settings(import_path_denylist=["*"], import_path_allowlist=[*ALLOWED, *packages, *allow])
        if any(word.partition("=")[0].removeprefix("--") in FOLLOWING for word in args):
            raise UserError(LINKED)
        self.text, self.words = "", args
        try:
            super().__init__(
                model_class=BaseTask,
                datamodule_class=BaseData,
                subclass_mode_model=True,
                subclass_mode_data=True,
                parser_class=QuietParser,
                parser_kwargs={"prog": prog, "description": None},
                save_config_callback=None,
                seed_everything_default=0,
                trainer_defaults={"callbacks": callbacks},
                auto_configure_optimizers=False,
                load_from_checkpoint_support=False,
                run=False,
                args=args,
            )
        except MisconfigurationException as error:
            text = " ".join(str(error).split())
            if "can not run on your system" in text:
                wanted = self.config.trainer.accelerator
                text = f"the accelerator {wanted!r} is not there; use --trainer.accelerator cpu (see 'discern doctor')"
            raise UserError(f"trainer: {text}") from error
        except (jsonargparse.ArgumentError, ValueError, TypeError) as error:
            known = known_keys(self.parser, {"model": BaseTask, "data": BaseData}, packages)
            raise UserError(explain(str(error), [key for key in known if key not in FOLLOWING], flags)) from error

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--schema", type=int, default=SCHEMA, help="version of the recipe's format")
        parser.add_argument("--compile", type=bool, default=False, help="torch.compile the model (needs g++ on CPU)")
        parser.add_argument("--channels_last", type=bool, default=False, help="pictures and kernels in channels-last order")
        parser.add_lightning_class_args(Checkpoints, "checkpoints")
        parser.add_lightning_class_args(Ema, "ema")
        parser.link_arguments("seed_everything", "data.init_args.seed")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="LightningCLI's args parameter")
            warnings.filterwarnings("ignore", message=".*discard.*init_args")  # a changed class drops the old one's arguments: meant
            super().parse_arguments(parser, args)
        if self.config.schema > SCHEMA:
            raise UserError(f"the recipe has schema {self.config.schema}, this discern reads up to {SCHEMA}; upgrade discern")
        seed = self.config.seed_everything
        if not 0 <= seed < 2**32:
            raise UserError(f"seed_everything: {seed} is no seed; a whole number from 0 to {2**32 - 1} is one")
        for key, why in OURS.items():
            if self.config.trainer[key] is not None:
                raise UserError(f"trainer.{key} cannot be set: {why}")
        self.text = parser.dump(self.config, skip_unset=False, skip_link_targets=False)

    def set_up(self, stage: str) -> Any:
        """The datamodule, ready. A path at which nothing lies may be the recipe's own word for the user's data."""
        try:
            self.datamodule.prepare_data()
            self.datamodule.setup(stage)
        except DataError as error:
            path = self.config["data"].get("init_args", {}).get("path")
            told = any(word.startswith(("--data.path", "--data.init_args.path")) for word in self.words)
            if isinstance(path, str) and not told and str(error).startswith(f"{Path(path)}: no such file"):
                raise DataError(f"{error}; name your data with --data.path=...") from error
            raise
        return self.datamodule

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        ours: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "plugins": [WholeFiles()]}
        if not torch.cuda.is_available() or self.config.trainer.accelerator == "cpu":
            ours["sync_batchnorm"] = False  # torch has it for GPUs only
        return super().instantiate_trainer(**{**kwargs, **ours})
