# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tables and plots of what benchmarks/run has measured."""
import datetime
import os
import statistics

from workloads import BY_HAND, IO, PEERS, UNREPEATED, WORKLOADS

BEGIN = "<!-- figures: begin (written by benchmarks/run) -->"
END = "<!-- figures: end -->"


def middle(reports, figure):
    return statistics.median(r[figure] for r in reports)


def spread(reports, figure):
    values = [r[figure] for r in reports]
    return max(values) / min(values) if min(values) > 0 else 1.0


def crowded(reports, workers, crowds):
    """More workers than CPUs: times of weft, and their ratio to as many workers as CPUs."""
    lines = ["", "More workers than CPUs, seconds (in brackets the ratio):", "",
             "| workload | " + " | ".join(f"{c} workers" for c in [workers[-1], *crowds]) + " |",
             "|---" * (len(crowds) + 2) + "|"]
    for name in WORKLOADS:
        if name in UNREPEATED or not all((name, "weft", c) in reports for c in [workers[-1], *crowds]):
            continue
        base = middle(reports[(name, "weft", workers[-1])], "median_s")
        times = [middle(reports[(name, "weft", c)], "median_s") for c in crowds]
        lines.append(f"| {name} | {base:.3f} | "
                     + " | ".join(f"{t:.3f} ({t / base:.2f})" for t in times) + " |")
    return lines


def shares_of_ideal(reports, workers):
    """Workloads whose tasks last a known time: what they take one after the other, shared
    out, over the measured time."""
    rows = {name: [reports[(name, "weft", c)] for c in workers] for name in WORKLOADS
            if all("efficiency" in r for c in workers for r in reports.get((name, "weft", c), [{}]))}
    if not rows:
        return []
    return ["", "Share of the ideal time:", "",
            "| workload | " + " | ".join(f"{c} workers" for c in workers) + " |",
            "|---" * (len(workers) + 1) + "|",
            *(f"| {name} | " + " | ".join(f"{middle(r, 'efficiency'):.0%}" for r in row) + " |"
              for name, row in rows.items())]


def io_table(reports):
    """Rates and delays, and how the rate compares with the programs by hand."""
    rows = []
    for name in IO:
        for runtime in ["weft", "weft on epoll", *BY_HAND.values()]:
            own = reports.get((name, runtime, 1))
            if not own:
                continue
            rate = middle(own, "per_second")
            ratios = [f"{rate / middle(reports[(name, title, 1)], 'per_second'):.2f}"
                      if (name, title, 1) in reports else "" for title in BY_HAND.values()]
            rows.append(f"| {name} | {runtime} | {rate:.0f} ({spread(own, 'per_second'):.2f}) | "
                        + " | ".join(f"{middle(own, f):.1f}" for f in ("p50_us", "p99_us"))
                        + f" | {middle(own, 'cpu_us'):.2f} | " + " | ".join(ratios) + " |")
    if not rows:
        return []
    return ["", "I/O:", "", "| workload | runtime | per second | p50, us | p99, us | CPU each, us | "
            + " | ".join(f"rate / {t}" for t in BY_HAND.values()) + " |", "|---" * 8 + "|"] + rows


def tables(reports, workers, crowds, rounds):
    any_report = next(iter(reports.values()))[0]
    runtimes = [r for r in ["weft", *PEERS.values()]
                if any(k[1] == r and k[0] in WORKLOADS and k[0] not in UNREPEATED for k in reports)]
    lines = [f"{any_report['cpu']}, {os.cpu_count()} CPUs, {any_report['kernel']}, "
             f"{any_report['compiler']}, {datetime.date.today()}; medians of {rounds} interleaved "
             "rounds; in brackets the largest over the smallest of them."]
    if runtimes:
        lines += ["", "| workload | workers | " + " | ".join(f"{r}, s" for r in runtimes)
                  + " | ns per task (weft) | peak MiB (weft) |",
                  "|---" * (len(runtimes) + 4) + "|"]
    for name in WORKLOADS:
        for count in workers:
            own = reports.get((name, "weft", count))
            if name in UNREPEATED or not own:
                continue
            cells = []
            for runtime in runtimes:
                got = reports.get((name, runtime, count))
                cells.append(f"{middle(got, 'median_s'):.3f} ({spread(got, 'median_s'):.2f})"
                             if got else "not finished")
            lines.append(f"| {name} | {count} | " + " | ".join(cells)
                         + f" | {middle(own, 'ns_per_task'):.1f} | {middle(own, 'peak_mib'):.1f} |")
    lines += shares_of_ideal(reports, workers)
    if crowds:
        lines += crowded(reports, workers, crowds)
    for name, title in [("idle", "Idle and waiting"), ("trickle", "Trickle"), ("latency", "Latency")]:
        rows = [(c, reports[(name, "weft", c)][0]) for c in [*workers, *crowds]
                if (name, "weft", c) in reports]
        if not rows:
            continue
        lines += ["", f"{title}:", "", "| figure | " + " | ".join(f"{c} workers" for c, _ in rows) + " |",
                  "|---" * (len(rows) + 1) + "|"]
        figures = dict.fromkeys(f for _, r in rows for f in r
                                if f.endswith(("_ms", "_us", "_switches", "cpu_s", "work_s")))
        lines += [f"| {f} | " + " | ".join(f"{r[f]:.4g}" if f in r else "" for _, r in rows) + " |"
                  for f in figures]
    return "\n".join(lines + io_table(reports))


def plots(reports, workers, folder):
    try:
        import matplotlib
        matplotlib.use("svg")
        from matplotlib import pyplot
    except ImportError:
        print("no matplotlib: no plots")
        return []
    matplotlib.rcParams["svg.hashsalt"] = "weft"
    folder.mkdir(parents=True, exist_ok=True)
    runtimes = [r for r in ["weft", *PEERS.values()] if any(k[1] == r for k in reports)]
    made = []

    def save(figure, name, title):
        figure.tight_layout()
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        pyplot.close(figure)
        made.append(f"![{title}](img/{name}.svg)")

    names = [n for n in ("fib", "skynet", "nqueens", "dfs") if (n, "weft", workers[0]) in reports]
    if names:
        figure, panels = pyplot.subplots(1, len(names), figsize=(7, 3), squeeze=False)
        for axes, name in zip(panels[0], names):
            for runtime in runtimes:
                if (name, runtime, workers[0]) in reports:
                    time = middle(reports[(name, runtime, workers[0])], "ns_per_task")
                    axes.bar_label(axes.bar([runtime], [time]), fmt="%.0f")
            axes.margins(y=0.1)
            axes.tick_params(axis="x", rotation=45)
            axes.set_title(name)
        panels[0][0].set_ylabel(f"ns per task, {workers[0]} worker(s)")
        save(figure, "time-per-task", "Time per task by runtime")

    scaled = [n for n in WORKLOADS if n not in UNREPEATED
              and all((n, "weft", c) in reports for c in workers)]
    if scaled and len(workers) > 1:
        figure, axes = pyplot.subplots(figsize=(7, 3.5))
        for name in scaled:
            one = middle(reports[(name, "weft", workers[0])], "median_s")
            axes.plot(workers, [one / middle(reports[(name, "weft", c)], "median_s")
                                for c in workers], marker="o", label=name)
        axes.set_xticks(workers)
        axes.set_xlabel("workers")
        axes.set_ylabel(f"speed-up over {workers[0]}")
        axes.legend(fontsize="small")
        save(figure, "speed-up", "Speed-up over the number of workers")

    idle = sorted((count, own[0]) for (name, _, count), own in reports.items() if name == "idle")
    if idle:
        figure, axes = pyplot.subplots(figsize=(7, 3))
        phases = ("idle", "sync", "sync_all", "sync_scope")
        for i, (count, report) in enumerate(idle):
            axes.bar([x + 0.8 / len(idle) * i for x in range(len(phases))],
                     [report[f"{p}_cpu_ms"] for p in phases], 0.8 / len(idle), label=f"{count} workers")
        axes.set_xticks(range(len(phases)), phases)
        axes.set_ylabel("CPU used, ms")
        axes.legend()
        save(figure, "idle-cpu", "CPU used while idle and while waiting")
    return made


def write(page, text):
    old = page.read_text() if page.exists() else f"# Performance\n\n{BEGIN}\n{END}\n"
    head, rest = old.split(BEGIN, 1)
    page.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END, 1)[1]}")
    print(f"wrote {page}")
