from apps.base.card import Card, Verb

CARD = Card(
    name="accord",
    help="tours, routes, knapsacks, bins and schedules: answers that are always feasible",
    paper="Abgaryan et al., ACCORD: Autoregressive Constraint-satisfying Generation for Combinatorial Optimization, 2025",
    task="apps.accord.task.Deciding",
    data="datamodules.accord.datamodule.Problems",
    programs=("solve",),
    metric="test/gap",
    baseline="test/rule_gap",
    higher_is_better=False,
    verbs=(
        Verb(
            "generate",
            "make instances of the usual test distributions",
            "apps.accord.verbs.generate:generate_instances",
            "discern accord generate cvrp --size 20 --count 4 -o made",
        ),
        Verb(
            "solve",
            "the best plan in the time there is, checked, with its proof",
            "apps.accord.verbs.solve:solve",
            "discern accord solve made --time-limit 2 -o plans.jsonl --plot drawn --trace trace.csv",
        ),
        Verb(
            "check",
            "does a plan keep every rule? what does it really cost?",
            "apps.accord.verbs.check:check_plan",
            "discern accord check made#1 plans.jsonl",
        ),
        Verb(
            "repair",
            "make a plan feasible with the least change",
            "apps.accord.verbs.repair:repair_plan",
            "discern accord repair made#1 plans.jsonl -o repaired.sol",
        ),
        Verb(
            "convert",
            "instances and plans into another format",
            "apps.accord.verbs.convert:convert_files",
            "discern accord convert made#1 first.vrp",
        ),
        Verb(
            "compare",
            "methods side by side at the same time limit",
            "apps.accord.verbs.compare:compare",
            "discern accord compare made --methods portfolio,savings,local --time-limit 1 -o compared.csv --plot compared.svg",
        ),
        Verb(
            "route",
            "which kind of problem a text tells of, and by which words",
            "apps.accord.verbs.route:route_text",
            "discern accord route 'Pack sizes 4, 8, 1, 4, 2 and 1 into as few boxes of size 10 as possible.' --plot route.svg",
        ),
    ),
    packages=("apps.accord.task", "apps.accord.options", "datamodules.accord.datamodule"),
    picture="gaps",
    examples="datamodules.accord.synth:write_examples",
    reader="apps.accord.predicting:read_row",
    expander="apps.accord.predicting:expand",
)
