"""Schedules as Gantt charts: a row a machine, a colour a job."""

from apps.accord.numbers import counted, plainly
from apps.base.svg import INK, LIGHT, Svg, colour, ink_on, legend, number, shorten, ticks, width_of
from datamodules.accord.instances import FlowShop, JobShop
from datamodules.accord.solution import Plan

__all__ = ["draw_flow_shop", "draw_job_shop"]

Bar = tuple[int, int, int, int, str]  # machine, start, time, job, what the tip says
LEFT, WIDE = 92.0, 900.0


def draw_flow_shop(instance: FlowShop, plan: Plan, name: str, summary: str) -> str:
    """The starts follow from the jobs' order: each as early as it can."""
    free = [0] * instance.times.shape[1]
    bars: list[Bar] = []
    for job in plan:
        ready = 0
        for machine, time in enumerate(int(value) for value in instance.times[job]):
            start = max(ready, free[machine])
            bars.append((machine, start, time, job, ""))
            ready = free[machine] = start + time
    title = f"{name}: flow shop, {counted(instance.size, 'job')} on {counted(instance.times.shape[1], 'machine')}"
    return _chart(instance, bars, instance.times.shape[1], title, summary)


def draw_job_shop(instance: JobShop, plan: Plan, name: str, summary: str) -> str:
    bars: list[Bar] = [
        (machine, int(start), time, job, f", operation {step}")
        for job, (operations, starts) in enumerate(zip(instance.jobs, plan, strict=True))
        for step, ((machine, time), start) in enumerate(zip(operations, starts, strict=True))
    ]
    title = f"{name}: job shop, {counted(instance.size, 'job')} on {counted(instance.machines, 'machine')}"
    return _chart(instance, bars, instance.machines, title, summary)


def _chart(instance: FlowShop | JobShop, bars: list[Bar], machines: int, title: str, summary: str) -> str:
    jobs, scale = instance.size, instance.scale
    lane = 30.0 if machines <= 12 else 22.0
    entries = [(colour(job), shorten(f"job {instance.label(job)}", 11, 160)) for job in range(min(jobs, 24))]
    if jobs > 24:
        entries.append((LIGHT, f"and {jobs - 24} more, in the same colours again"))
    widest = max((width_of(words, 11) for _, words in entries), default=0.0)
    per_row = int((LEFT + WIDE) / (24 + max(widest, width_of("job 00", 11))))
    svg = Svg(LEFT + WIDE + 40, 140 + lane * machines + 18 * -(-len(entries) // per_row), title)
    top = svg.head(title, summary) + 6
    end = max((start + time for _, start, time, _, _ in bars), default=0)
    across = WIDE / (end or 1)
    bottom = top + lane * machines
    for tick in ticks(0, end / scale, 10):
        x = LEFT + tick * scale * across
        svg.line(x, top - 4, x, bottom, stroke=LIGHT)
        svg.text(x, bottom + 15, number(tick), size=10, anchor="middle", fill="#444444")
    for machine in range(machines):
        svg.text(
            LEFT - 10,
            top + lane * machine + lane / 2 + 4,
            shorten(f"machine {instance.machine_label(machine)}", 11, LEFT - 14),
            anchor="end",
        )
        svg.line(LEFT, top + lane * (machine + 1), LEFT + WIDE, top + lane * (machine + 1), stroke=LIGHT)
    for machine, start, time, job, more in sorted(bars):
        x, y = LEFT + start * across, top + lane * machine + 3
        label = instance.label(job)
        tip = f"job {label}{more}, machine {instance.machine_label(machine)}: {plainly(start, scale)} to {plainly(start + time, scale)}"
        if time == 0:  # a mark, else it would not be seen
            svg.line(x, y, x, y + lane - 6, stroke=colour(job), width=2)
            continue
        svg.rect(x, y, time * across, lane - 6, fill=colour(job), stroke="#FFFFFF", tip=tip)
        if width_of(label, 10) + 3 < time * across:
            svg.text(x + time * across / 2, y + lane / 2 + 0.5, label, size=10, anchor="middle", fill=ink_on(colour(job)))
    svg.line(LEFT + end * across, top - 8, LEFT + end * across, bottom + 3, stroke=INK, width=1.6, dash="5 3")
    svg.text(LEFT + WIDE / 2, bottom + 31, "time", size=11, anchor="middle")
    legend(svg, LEFT, bottom + 52, entries, WIDE)
    return svg.text_of()
