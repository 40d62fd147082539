"""A recipe's file is looked at before it is laid over others: what is wrong in it is said with its name, its line and the remedy."""

from pathlib import Path

import yaml
from yaml.reader import ReaderError

from apps.base.errors import UserError

__all__ = ["LINKED", "check_recipe"]

LINKED = "data.seed follows seed_everything; set seed_everything instead"


def check_recipe(path: Path) -> None:
    try:
        text = path.read_text("utf-8")
        root = yaml.compose(text, yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8 text") from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give a file that can be read") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        tab = mark is not None and mark.buffer is not None and mark.buffer[mark.pointer : mark.pointer + 1] == "\t"
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        remedy = "indent with spaces, YAML knows no tabs" if tab else "mend that line, it is not YAML"
        raise UserError(f"{path}{where}: {error.problem}; {remedy}") from error
    except ReaderError as error:
        raise UserError(f"{path}, character {error.position + 1}: {error.reason}; save the file as plain text") from error
    if root is None:
        raise UserError(f"{path}: says nothing; write keys of the recipe there (see --print_config), or leave out --config")
    if not isinstance(root, yaml.MappingNode):
        raise UserError(f"{path}: a recipe is a mapping of keys, as 'trainer:'; this is a {root.id} (see --print_config)")
    _each_key_once(path, root)
    _no_seed_of_its_own(path, root)


def _each_key_once(path: Path, root: yaml.Node) -> None:
    """YAML would take the last without a word."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key, value in node.value:
                line = key.start_mark.line + 1
                if isinstance(key, yaml.ScalarNode):
                    if key.value in lines:
                        raise UserError(f"{path}, line {line}: {key.value} stands in line {lines[key.value]} already; keep one of them")
                    lines[key.value] = line
                waiting.append(value)


def _no_seed_of_its_own(path: Path, root: yaml.Node) -> None:
    """A run's config.yaml states what the link made of seed_everything: that is right. Anything else would be overwritten."""
    for place in (("data", "seed"), ("data", "init_args", "seed")):
        own = _text_at(root, place)
        if own is not None and own != _text_at(root, ("seed_everything",)):
            raise UserError(f"{path}: {LINKED}")


def _text_at(node: yaml.Node, keys: tuple[str, ...]) -> str | None:
    """A value as it is written: nothing is made of it here."""
    for key in keys:
        inner = [value for name, value in node.value if name.value == key] if isinstance(node, yaml.MappingNode) else []
        if not inner:
            return None
        node = inner[0]
    return node.value if isinstance(node, yaml.ScalarNode) else None
