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
        Verb(
            "index",
            "make a gallery of pictures, add to it, delete from it, forget",
            "apps.dcal.verbs.index:index",
            "discern dcal index embed.ts pictures --labels pictures/labels.csv -o gallery",
        ),
        Verb(
            "search",
            "what in a gallery is most alike",
            "apps.dcal.verbs.search:search",
            "discern dcal search embed.ts gallery inputs --top 3 --sheet matches.png",
        ),
        Verb(
            "same",
            "are two pictures of the same one",
            "apps.dcal.verbs.same:same",
            "discern dcal same embed.ts inputs/beetle-0.png inputs/beetle-1.png -o both.png",
        ),
        Verb(
            "explain",
            "draw where the model looked",
            "apps.dcal.verbs.explain:explain",
            "discern dcal explain best inputs/beetle-0.png -o rollout.png",
        ),
        Verb(
            "eval-reid",
            "measure a re-identification checkpoint under each protocol",
            "apps.dcal.verbs.eval_reid:eval_reid",
            "discern dcal eval-reid --protocol cross --rerank --sheet rankings.png",
        ),
        Verb(
            "ablate",
            "what each branch brings on your data, as a table",
            "apps.dcal.verbs.ablate:ablate",
            "discern dcal ablate --rows sa,both --seeds 2 --trainer.max_epochs=1",
        ),
    ),
    picture="confused",
    examples="datamodules.dcal.synth:write_examples",
)
