from apps.base.card import Card, Verb

CARD = Card(
    name="mil",
    help="answer for whole bags of instances (slides of tiles, molecules, audio) from one label a bag",
    paper="Tang et al., Multiple Instance Learning Framework with Masked Hard Instance Mining, ICCV 2023",
    task="apps.mil.task.Classification",
    data="datamodules.mil.datamodule.NpzBags",
    programs=("bags", "risks"),
    metric="test/auc",
    fast=("--trainer.max_epochs", "2", "--model.teacher.epochs", "1"),  # the student learns from a teacher that was trained before
    baseline="test/chance",
    verbs=(
        Verb(
            "slides",
            "from whole slides to features, resumable, with one report",
            words=(
                Verb(
                    "find",
                    "list the slides, their resolution and their problems in slides.csv",
                    "apps.mil.verbs.slides:find",
                    "discern mil slides find slides --labels slides/labels.csv --job work",
                ),
                Verb(
                    "tissue",
                    "and outline the tissue (GeoJSON that QuPath opens; edited outlines are kept and used)",
                    "apps.mil.verbs.slides:tissue",
                    "discern mil slides tissue --job work",
                ),
                Verb(
                    "tile", "and lay the grid of tiles over it", "apps.mil.verbs.slides:tile", "discern mil slides tile --job work --px 128"
                ),
                Verb(
                    "features",
                    "and encode the tiles",
                    "apps.mil.verbs.slides:features",
                    "discern mil slides features --job work --px 128 --encoder stats",
                ),
                Verb(
                    "report",
                    "write report.json and report.html again",
                    "apps.mil.verbs.slides:report",
                    "discern mil slides report --job work",
                ),
                Verb(
                    "convert",
                    "features between CLAM's, TRIDENT's and our own files",
                    "apps.mil.verbs.slides:convert",
                    "discern mil slides convert work/features for_clam --to clam",
                ),
                Verb("synth", "write made slides to try it on", "apps.mil.verbs.slides:synth", "discern mil slides synth slides -n 12"),
            ),
        ),
        Verb(
            "crossval",
            "train and test on every fold for several seeds",
            "apps.mil.verbs.crossval:crossval",
            "discern mil crossval --config small --data.path=bags.npz --name folds --folds 0,1",
        ),
        Verb(
            "heatmap",
            "where on a slide a bag model looks: maps, GeoJSON, a page that zooms",
            "apps.mil.verbs.heatmap:heatmap",
            "discern mil heatmap work/features/made_001.safetensors --model slides.ts --slide slides/made_001.svs --out maps",
        ),
        Verb(
            "diagnose",
            "from slides to answers with maps and reports (research only)",
            "apps.mil.verbs.diagnose:diagnose",
            "discern mil diagnose slides/made_001.svs --encoder stats --px 128 --model slides.ts --out answers",
        ),
    ),
    packages=(
        "apps.mil.task",
        "apps.mil.survival_task",
        "datamodules.mil.datamodule",
        "datamodules.mil.feature_bags",
        "datamodules.mil.survival",
    ),
    picture="answers",
    examples="datamodules.mil.synth:write_examples",
    reader="datamodules.mil.reader:read_bag",
)
