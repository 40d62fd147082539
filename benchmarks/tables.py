"""Writes the tables of benchmarks/README.md and of the pages that show them from results/*.json: `python -m benchmarks.tables`."""

import json
from pathlib import Path

HERE = Path(__file__).parent
MARK = "<!-- tables: written by benchmarks/tables.py -->"
FIRST, LAST = "<!-- tables: begin, written by benchmarks/tables.py -->", "<!-- tables: end -->"  # in an application's page

# (result, what it is, the columns that the page shows, which values of a column: all where it is not named)
Shown = tuple[str, str, list[str], dict[str, tuple[str, ...]]]
CROSSOVERS = ("from_ns", "from_cs", "from_nc", "from_cc")
PAGES: dict[str, list[Shown]] = {
    "apps/dcal/README.md": [
        (
            "dcal_cub38",
            "38 species of CUB-200-2011 from scratch, 1,026 training pictures of 96 px",
            ["row", "top1", "top1_ci95", "per_class", "over_plain", "over_plain_ci95", "seeds", "cpu_seconds"],
            {},
        ),
        (
            "dcal_pku59",
            "59 persons of PKU-Reid from scratch, 26 of them to learn from",
            ["protocol", "row", "mAP", "mAP_ci95", "R1", "mINP", "seeds", "cpu_seconds"],
            {"protocol": ("cross", "market")},
        ),
        (
            "dcal_beetles",
            "Beetles: accuracy, and how often the cell of the class mark is chosen (9.4 % by chance)",
            ["set", "row", "top1", "top1_ci95", "over_plain", "over_plain_ci95", "cell_hit", "seeds"],
            {},
        ),
        (
            "dcal_search",
            "Search of a gallery, exact, one query",
            ["entries", "width", "ours_ms", "ours_cpu_ms", "faiss_flat_ms", "faiss_flat_cpu_ms", "ours_over_faiss", "identical"],
            {},
        ),
    ],
    "apps/hag/README.md": [
        (
            "hag_embedded",
            "Colonoscopies made by code: 36 polyps to test; floors answer the same frames",
            [
                "set",
                "row",
                "mae",
                "tri_macro_f1",
                "polyp_mae",
                "polyp_tri_macro_f1",
                "apparent_size_mae",
                "constant_mae",
                "gate_auc_noise",
                "gate_auc_decoy",
                "seeds",
                "cpu_seconds",
            ],
            {},
        ),
        (
            "hag_kvasir",
            "Terciles of the polyp's area from the frame alone: five folds of Kvasir-SEG, and CVC-ClinicDB, trained on by nobody",
            ["row", "macro_f1", "over_plain", "cvc_macro_f1", "seeds", "cpu_seconds"],
            {},
        ),
        (
            "hag_cifar",
            "CIFAR-10, few pictures, equal steps: what gates and their routing bring",
            [
                "pictures",
                "network",
                "row",
                "top1",
                "top1_ci95",
                "over_plain",
                "over_plain_ci95",
                "over_plain_boot95",
                "mean_gate",
                "cpu_seconds",
            ],
            {},
        ),
        (
            "hag_toys",
            "Made-up features: what selects, against noise and against decoys that mark a group",
            ["set", "row", "lambda", "r2", "r2_ci95", "over_none", "auc_noise", "auc_decoy", "seeds"],
            {},
        ),
        ("hag_cost", "A training step over a plain one, one thread", ["network", "batch", "routing", "step_ms", "over_plain"], {}),
        (
            "hag_cost",
            "An answer over that of a network that never had gates",
            ["network", "batch", "model", "answer_ms", "over_never_gated", "gates_left", "off"],
            {},
        ),
        (
            "hag_cost",
            "An answer with closed channels cut out",
            [
                "network",
                "site",
                "closed_percent",
                "parameters_less_percent",
                "macs_less_percent",
                "time_over_folded",
                "faster_percent",
                "off",
            ],
            {},
        ),
        (
            "hag_timm",
            "Networks of timm, as they are",
            [
                "network",
                "timm",
                "gates",
                "wrapped_off",
                "apart",
                "folded",
                "kept",
                "fold_off_float64",
                "fold_off",
                "macs_less_percent",
                "cut_off",
            ],
            {},
        ),
    ],
    "apps/ahan/README.md": [
        (
            "ahan_detection",
            "From photographs to aligned faces: 97 uncropped photographs of LFW, 250 x 250",
            ["detector", "photographs", "usable", "coarse", "failures", "cpu_ms"],
            {},
        ),
        (
            "ahan_detection",
            "How far a frame lies from that of the five true points, in pixels of 112: drawn faces, turned and scaled",
            ["frame", "faces", "away_px", "away_px_p90", "turned_degrees", "scaled_percent"],
            {},
        ),
        (
            "ahan_detection",
            "What that does to a verification: the same faces, drawn twins, one model",
            ["framed_by", "pairs", "auc_general", "auc_twin", "model"],
            {},
        ),
        (
            "ahan_embedded",
            "Twins made by code, told apart on 30 unseen families; gaps to the first row of each set",
            ["set", "row", "twin", "over_first", "over_first_ci95", "twin_eer", "twin_tar", "general_accuracy", "seeds", "cpu_seconds"],
            {},
        ),
        (
            "ahan_lfw",
            "LFW, View 2, no outside data, five trainings of which each leaves out two folds and validates on a third",
            ["row", "accuracy", "accuracy_error", "over_plain", "over_plain_ci95", "eer", "tar_far_1e-2", "cpu_seconds"],
            {},
        ),
        ("ahan_speed", "The exported file on a CPU", ["what", "size", "batch", "threads", "ms", "pairs_per_s"], {}),
        (
            "ahan_search",
            "One face among templates, exact search and FAISS's flat index, one thread; answer: with threshold and twin rule",
            ["people", "width", "search_cpu_ms", "answer_cpu_ms", "faiss_flat_cpu_ms", "search_over_faiss", "identical", "load_s"],
            {},
        ),
    ],
    "apps/histograph/README.md": [
        (
            "histograph_tu",
            "Five public sets, GIN, ten folds, the epoch chosen on validation; differences to the mean paired by fold and seed",
            ["set", "readout", "accuracy", "half_interval", "less_mean", "less_mean_half_interval", "seeds", "seconds"],
            {},
        ),
        (
            "histograph_depth",
            "Cora, GCN of 2 to 64 convolutions, accuracy on the public split's test nodes (mean, lowest and highest of three seeds)",
            ["readout", "layers", "test", "lowest", "highest", "val", "seconds"],
            {},
        ),
        (
            "histograph_mix_batch",
            "PROTEINS: what the accuracy of a model that mixes its batch depends on",
            ["model", "file_order", "drawn_order", "one_by_one", "best_epoch_file_order"],
            {},
        ),
        (
            "histograph_cost",
            "A training step of the readout alone, 64 wide: milliseconds, times those of histo, and what it holds",
            ["layers", "nodes_a_graph", "readout", "ms", "over_histo", "peak_mib", "textbook_over_folded"],
            {},
        ),
        (
            "histograph_large_graph",
            "Two blocks learned by drawn surroundings, 62 steps of 64 nodes; the memory is all that the process ever held",
            ["nodes", "directed_edges", "graph_mib", "peak_mib", "accuracy", "own_features", "making_seconds", "training_seconds"],
            {},
        ),
    ],
    "apps/otsnet/README.md": [
        (
            "otsnet_budget",
            "Real words after so many minutes of one thread, nano, from scratch: made words and the real training parts",
            [
                "minutes",
                "row",
                "K",
                "iiit5k_36",
                "iiit5k_36_ci95",
                "iiit5k_94",
                "iiit5k_ned",
                "iiit5k_seen",
                "iiit5k_unseen",
                "svt_36",
                "svt_36_ci95",
                "svt_94",
                "steps",
                "seeds",
            ],
            {},
        ),
        (
            "otsnet_embedded",
            "Embedded words: read right with K = 0 and 1, and what each part does",
            [
                "row",
                "lexicon_0",
                "lexicon_1",
                "random_0",
                "random_1",
                "in_box",
                "restored",
                "judge_spoilt",
                "perplexity",
                "dead",
                "purity",
                "mutual_information",
                "seeds",
            ],
            {},
        ),
        (
            "otsnet_stress",
            "Covered words and busy grounds: words that both encoders read when clean",
            [
                "stress",
                "encoder",
                "words",
                "words_both_read_clean",
                "over_softmax",
                "over_softmax_ci95",
                "background_encoder",
                "background_slots",
                "background_if_even",
            ],
            {},
        ),
        (
            "otsnet_speed",
            "Exported readers, one thread, interleaved",
            ["reader", "ms_1", "images_a_second_1", "times_parseq_s_1", "images_a_second_32", "times_parseq_s_32"],
            {},
        ),
        ("otsnet_speed", "From a cold start", ["what", "import_torch_s", "predict_s"], {}),
    ],
    "docs/study.md": [
        (
            name,
            title,
            ["mixer", "top1", "top1_ci95", "over_softmax", "over_softmax_ci95", "verdict", "parameters", "step", "memory", *CROSSOVERS],
            {},
        )
        for name, title in (
            ("study_cifar10_subset", "CIFAR-10, 10,000 training pictures of 32 px, 2,000 to test"),
            ("study_cub38", "38 species of CUB-200-2011, 1,140 training pictures of 64 px, 1,083 to test"),
        )
    ],
    "apps/mil/README.md": [
        (
            "mil_bags",
            "Classical bags, clean protocol, the files' ten folds, three repeats",
            ["set", "arm", "accuracy", "accuracy_error", "fold_auc", "fold_auc_error", "pooled_auc", "over_host"],
            {},
        ),
        (
            "mil_hard_bags",
            "Hard bags on draws that no setting was chosen on: AUC",
            ["arm", "easy_and_hard", "hard_only", "over_host", "least_over_host", "both_aims"],
            {},
        ),
        (
            "mil_glas",
            "GlaS, benign or malignant glands, 145 images of 13 patients in five folds by patient",
            ["field", "arm", "fold_auc", "fold_auc_error", "pooled_auc", "accuracy"],
            {},
        ),
        (
            "mil_slides",
            "Made slides from file to answer, four folds by patient: AUC of slides and, within slides, of tiles",
            ["set", "arm", "fold_auc", "pooled_auc", "tile_auc_attention", "tile_auc_instance", "tile_recall_instance"],
            {},
        ),
        ("mil_slides", "Their tissue, pen and seconds", ["set", "what", "value"], {}),
        ("mil_slides", "Real slide files", ["file", "ended", "why"], {}),
        (
            "mil_large_bags",
            "Large bags, in parts (streamed) and at once (eager)",
            ["instances", "pass", "streamed_seconds", "eager_seconds", "eager_over_streamed", "streamed_mib", "eager_mib"],
            {},
        ),
        ("mil_front_end", "A slide of 20,000 x 20,000 pixels: tissue and tiles", ["what", "seconds", "aim"], {}),
        (
            "mil_front_end",
            "The same: reading and encoding",
            ["what", "tiles_per_second", "against", "its_tiles_per_second", "times_faster", "aim"],
            {},
        ),
    ],
}


def table(path: Path) -> str:
    about = json.loads(path.read_text())
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    head = (
        f"### {about['subject']}\n\n{about['device']}, {about['threads']} threads, {about['date']}, commit {about['commit']}; {versions}\n"
    )
    lines = [head]
    groups: dict[tuple[str, ...], list[dict]] = {}
    for row in about["rows"]:
        groups.setdefault(tuple(row), []).append(row)
    for keys, rows in groups.items():
        lines += [f"| {' | '.join(keys)} |", f"|{' --- |' * len(keys)}"]
        lines += [f"| {' | '.join(str(row[key]) for key in keys)} |" for row in rows] + [""]
    return "\n".join(lines)


def section(results: Path, wanted: list[Shown]) -> str:
    """A page's tables; a result that is not there is not measured."""
    parts = []
    for name, title, columns, only in wanted:
        path = results / f"{name}.json"
        if not path.exists():
            parts.append(f"{title}: not measured.")
            continue
        about = json.loads(path.read_text())
        head = f"{title} ({about['device']}, {about['threads']} thread{'s' * (about['threads'] != 1)}, {about['date']}):"
        rows = [row for row in about["rows"] if row.keys() >= {*columns, *only}]  # a result may hold rows of several kinds
        rows = [row for row in rows if all(row[column] in values for column, values in only.items())]
        lines = [f"| {' | '.join(str(row[column]) for column in columns)} |" for row in rows]
        parts.append("\n".join([head, "", f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}", *lines]))
    return "\n\n".join(parts)


def put(page: str, text: str) -> str:
    """The page with this text between the marks, and everything else as it was."""
    before, _, rest = page.partition(FIRST)
    _, last, after = rest.partition(LAST)
    if not last:
        raise SystemExit(f"no {FIRST} and {LAST} in the page; put them where the tables belong")
    return f"{before}{FIRST}\n{text}\n{LAST}{after}"


def main() -> None:
    for place, wanted in PAGES.items():
        page = HERE.parent / place
        page.write_text(put(page.read_text(), section(HERE / "results", wanted)))
    readme = HERE / "README.md"
    kept = readme.read_text().split(MARK)[0].rstrip()
    tables = "\n".join(table(path) for path in sorted((HERE / "results").glob("*.json")))
    readme.write_text(f"{kept}\n\n{MARK}\n\n{tables}")


if __name__ == "__main__":
    main()
