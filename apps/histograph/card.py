from apps.base.card import Card, Verb

CARD = Card(
    name="histograph",
    help="learn from graphs: a readout that attends over all layers of a graph network",
    paper="Galron et al., Learning from Historical Activations in Graph Neural Networks, ICLR 2026",
    task="apps.histograph.task.GraphClassification",
    data="datamodules.histograph.datamodule.Graphs",
    programs=("graphs",),
    metric="test/accuracy",
    baseline="test/chance",
    verbs=(
        Verb("explain", "draw which layers and nodes an answer rests on", "apps.histograph.verbs.explain:explain"),
        Verb("folds", "write folds of a set as a file, with the order they hold for", "apps.histograph.verbs.folds:folds"),
    ),
    packages=("apps.histograph.task", "apps.histograph.targets_task", "datamodules.histograph.datamodule"),
    examples="datamodules.histograph.synth:write_examples",
    reader="datamodules.histograph.asking:read_graph",
    reader_asks=True,
    expander="datamodules.histograph.asking:expand",
    drawer="apps.histograph.draw_graph:answer_picture",
)
