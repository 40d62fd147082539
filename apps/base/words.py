"""The words of the command that no card brings: those of the house, and the verbs that every application has."""

from apps.base.card import Verb

__all__ = ["HOUSE", "SHARED"]

HOUSE = (
    Verb("apps", "list the applications", "apps.base.house:list_apps", "discern apps --json"),
    Verb(
        "demo",
        "train, test, export and ask every application on its embedded set",
        "apps.base.demo:demo",
        "discern demo histograph --fast",
    ),
    Verb(
        "predict",
        "answer from an exported file: discern predict FILE INPUT...",
        "apps.base.predict:predict",
        "discern predict dcal.ts inputs --format csv -o answers.csv --pictures drawn",
    ),
    Verb("ui", "open the dashboard of all runs", "apps.base.ui:ui", "discern ui --port 5001"),
    Verb(
        "runs",
        "what was run here, how runs differ, what may go",
        words=(
            Verb("list", "all runs, oldest first", "apps.base.runs.listing:list_runs", "discern runs list --app dcal"),
            Verb(
                "compare",
                "where the configurations of runs differ, and their last metrics",
                "apps.base.runs.listing:compare",
                "discern runs compare first second",
            ),
            Verb("best", "the run that came furthest", "apps.base.runs.best:best", "discern runs best dcal"),
            Verb(
                "delete",
                "remove a run, here and in the tracking store",
                "apps.base.runs.removal:delete",
                "discern runs delete second --yes",
            ),
            Verb("gc", "remove what was left over", "apps.base.runs.removal:gc", "discern runs gc --dry-run"),
            Verb("send", "send what the tracking store does not have yet", "apps.base.runs.sending:send", "discern runs send"),
        ),
    ),
    Verb("report", "write a run as one HTML file", "apps.base.report:report", "discern report first -o first.html"),
    Verb(
        "data",
        "what a folder of data holds and what is wrong with it",
        words=(
            Verb(
                "check",
                "format, counts, splits, problems, and the command to train on it",
                "apps.base.data_check:check",
                "discern data check pictures --near",
            ),
        ),
    ),
    Verb(
        "bench",
        "what the parts cost on this machine",
        words=(  # a new subject is a module in apps/base/bench and an entry here
            Verb(
                "mixers",
                "every token mixer beside softmax: time, memory, and from which length on it wins",
                "apps.base.bench.mixers:mixers",
                "discern bench mixers --mixers sigmoid --lengths 64,128 --rounds 3",
            ),
            Verb(
                "kernels",
                "every fused kernel beside the forms that torch has: time, memory, share of what the device could",
                "apps.base.bench.kernels:kernels",
                "discern bench kernels --from kernels.json",
            ),
        ),
    ),
    Verb("doctor", "what this machine and this installation can do", "apps.base.doctor:doctor", "discern doctor --json"),
    Verb(
        "completion",
        "a script that lets the shell complete these words",
        "apps.base.completion:completion",
        "discern completion bash > ~/.discern-completion && echo '. ~/.discern-completion' >> ~/.bashrc",
    ),
)

SHARED = (  # these take the card besides the words
    Verb(
        "fit",
        "train (with no options: the embedded set, about a minute)",
        "apps.base.command:fit",
        "discern {app} fit --name first --seed_everything 1",
    ),
    Verb(
        "sweep",
        "train with every combination of some values; the best in validation",
        "apps.base.sweep:sweep",
        "discern {app} sweep --name rates --over model.optim.lr=1e-3,3e-4 --jobs 2",
    ),
    Verb("validate", "measure a checkpoint on the validation split", "apps.base.command:validate", "discern {app} validate --ckpt last"),
    Verb("test", "measure a checkpoint on the test split", "apps.base.command:test", "discern {app} test --run first"),
    Verb(
        "export",
        "write one file that answers without this package",
        "apps.base.command:export",
        "discern {app} export --run first -o {app}.ts",
    ),
    Verb("predict", "answer from an exported file", "apps.base.command:predict", "discern {app} predict {app}.ts inputs"),
)
