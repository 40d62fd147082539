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
        Verb("crossval", "train and test on every fold for several seeds", "apps.histograph.verbs.crossval:crossval"),
        Verb("compare", "cross-validations side by side, paired by fold and seed", "apps.histograph.verbs.compare:compare"),
        Verb("leakcheck", "does an answer depend on the other graphs of its batch?", "apps.histograph.verbs.leakcheck:leakcheck"),
    ),
    examples="datamodules.histograph.synth:write_examples",
    reader="datamodules.histograph.own_layout:read_graph",
)
