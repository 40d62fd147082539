from apps.base.card import Card

CARD = Card(
    name="histograph",
    help="learn from graphs: a readout that attends over all layers of a graph network",
    paper="Galron et al., Learning from Historical Activations in Graph Neural Networks, ICLR 2026",
    task="apps.histograph.task.GraphClassification",
    data="datamodules.histograph.datamodule.Graphs",
    programs=("graphs",),
    metric="test/accuracy",
    baseline="test/chance",
    examples="datamodules.histograph.synth:write_examples",
    reader="datamodules.histograph.own_layout:read_graph",
)
