from apps.base.card import Card, Verb

CARD = Card(
    name="mil",
    help="answer for whole bags of instances (slides of tiles, molecules, audio) from one label a bag",
    paper="Tang et al., Multiple Instance Learning Framework with Masked Hard Instance Mining, ICCV 2023",
    task="apps.mil.task.Classification",
    data="datamodules.mil.datamodule.NpzBags",
    programs=("bags", "risks"),
    metric="test/auc",
    baseline="test/chance",
    verbs=(
        Verb("slides", "from whole slides to features: find, tissue, tile, features, report", "apps.mil.slides_verb:slides"),
        Verb("crossval", "train and test on every fold for several seeds", "apps.mil.crossval_verb:crossval"),
        Verb("heatmap", "where on a slide a bag model looks: maps, GeoJSON, a page that zooms", "apps.mil.heatmap_verb:heatmap"),
        Verb("diagnose", "from slides to answers with maps and reports (research only)", "apps.mil.diagnose_verb:diagnose"),
    ),
    packages=(
        "apps.mil.task",
        "apps.mil.survival_task",
        "datamodules.mil.datamodule",
        "datamodules.mil.feature_bags",
        "datamodules.mil.survival",
    ),
    examples="datamodules.mil.synth:write_examples",
    reader="datamodules.mil.reader:read_bag",
)
