from apps.base.card import Card

CARD = Card(
    name="dcal",
    help="tell apart things that look alike: fine-grained classification, re-identification",
    paper="Zhu et al., Dual Cross-Attention Learning, CVPR 2022",
    task="apps.dcal.task.Classification",
    data="datamodules.dcal.datamodule.Pictures",
    programs=("classify", "embed"),
    metric="test/top1",
    baseline="test/chance",
    packages=("apps.dcal.task", "apps.dcal.reid", "datamodules.dcal.datamodule", "datamodules.dcal.reid"),
    examples="datamodules.dcal.synth:write_examples",
)
