from apps.base.card import Card, Verb

VERBS: tuple[Verb, ...] = (
    Verb(
        "compare",
        "are two faces of one person?",
        "apps.ahan.verbs.compare:compare",
        "discern ahan compare inputs/face-0a-0.png inputs/face-0a-0.png --model ahan.ts --detector none",
    ),
    Verb(
        "enroll",
        "make a template of a person, with their consent",
        "apps.ahan.verbs.enroll:enroll",
        "discern ahan enroll ann inputs/face-0a-0.png inputs/face-0a-1.png --consent 'form 12' --model ahan.ts --detector none",
    ),
    Verb(
        "calibrate",
        "thresholds at a rate of false accepts, with intervals",
        "apps.ahan.verbs.calibrate:calibrate",
        "discern ahan calibrate embedded --far 0.05 --fpir 0.1 --n 10 --model ahan.ts",
    ),
    Verb(
        "evaluate",
        "a report: EER, TAR at fixed FAR, twins apart, failures, leaks",
        "apps.ahan.verbs.evaluate:evaluate",
        "discern ahan evaluate embedded -o evaluation --draws 100 --model ahan.ts",
    ),
    Verb("twins", "declare two people twins", "apps.ahan.verbs.twins:twins", "discern ahan twins ann bea"),
    Verb(
        "verify",
        "is this the person, and not the twin?",
        "apps.ahan.verbs.verify:verify",
        "discern ahan verify ann inputs/face-0a-1.png --model ahan.ts --detector none",
    ),
    Verb(
        "identify",
        "who of the gallery is this, if anybody?",
        "apps.ahan.verbs.identify:identify",
        "discern ahan identify inputs/face-0a-1.png --top 3 --model ahan.ts --detector none",
    ),
    Verb("forget", "take a person out of the gallery, and prove it", "apps.ahan.verbs.forget:forget", "discern ahan forget bea"),
    Verb(
        "gallery",
        "list, show, export, reseal and audit who is enrolled",
        words=(
            Verb("list", "who is enrolled", "apps.ahan.verbs.gallery:list_people", "discern ahan gallery list"),
            Verb("show", "what is kept of a person", "apps.ahan.verbs.gallery:show", "discern ahan gallery show ann"),
            Verb(
                "export", "entries and templates as JSON", "apps.ahan.verbs.gallery:export", "discern ahan gallery export ann -o ann.json"
            ),
            Verb("reseal", "another key, or none", "apps.ahan.verbs.gallery:reseal", "discern ahan gallery reseal --open"),
            Verb("audit", "what is wrong, and what to know", "apps.ahan.verbs.gallery:audit", "discern ahan gallery audit"),
        ),
    ),
    Verb(
        "align",
        "find the face on photographs, align it, say how good it is",
        "apps.ahan.verbs.align:align",
        "discern ahan align inputs --detector none --out faces",
    ),
    Verb(
        "explain",
        "draw where two faces are alike and where not",
        "apps.ahan.verbs.explain:explain",
        "discern ahan explain inputs/face-0a-0.png inputs/face-0b-0.png --model ahan.ts --detector none --out why.png",
    ),
    Verb(
        "ablate",
        "what each stream brings on your data, as a table",
        "apps.ahan.verbs.ablate:ablate",
        "discern ahan ablate --rows global,full --seeds 2 --trainer.max_epochs=1",
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
