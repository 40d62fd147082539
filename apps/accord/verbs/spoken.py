"""A problem in words: what was understood, from which words, and what was not used, before it is solved."""

from apps.accord.reading import Given
from apps.accord.solver.fleet import with_fleet
from apps.base.shell import Shell

__all__ = ["read_spoken"]


def read_spoken(shell: Shell, text: str, kind: str | None, fleet: str) -> Given:
    """A kind that the user names beats the router."""
    from apps.accord.front import read_text
    from apps.accord.router import Router

    seen = kind
    if kind is None:
        route = Router.load(None)(text)
        if route.refused is not None:
            return Given("the text", None, "refused", f"the text was refused: {route.refused}")
        seen = route.kind
        shell.say(f"read as {seen} ({100 * route.scores[seen]:.1f} % sure); --kind says otherwise")
    report = read_text(text, kind=seen)
    for span in report.spans:
        shell.say(f"  {span.start}-{span.end} {text[span.start : span.end]!r}: {span.meaning} = {span.value}")
    if report.ignored:
        shell.say(f"  not used: {', '.join(map(str, report.ignored))}")
    if report.missing:
        return Given("the text", None, "refused", f"the text does not say {', '.join(report.missing)}; nothing was made up")
    if report.instance is None:
        return Given("the text", None, "refused", "the text holds no complete problem")
    return Given("the text", with_fleet(report.instance, None if fleet == "free" and report.kind == "cvrp" and report.instance.fleet else fleet))
