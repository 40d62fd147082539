"""The kind of a problem by its key phrases alone; None where they leave it open."""

import re

__all__ = ["guess_kind", "phrase_points", "phrases"]

# points, pattern; a kind needs MIN points and a lead over the next one
_PHRASES: dict[str, list[tuple[int, str]]] = {
    "tsp": [
        (6, r"travel+ing sales\w*|\btsp\b"),
        (3, r"\b(?:round[- ]?trip|tour|closed loop|circuit|round)\b"),
        (2, r"\bcit(?:y|ies)|towns?|sights|landmarks"),
        (
            2,
            (
                r"visit(?:s|ed|ing)? (?:each|every|all|them)|exactly once|shortest (?:route|path"
                r"|way|trip|loop|tour|round)"
            ),
        ),
        (2, r"return(?:s|ing)? to (?:the )?(?:start|begin|first|origin|home)|back (?:home|to)"),
        (1, r"distances?\b|coordinates?"),
        (1, r"drill\w*|holes"),
    ],
    "cvrp": [
        (6, r"\bc?vrp\b|vehicle routing"),
        (3, r"\bdepot|warehouse"),
        (2, r"\b(?:vehicles?|trucks?|vans?|lorr(?:y|ies)|fleet)\b"),
        (2, r"customers?|clients|deliver\w*"),
        (3, r"demands?\b"),
        (2, r"(?:vehicle|truck|van)s?\W+(?:\w+\W+){0,3}(?:capacity|holds?|carr)"),
    ],
    "knapsack": [
        (6, r"knapsack|rucksack|backpack|suitcase"),
        (3, r"\b(?:values?|worth|profits?|valuable|benefits?|revenues?)\b"),
        (2, r"\bweigh\w*|\bsizes?\b|\bcosts?\b"),
        (2, r"capacity|budget|carry|limit"),
        (2, r"which (?:items|projects|things|ones)|choose|select|pick|maximi[sz]e"),
    ],
    "binpack": [
        (6, r"bin[- ]?packing|\bbpp\b"),
        (4, r"\bbins?\b"),
        (2, r"\b(?:boxes|containers|crates|disks?|rolls|trucks|pallets|shelves|cartons)\b"),
        (
            3,
            (
                r"(?:as few|fewest|minimum number|min(?:imi[sz]e)? the number|smallest number|least number"
                r"|how many) (?:of )?(?:\w+ )?(?:bins?|boxes|containers|disks?|rolls|crates|trucks"
                r"|cartons|pipes|boards|of them|as possible|are needed)?"
            ),
        ),
        (1, r"\bpack\w*|fit\b"),
        (1, r"capacity|holds?|sizes?"),
    ],
    "pfsp": [
        (6, r"flow[- ]?shop|\bp?fssp?\b|\bpfsp\b"),
        (
            3,
            (
                r"same (?:order|sequence|route)|(?:order|sequence) of (?:the )?machines is the same"
                r"|all jobs (?:go|pass|run|visit)|permutation|one after (?:the other|another) through"
            ),
        ),
        (2, r"\bmachines?|stations?"),
        (2, r"\bjobs?\b"),
        (2, r"makespan|completion|finish|as early"),
    ],
    "jssp": [
        (6, r"job[- ]?shop|\bjssp?\b|\bjsp\b"),
        (
            3,
            (
                r"own (?:order|route|sequence)|different (?:order|route|sequence)s?|given order"
                r"|in (?:this|that|the) order|in order"
            ),
        ),
        (2, r"\bmachines?\b|\bM\d+:"),
        (2, r"\bjobs?\b|\bJ\d+:"),
        (2, r"operations?"),
        (2, r"makespan|completion|finish|as early"),
    ],
}
MIN, LEAD = 4, 1
PROSE = 50_000  # characters in which phrases are sought
_COMPILED = {kind: [(points, re.compile(pattern, re.I)) for points, pattern in phrases] for kind, phrases in _PHRASES.items()}


def phrases(text: str) -> list[tuple[int, int, str]]:
    """Where the key phrases of each kind first stand, as (start, end, kind and points)."""
    found = []
    for kind, known in _COMPILED.items():
        for points, pattern in known:
            if (match := pattern.search(text)) and match[0].strip():
                found.append((match.start(), match.end(), f"{kind} {points}"))
    return found


def phrase_points(text: str) -> dict[str, int]:
    """By kind, the points of its phrases that the text has."""
    return {kind: sum(points for points, pattern in known if pattern.search(text)) for kind, known in _COMPILED.items()}


def guess_kind(text: str) -> str | None:
    scores = phrase_points(text[:PROSE])
    first, second = sorted(scores, key=lambda kind: -scores[kind])[:2]
    return first if scores[first] >= MIN and scores[first] - scores[second] >= LEAD else None
