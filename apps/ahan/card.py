from apps.base.card import Card, Verb

VERBS: tuple[Verb, ...] = (
    Verb(
        "align",
        "find the face on photographs, align it, say how good it is",
        "apps.ahan.verbs.align:align",
        "discern ahan align inputs --detector none --out faces",
    ),
)

CARD = Card(
    name="ahan",
    help="verify faces, identical twins included: is this the person, or the twin?",
    paper="Nguyen, AHAN: Asymmetric Hierarchical Attention Network for Identical Twin Face Verification, AAAI 2026",
    task="apps.ahan.task.Verification",
    data="datamodules.ahan.datamodule.TwinFaces",
    programs=("embed",),
    metric="test/twin_accuracy",
    baseline="test/chance",
    packages=("apps.ahan.task", "apps.ahan.options", "datamodules.ahan.datamodule"),
    verbs=VERBS,
    picture="twins",
    examples="datamodules.ahan.synth:write_examples",
)
