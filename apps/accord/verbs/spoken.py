"""A problem in words: what was understood, from which words, and what was not used, before it is solved."""

from apps.accord.reading import Given
from apps.accord.solver.fleet import with_fleet
from apps.base.shell import Shell
from datamodules.accord.errors import InfeasibleError
from datamodules.errors import DataError

__all__ = ["read_spoken"]


def read_spoken(shell: Shell, text: str, kind: str | None, fleet: str | None) -> Given:
    """The kind and the fleet that the user names beat what the text says."""
    from apps.accord.front import ParseReport, read_text

    report: ParseReport | None = None
    if kind is None:
        from apps.accord.router import Router

        route = Router.load()(text)
        if route.refused is not None:
            return Given("the text", None, "refused", f"the text was refused: {route.refused}")
        kind, report = route.kind, route.report
        shell.say(f"read as {kind} ({100 * route.scores[str(kind)]:.1f} % sure); --kind says otherwise")
    try:
        report = report or read_text(text, kind)
    except InfeasibleError as error:
        return Given("the text", None, "infeasible", str(error))
    except DataError as error:
        return Given("the text", None, "invalid", str(error))
    for span in report.spans:
        shell.say(f"  {span.start}-{span.end} {text[span.start : span.end]!r}: {span.meaning} = {span.value}")
    if report.ignored:
        shell.say(f"  not used: {', '.join(report.ignored)}")
    if report.instance is None:
        return Given("the text", None, "refused", report.why or "the text holds no complete problem")
    return Given("the text", with_fleet(report.instance, fleet))
