"""One self-contained HTML page about a training: no script, no network, no other file."""

from pathlib import Path

from .inside import gradient_section, loss_graph_section, network_section
from .markup import Html, code, paragraph, section, table, text
from .results import data_section, learnt_section, results_section, tiles, training_section
from .run import TrainingRun, versions

PREDICT = "tinygrad-mlp predict model.npz NEW.csv --out predictions.csv"
STYLE = Path(__file__).with_name("style.css")


def reproduce_section(run: TrainingRun) -> Html:
    """Return the command line and the versions that give the same numbers again."""
    rows = [(name, version) for name, version in versions().items()]
    parts = []
    if run.command:
        parts += [paragraph("The same numbers come from the same data, versions and seed:"), code(run.command)]
    if run.digest:
        parts.append(paragraph(f"SHA-256 of {run.file}: {run.digest}"))
    parts.append(table(("software", "version"), rows, "Versions"))
    if run.command:
        parts += [paragraph("To predict new rows with the trained network:"), code(PREDICT)]
    return section("reproduce", "How to reproduce it", *parts)


SECTIONS = {
    "data": ("Data", data_section),
    "training": ("Training", training_section),
    "results": ("Results", results_section),
    "learnt": ("What it has learnt", learnt_section),
    "network": ("Network", network_section),
    "loss-graph": ("Graph of the loss", loss_graph_section),
    "gradient-check": ("Gradient check", gradient_section),
    "reproduce": ("Reproduce", reproduce_section),
}


def page(run: TrainingRun) -> str:
    """Return the report as HTML.

    It takes seconds: the gradient check evaluates the loss twice for every parameter, and the graph is laid out by
    Graphviz where there is one.
    """
    kind = "Classification" if run.classifies else "Regression"
    columns = len(run.preprocessor.columns)
    lead = f"{kind} from {columns} column{'s' * (columns != 1)} of {run.file}; {run.model.title()}."
    title = f"Predicting {run.target}"
    links = "".join(f'<a href="#{key}">{text(name)}</a>' for key, (name, _) in SECTIONS.items())
    shown = "".join(
        f"<div><dt>{text(what)}</dt><dd class=value>{text(value)}</dd><dd class=how>{text(how)}</dd></div>"
        for what, value, how in tiles(run)
    )
    content = "\n".join(make(run) for _, make in SECTIONS.values())
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>\n{STYLE.read_text('utf-8')}</style>\n</head>\n<body>\n<header>\n"
        f"<h1>{text(title)}</h1>\n"
        f"<p class=lead>{text(lead)}</p>\n<dl class=tiles>{shown}</dl>\n<nav>{links}</nav>\n</header>\n<main>\n"
        f"{content}\n</main>\n</body>\n</html>\n"
    )
