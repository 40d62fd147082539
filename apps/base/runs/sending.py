"""`discern runs send`: what the tracking store does not have yet."""

from apps.base.shell import Shell
from apps.base.tracking.finding import find_runs
from apps.base.tracking.replay import pending
from apps.base.tracking.sender import send_pending

__all__ = ["send"]


def send(shell: Shell, argv: list[str]) -> int:
    """Send what the tracking store does not have yet."""
    shell.parser("runs send", send.__doc__).parse_args(argv)
    waiting = [run for run in find_runs(shell.home) if pending(run)]
    trouble = send_pending(shell.home)
    for name, reason in trouble.items():
        shell.complain(f"run {name} is not sent: {reason}")
    shell.say(f"{max(len(waiting) - len(trouble), 0)} runs sent" if waiting else "nothing to send")
    return 1 if trouble else 0
