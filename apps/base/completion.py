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
_discern() {{
    local here="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" said="" word i offered
    for ((i = 1; i < COMP_CWORD; i++)); do
        word="${{COMP_WORDS[i]}}"
        case " $(_discern_words "$said") " in
            *" $word "*) said="${{said:+$said }}$word" ;;
        esac
    done
    case "$before" in
        -c | --config) offered="$(_discern_recipes "${{said%% *}}")" ;;
        *) case "$here" in
            -*) offered="$(_discern_options "$said") --home --quiet --debug --help" ;;
            *) offered="$(_discern_words "$said")" ;;
        esac ;;
    esac
    COMPREPLY=($(compgen -W "$offered" -- "$here"))
}}
complete -o bashdefault -o default -F _discern discern
"""
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
    options = {}
    for path, verb in _paths(HOUSE, ()):
        _add(shell, path, verb, words, options)
    for card in cards.values():
        words[card.name] = [verb.name for verb in (*SHARED, *card.verbs)]
        for path, verb in _paths((*SHARED, *card.verbs), (card.name,)):
            try:
                _add(shell, path, verb, words, options)
            except Exception as error:
                if card.name in APPS:
                    raise
                shell.complain(f"{' '.join(path)}: its options are not known: {type(error).__name__}: {' '.join(str(error).split())}")
    named = {name: recipes(card) for name, card in cards.items()}
    print(SCRIPT.format(shell=name, before=BEFORE[name], words=_cases(words), options=_cases(options), recipes=_cases(named)), end="")
    return 0


def _paths(verbs: tuple[Verb, ...], said: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Verb]]:
    for verb in verbs:
        yield (*said, verb.name), verb
        yield from _paths(verb.words, (*said, verb.name))


def _add(shell: Shell, path: tuple[str, ...], verb: Verb, words: dict[str, list[str]], options: dict[str, list[str]]) -> None:
    if verb.words:
        words[" ".join(path)] = [inner.name for inner in verb.words]
    else:
        options[" ".join(path)] = _options(shell, path)


def _options(shell: Shell, path: tuple[str, ...]) -> list[str]:
    """The long options in a word's help: what a parser has is known to the word alone."""
    from apps.base.dispatch import dispatch  # the command imports the words, and this is one of them

    into = io.StringIO()
    with contextlib.redirect_stdout(into), contextlib.suppress(SystemExit):
        dispatch(shell, [*path, "--help"])
    heads = [line.strip().split("  ")[0] for line in into.getvalue().splitlines() if line.startswith("  -")]
    return sorted({option for head in heads for option in re.findall(r"--[a-z][\w.-]*", head)})


def _cases(table: dict[str, list[str]]) -> str:
    return "\n".join(f'        "{said}") echo "{" ".join(names)}" ;;' for said, names in table.items())
