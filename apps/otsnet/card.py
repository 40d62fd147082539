from apps.base.card import Card, Verb

CARD = Card(
    name="otsnet",
    help="read words in pictures: characters, how sure each is, and where it stands",
    paper="Sun et al., OTSNet: Observation-Thinking-Spelling Pipeline for Scene Text Recognition, 2025",
    task="apps.otsnet.task.Reading",
    data="datamodules.otsnet.datamodule.Words",
    programs=("read",),
    metric="test/words",
    baseline="test/commonest",
    verbs=(
        Verb(
            "read",
            "read words: text, how sure, where each letter stands",
            "apps.otsnet.verbs.read:read",
            "discern otsnet read inputs --model best --folder words",
        ),
        Verb(
            "verify",
            "does a picture say what is claimed? where not?",
            "apps.otsnet.verbs.verify:verify",
            "discern otsnet verify --claims words --model best",
        ),
        Verb(
            "finetune",
            "go on with own words, other characters or longer ones",
            "apps.otsnet.verbs.finetune:finetune",
            "discern otsnet finetune --from best --data.path=words --charset +XYZ --trainer.max_epochs=1",
        ),
        Verb(
            "explain",
            "draw where each character was read, and what refinement did",
            "apps.otsnet.verbs.explain:explain",
            "discern otsnet explain inputs/*-0.png --model best -o explained.png",
        ),
        Verb(
            "codes",
            "draw the glyphs nearest to each code: are codes glyphs?",
            "apps.otsnet.verbs.codes:codes",
            "discern otsnet codes words --model best -o codes.png",
        ),
        Verb(
            "synth",
            "make words: pictures, labels and the box of every letter",
            "apps.otsnet.verbs.synth:synth",
            "discern otsnet synth --out made --count 200 --sheet made.png --boxes",
        ),
        Verb(
            "convert",
            "turn words of any layout into an LMDB, a folder or a zip",
            "apps.otsnet.verbs.convert:convert_words",
            "discern otsnet convert made -o folder --to folder",
        ),
    ),
    picture="slots",
    examples="datamodules.otsnet.embedded_words:write_examples",
    packages=("apps.otsnet.task", "datamodules.otsnet.datamodule", "datamodules.otsnet.embedded_words"),
)
