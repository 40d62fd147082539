from apps.base.card import Card

CARD = Card(
    name="otsnet",
    help="read words in pictures: characters, how sure each is, and where it stands",
    paper="Sun et al., OTSNet: Observation-Thinking-Spelling Pipeline for Scene Text Recognition, 2025",
    task="apps.otsnet.task.Reading",
    data="datamodules.otsnet.datamodule.Words",
    programs=("read",),
    metric="test/words",
    baseline="test/commonest",
    packages=("apps.otsnet.task", "datamodules.otsnet.datamodule", "datamodules.otsnet.embedded_words"),
)
