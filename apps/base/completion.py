"""`discern completion SHELL`: a script that knows every word, option and recipe, so that pressing TAB starts no Python."""

import contextlib
import io
import re
from collections.abc import Iterator

from apps.base.card import APPS, Verb, find_cards
from apps.base.compose import recipes
from apps.base.shell import Shell
from apps.base.words import HOUSE, SHARED

__all__ = ["completion"]

SCRIPT = """\
# completion of discern, made by: discern completion {shell}
{before}_discern_words() {{
    case "$1" in
{words}
    esac
}}
_discern_options() {{
    case "$1" in
{options}
    esac
}}
_discern_recipes() {{
    case "$1" in
{recipes}
    esac
}}
_discern_values() {{
    case "$1" in
{values}
    esac
}}
_discern_runs() {{
    find "$1/mlruns/runs" -mindepth 3 -maxdepth 3 -name run.json -path "*/runs/$2/*" -exec \\
        sed -n 's/^ "name": "\\(.*\\)",$/\\1/p' {{}} + 2> /dev/null
}}
_discern() {{
    local here="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" said="" home="." word i offered
    for ((i = 1; i < COMP_CWORD; i++)); do
        word="${{COMP_WORDS[i]}}"
        [ "$word" = --home ] && home="${{COMP_WORDS[i+1]}}"
        case " $(_discern_words "$said") " in
            *" $word "*) said="${{said:+$said }}$word" ;;
        esac
    done
    case "$before" in
        -c | --config) offered="$(_discern_recipes "${{said%% *}}")" ;;
        --run) offered="$(_discern_runs "$home" "${{said%% *}}")" ;;
        *) case "$here" in
            -*) offered="$(_discern_options "$said") --home --quiet --debug --version --help" ;;
            *) offered="$(_discern_values "$said $before")"
                [ -n "$offered" ] || offered="$(_discern_words "$said")"
                case "$said" in
                    report | "runs compare" | "runs delete") offered="$(_discern_runs "$home" "*")" ;;
                esac ;;
        esac ;;
    esac
    COMPREPLY=($(compgen -W "$offered" -- "$here"))
}}
complete -o bashdefault -o default -F _discern discern
"""
OPTION = re.compile(r"--[a-z][\w.-]*")
BEFORE = {"bash": "", "zsh": "autoload -Uz compinit bashcompinit && compinit && bashcompinit\n"}


def completion(shell: Shell, argv: list[str]) -> int:
    """Print a script with which the shell completes words, options, recipes and files.

    It is made of what is installed: make it again after an upgrade. All helps are asked once, which takes some seconds.
    """
    parser = shell.parser("completion", completion.__doc__)
    parser.add_argument("shell", choices=tuple(BEFORE))
    name = parser.parse_args(argv).shell
    cards = find_cards()
    words = {"": [*cards, *(verb.name for verb in HOUSE)]}
    options, values = {}, {}
    for path, verb in _paths(HOUSE, ()):
        _add(shell, path, verb, words, options, values)
    for card in cards.values():
        words[card.name] = [verb.name for verb in (*SHARED, *card.verbs)]
        for path, verb in _paths((*SHARED, *card.verbs), (card.name,)):
            try:
                _add(shell, path, verb, words, options, values)
            except Exception as error:
                if card.name in APPS:
                    raise
                shell.complain(f"{' '.join(path)}: its options are not known: {type(error).__name__}: {' '.join(str(error).split())}")
    named = {name: recipes(card) for name, card in cards.items()}
    tables = {"words": words, "options": options, "values": values, "recipes": named}
    print(SCRIPT.format(shell=name, before=BEFORE[name], **{key: _cases(table) for key, table in tables.items()}), end="")
    return 0


def _paths(verbs: tuple[Verb, ...], said: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Verb]]:
    for verb in verbs:
        yield (*said, verb.name), verb
        yield from _paths(verb.words, (*said, verb.name))


Table = dict[str, list[str]]  # what is offered after what was said


def _add(shell: Shell, path: tuple[str, ...], verb: Verb, words: Table, options: Table, values: Table) -> None:
    if verb.words:
        words[" ".join(path)] = [inner.name for inner in verb.words]
    else:
        heads = _heads(shell, path)
        options[" ".join(path)] = sorted({option for head in heads for option in OPTION.findall(head)})
        for head in heads:
            if choices := re.search(r"\{([\w.,-]+)\}", head):
                values |= {" ".join((*path, option)): choices[1].split(",") for option in OPTION.findall(head)}


def _heads(shell: Shell, path: tuple[str, ...]) -> list[str]:
    """The options in a word's help, each with what it takes: what a parser has is known to the word alone."""
    from apps.base.dispatch import dispatch  # the command imports the words, and this is one of them

    into = io.StringIO()
    with contextlib.redirect_stdout(into), contextlib.suppress(SystemExit):
        dispatch(shell, [*path, "--help"])
    return [line.strip().split("  ")[0] for line in into.getvalue().splitlines() if line.startswith("  -")]


def _cases(table: dict[str, list[str]]) -> str:
    return "\n".join(f'        "{said}") echo "{" ".join(names)}" ;;' for said, names in table.items())
