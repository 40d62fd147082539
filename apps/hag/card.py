from apps.base.card import Card, Verb

VERBS: tuple[Verb, ...] = (
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
