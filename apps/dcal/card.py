from apps.base.card import Card, Verb

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
    verbs=(
        Verb("index", "make a gallery of pictures, add to it, delete from it, forget", "apps.dcal.verbs.index:index"),
        Verb("search", "what in a gallery is most alike", "apps.dcal.verbs.search:search"),
        Verb("same", "are two pictures of the same one", "apps.dcal.verbs.same:same"),
        Verb("explain", "draw where the model looked", "apps.dcal.verbs.explain:explain"),
        Verb("eval-reid", "measure a re-identification checkpoint under each protocol", "apps.dcal.verbs.eval_reid:eval_reid"),
        Verb("ablate", "what each branch brings on your data, as a table", "apps.dcal.verbs.ablate:ablate"),
    ),
    examples="datamodules.dcal.synth:write_examples",
)
