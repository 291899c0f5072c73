"""A report as one HTML page: no script, no picture, nothing from elsewhere.

The template escapes every value by itself (autoescape), attributes are always quoted, links are
made only to the databases that `_words` knows. The page forbids itself by a Content-Security-Policy
to load or run anything, should hostile text ever get through.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

import jinja2

from seawall.scan import advice, report_model, report_words
from seawall.scan.model import Component
from seawall.scan.outputs import Subject, _words
from seawall.scan.outputs.table import counts
from seawall.scan.report_model import Report

TEMPLATE: Final = Path(__file__).with_name("report.html.jinja")


def write(report: Report, subject: Subject) -> bytes:
    """Return the page."""
    page = _template().render(
        name=subject.name,
        report=report,
        counts=counts(report),
        summary=report_model.summarise(report),
        plan=advice.of_report(report),
        layers=_by_layer(report),
        weaknesses=sorted(
            report.inventory.weaknesses,
            key=lambda one: (-one.severity.rank, one.rule, one.path, one.line),
        ),
        time=_words.seconds(report),
    )
    return page.encode()


def _by_layer(report: Report) -> list[tuple[int, list[Component]]]:
    layers: dict[int, list[Component]] = {}
    for component in report.inventory.components:
        layers.setdefault(component.layer_index, []).append(component)
    return sorted(layers.items())


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters["address"] = _words.address_of
    environment.filters["listed"] = ", ".join
    environment.filters["without_fix"] = advice.without_fix
    environment.filters["exploitation"] = report_words.exploitation
    environment.filters["likelihood"] = report_words.likelihood
    environment.filters["reached"] = report_words.reached
    environment.filters["rated_by"] = report_words.rated_by
    environment.filters["support"] = report_words.support
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))


def _shown(value: object) -> object:
    """Give hostile text its plain form before it is escaped."""
    return _words.plain(value) if type(value) is str else value
