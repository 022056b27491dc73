#!/usr/bin/env python3
"""deploy/README.md and deploy/alerts.yaml say what the code says.

    check_runbook.py EDDY            compares; exit 1 and one line per difference
    check_runbook.py EDDY --write    writes the table of metrics anew, then compares

Metrics, options, commands and their flags, exit codes, routes, health checks, reasons of dead
letters, names of alerts: each is looked up where the program has it.
"""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BEGIN, END = "<!-- begin: tests/tools/check_runbook.py -->\n", "<!-- end -->"
eddy = os.path.abspath(sys.argv[1])
differences = []


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def differ(what, wrong):
    differences.extend(f"{what}: {word}" for word in sorted(wrong))


def same(what, said, true):
    differ(f"{what}, missing in deploy/README.md", true - said)
    differ(f"{what}, not in the program", said - true)


def table(text, heading):
    """First cells of the first table under a heading."""
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^## |\Z)", text,
                        re.MULTILINE | re.DOTALL).group(1)
    rows = re.search(r"^\|.*\n\|[-|]+\n((?:\|.*\n)+)", section, re.MULTILINE).group(1)
    return {row.split("|")[1].strip() for row in rows.splitlines()}


def metrics():
    """[(name, kind, [labels], help)] in the order of /metrics."""
    rows = {}

    def add(name, kind, label, meaning):
        rows.setdefault(name, (kind, [], meaning))[1].append(label)
    for kind, name, label, meaning in re.findall(
            r'XX\(\w+,\s+EDDY_(\w+),\s+"(\w+)",\s+"((?:[^"\\]|\\.)*)",\s+"([^"]*)"\)',
            read("src/base/metric_table.h")):
        add(name, kind.lower(), label.replace('\\"', '"'), meaning)
    source = read("src/base/metric_print.c")
    for name, meaning in re.findall(r'put_lag\(out, "(\w+)",\s*"([^"]*)"', source):
        add(name, "gauge", 'topic="...",partition="..."', meaning)
    for name, kind, meaning in re.findall(
            r'put_(?:number|family)\(out, "(\w+)", "(\w+)",\s*"([^"]*)"', source):
        add(name, kind, 'version="..."' if name == "eddy_build_info" else "", meaning)
    for name, meaning, kind in re.findall(
            r'"# HELP (\w+) ([^"]*)\\n"\s*"# TYPE \w+ (\w+)', read("src/app/service.c")):
        add(name, kind, "", meaning)
    return [(name, *row) for name, row in rows.items()]


def metric_table(rows):
    lines = ["", "| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for name, kind, labels, meaning in rows:
        words = "<br>".join(f"`{label}`" for label in labels if label)
        lines.append(f"| `{name}` | {kind} | {words} | {meaning} |")
    return "\n".join(lines) + "\n"


def check_metrics(text, alerts, rows):
    known = {name for name, *_ in rows}
    for name, kind, *_ in rows:
        if kind == "histogram":
            known |= {name + end for end in ("_bucket", "_sum", "_count")}
    for what, body in (("deploy/README.md", text), ("deploy/alerts.yaml", alerts)):
        named = set(re.findall(r"\beddy_[a-z_]+[a-z]\b", body))
        differ(f"{what} names a metric that does not exist", named - known)
    values = {name: set(re.findall(r'(\w+="[^"]*")', " ".join(labels)))
              for name, _kind, labels, _meaning in rows}
    for name, inside in re.findall(r"\b(eddy_[a-z_]+)\{([^}]*)\}", text + alerts):
        if name in values:
            differ(f"{name} has no such series",
                   set(re.findall(r'\w+="[^"]*"', inside)) - values[name])


def check_alerts(text, alerts):
    named = set(re.findall(r"alert: (\w+)", alerts))
    said = {name for cell in table(text, "Alerts") for name in cell.split(", ")}
    same("alert", said, named)
    section = re.search(r"^## Alerts\n(.*?)^## ", text, re.M | re.S).group(1)
    headings = set(re.findall(r"^#+ (.*)$", text, re.MULTILINE))
    differ("deploy/README.md has no section", {
        " ".join(title.split())
        for title in re.findall(r'"([A-Z][^"]*)"', section)
        + re.findall(r'see\s+"([^"]*)"', text, re.IGNORECASE)} - headings)


def check_options(text):
    reference = subprocess.run([eddy, "run", "--print-reference"], check=True, text=True,
                               capture_output=True, env={"PATH": os.environ["PATH"]}).stdout
    known = set(re.findall(r"^\| `([a-z_.]+)` \|", reference, re.MULTILINE))
    secrets = {name + "_file" for name in known if f"`{name}_file`" in reference}
    sections = {name.split(".")[0] for name in known if "." in name} - {"kafka"}
    named = set(re.findall(r"`([a-z]+\.[a-z_.]+)(?:: [^`]*)?`", text))
    wrong = {name for name in named if name.split(".")[0] in sections} - known - secrets
    differ("deploy/README.md names an option that does not exist",
           {name for name in wrong if not name.endswith((".yaml", ".sh", ".conf"))})


def check_commands(text):
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S))
    lines = [line for line in blocks.splitlines() if line.startswith("eddy ")]
    lines += [code for code in re.findall(r"`(eddy [a-z]+[^`]*)`", text)]
    help_of = {}
    for line in lines:
        name = line.split()[1]
        if name == "COMMAND":
            continue
        if name not in help_of:
            done = subprocess.run([eddy, name, "--help"], capture_output=True, text=True,
                                  check=False)
            help_of[name] = done.stdout if done.returncode == 0 else ""
        flags = set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", line))
        missing = {f for f in flags if not re.search(rf"(?<![\w-]){f}(?![\w-])", help_of[name])}
        if not help_of[name]:
            differ("deploy/README.md names a command that does not exist", {line})
        differ(f"eddy {name} has no option, as deploy/README.md says", missing)


def check_tables(text):
    same("exit code", set(re.findall(r"^\| (\d+) \|", text, re.MULTILINE)),
         set(re.findall(r"EDDY_EXIT_\w+ = (\d+)", read("src/app/app.h"))))
    routes = re.findall(r'\{"(/[^"]*)", get_\w+', read("src/app/service.c"))
    same("route", {cell.strip("`") for cell in table(text, "HTTP")},
         {route.replace("*", "USER") for route in routes})
    same("reason of dead letters", {cell.strip("`") for cell in table(text, "Dead letters")},
         set(re.findall(r'EDDY_CLASS_EVENT, "(\w+)"', read("include/eddy/error.h"))))
    said = re.search(r"Checks of `/readyz`: (.*?)\n\n", text, re.DOTALL).group(1)
    same("health check", set(re.findall(r"`(\w+)`", said)),
         set(re.findall(r'XX\([A-Z]+, "(\w+)"', read("src/engine/health.h"))))


def main():
    rows = metrics()
    text, alerts = read("deploy/README.md"), read("deploy/alerts.yaml")
    head, _, rest = text.partition(BEGIN)
    made = head + BEGIN + metric_table(rows) + END + rest.partition(END)[2]
    if "--write" in sys.argv[2:] and made != text:
        with open(os.path.join(ROOT, "deploy", "README.md"), "w", encoding="utf-8") as file:
            file.write(made)
        text = made
    if made != text:
        differ("deploy/README.md: the table of metrics is behind", {
            "python3 tests/tools/check_runbook.py EDDY --write"})
    check_metrics(text, alerts, rows)
    check_alerts(text, alerts)
    check_options(text)
    check_commands(text)
    check_tables(text)
    print("\n".join(differences) or f"{len(rows)} metrics and the rest of the runbook agree")
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
