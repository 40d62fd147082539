from apps.base.card import Card

CARD = Card(
    name="dcal",
    help="fine-grained classification: tell apart things that look alike",
    paper="Zhu et al., Dual Cross-Attention Learning, CVPR 2022",
    task="apps.dcal.task.Classification",
    data="datamodules.dcal.datamodule.Pictures",
    programs=("classify",),
    metric="test/top1",
    baseline="test/chance",
    examples="datamodules.dcal.synth:write_examples",
)
