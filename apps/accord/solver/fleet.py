"""How many vehicles a plan may use, said in every answer: with more of them one can go below the published values."""

from apps.base.errors import UserError
from datamodules.accord.instances import CVRP, Instance

__all__ = ["fleet_words", "with_fleet"]


def with_fleet(instance: Instance, rule: str | None) -> Instance:
    """`free`, `name` (what the file's name says) or a count; None: as the instance has it. ACCORD brief 5.1."""
    if rule is None:
        return instance
    if not isinstance(instance, CVRP):
        raise UserError(f"--fleet {rule}: {instance.name or 'this'} is a {instance.kind}, which has no vehicles; leave it out")
    if rule == "free":
        return instance.with_fleet(None)
    if rule == "name":
        if instance.named_fleet is None:
            raise UserError(f"{instance.name or 'cvrp'}: its name says no fleet (-kK at its end); use --fleet free or --fleet K")
        return instance.with_fleet(instance.named_fleet)
    if not rule.isdecimal() or int(rule) == 0:
        raise UserError(f"--fleet {rule}: it is free, name, or a count of vehicles")
    return instance.with_fleet(int(rule))


def fleet_words(instance: Instance) -> str:
    """For people; empty where there are no vehicles."""
    if not isinstance(instance, CVRP):
        return ""
    return "fleet free" if instance.fleet is None else f"fleet at most {instance.fleet}"
