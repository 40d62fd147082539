from apps.base.card import Card, Verb

CARD = Card(
    name="histograph",
    help="learn from graphs: a readout that attends over all layers of a graph network",
    paper="Galron et al., Learning from Historical Activations in Graph Neural Networks, ICLR 2026",
    task="apps.histograph.task.GraphClassification",
    data="datamodules.histograph.datamodule.Graphs",
    programs=("graphs", "nodes"),
    packages=(
        *(f"apps.histograph.{name}" for name in ("task", "targets_task", "node_task", "link_task")),
        *(f"datamodules.histograph.{name}" for name in ("datamodule", "nodes", "links")),
    ),
    metric="test/accuracy",
    baseline="test/chance",
    verbs=(
        Verb(
            "explain",
            "draw which layers and nodes an answer rests on",
            "apps.histograph.verbs.explain:explain",
            "discern histograph explain inputs --model histograph.ts -o explained",
        ),
        Verb(
            "folds",
            "write folds of a set as a file, with the order they hold for",
            "apps.histograph.verbs.folds:folds",
            "discern histograph folds graphs/all.json --k 5 -o folds.json",
        ),
        Verb(
            "crossval",
            "train and test on every fold for several seeds",
            "apps.histograph.verbs.crossval:crossval",
            "discern histograph crossval --config small --data.path=graphs/all.json --data.folds=folds.json --name attended --folds 0,1",
        ),
        Verb(
            "compare",
            "cross-validations side by side, paired by fold and seed",
            "apps.histograph.verbs.compare:compare",
            "discern histograph compare attended averaged",
        ),
        Verb(
            "leakcheck",
            "does an answer depend on the other graphs of its batch?",
            "apps.histograph.verbs.leakcheck:leakcheck",
            "discern histograph leakcheck best --graphs 8",
        ),
        Verb(
            "cache",
            "keep every state of a trained network in a file",
            "apps.histograph.verbs.cache:cache",
            "discern histograph cache -o states.safetensors",
        ),
        Verb(
            "finetune",
            "train a readout on the kept states of a frozen network",
            "apps.histograph.verbs.finetune:finetune",
            "discern histograph finetune --history states.safetensors --trainer.max_epochs=1",
        ),
    ),
    picture="layer_weights_by_class",
    examples="datamodules.histograph.synth:write_examples",
    reader="datamodules.histograph.reader:read_graph",
    reader_asks=True,
    expander="datamodules.histograph.reader:expand",
    drawer="apps.histograph.draw_graph:answer_picture",
)
