from apps.base.card import Card, Verb

CARD = Card(
    name="moons",
    help="which of two moons is a point on",
    paper="none",
    task="toy_moons.task.Moons",
    data="toy_moons.data.Points",
    programs=("sides",),
    metric="test/accuracy",
    baseline="test/chance",
    verbs=(Verb("count", "how many points there are to learn from", "toy_moons.data:count", "discern moons count"),),
    packages=("toy_moons",),
    recipes="toy_moons.recipes",
    layouts="toy_moons.data",
    examples="toy_moons.data:write_examples",
    reader="toy_moons.data:read_point",
)
