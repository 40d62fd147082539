from apps.base.card import Card, Verb

VERBS: tuple[Verb, ...] = (
    Verb(
        "size",
        "millimetres of polyps on frames and videos",
        "apps.hag.verbs.size:size",
        "discern hag size inputs --boxes inputs/boxes.csv --model hag.ts",
    ),
    Verb(
        "calibrate",
        "intervals and the decision, from polyps that were not trained on",
        "apps.hag.verbs.calibrate:calibrate",
        "discern hag calibrate embedded --level 0.9 --model hag.ts",
    ),
    Verb(
        "evaluate",
        "a report: millimetres, classes, frames and polyps, beside what needs no picture",
        "apps.hag.verbs.evaluate:evaluate",
        "discern hag evaluate embedded -o evaluation --draws 200 --model hag.ts",
    ),
    Verb(
        "gates", "how open a run's gates are and what they are worth, as a table", "apps.hag.verbs.gates:gates", "discern hag gates first"
    ),
    Verb("fold", "a run's gates into its weights: proof and milliseconds", "apps.hag.verbs.fold:fold", "discern hag fold first"),
    Verb(
        "prune",
        "close gates for good and make the network smaller by them",
        "apps.hag.verbs.prune:prune",
        "discern hag prune first --budget 0.8 -o pruned.ts",
    ),
    Verb(
        "ablate",
        "what gates, their routing and their places bring on your data, as a table",
        "apps.hag.verbs.ablate:ablate",
        "discern hag ablate --rows plain,joint --seeds 2 --trainer.max_epochs=1",
    ),
)

CARD = Card(
    name="hag",
    help="size polyps in millimetres; gates that choose features, trained apart from the weights and folded away",
    paper="Roffo, Biffi, Salvagnini, Cherubini, Feature Selection Gates with Gradient Routing for Endoscopic Image Computing, MICCAI 2024",
    task="apps.hag.task.Sizing",
    data="datamodules.hag.datamodule.SynthPolyps",
    programs=("size", "classify"),
    metric="test/mae",
    baseline="test/constant_mae",
    higher_is_better=False,
    packages=("apps.hag.task", "apps.hag.options", "datamodules.hag.datamodule"),
    verbs=VERBS,
    picture="scatter",
    examples="datamodules.hag.synth:write_examples",
)
