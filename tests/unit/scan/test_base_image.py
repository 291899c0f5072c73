"""The layers of the base image are told apart from those that were put upon it."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.scan import advice, base_image
from seawall.scan.advice import Place
from seawall.scan.model import BaseEvidence, BaseImage
from seawall.scan.outputs import table
from seawall.testing import reports

ADD = {"created_by": "/bin/sh -c #(nop) ADD file:1 in / "}
OLD_CMD = {"created_by": '/bin/sh -c #(nop)  CMD ["bash"]', "empty_layer": True}
CMD = {"created_by": 'CMD ["python3"]', "empty_layer": True, "comment": "buildkit.dockerfile.v0"}
RUN = {"created_by": "RUN /bin/sh -c pip install x # buildkit"}
ENV = {"created_by": "ENV A=b", "empty_layer": True}


def config(*history: dict, labels: dict | None = None) -> bytes:
    return json.dumps({"history": list(history), "config": {"Labels": labels}}).encode()


@pytest.mark.parametrize(
    ("history", "layers"),
    [
        ((ADD, OLD_CMD, ENV, RUN), 1),
        ((ADD, OLD_CMD, RUN, RUN, CMD, RUN), 3),
        ((ADD, OLD_CMD, RUN, RUN, CMD, RUN, CMD), 3),
        ((ADD, CMD, ENV, RUN, CMD), 1),
    ],
)
def test_the_base_ends_at_the_last_cmd_that_a_layer_follows(history, layers):
    count = sum("empty_layer" not in one for one in history)
    found = base_image.of_config(config(*history), count)
    assert BaseImage(layers=layers, evidence=BaseEvidence.HISTORY) == found


@pytest.mark.parametrize("history", [(), (ADD, RUN), (ADD, RUN, CMD), (CMD, ADD, RUN), (ADD, CMD)])
def test_where_no_cmd_tells_the_lowest_layer_is_taken(history):
    found = base_image.of_config(config(*history), 2)
    assert BaseImage(layers=1, evidence=BaseEvidence.LOWEST_LAYER) == found


def test_the_name_is_what_a_label_claims():
    digest = f"sha256:{'a' * 64}"
    labels = {base_image.NAME: "docker.io/library/python:3.12\n", base_image.DIGEST: digest}
    found = base_image.of_config(config(ADD, labels=labels), 1)
    assert found is not None
    assert ("docker.io/library/python:3.12 ", digest) == (found.name, found.digest)
    wrong = base_image.of_config(config(ADD, labels={base_image.DIGEST: "../x"}), 1)
    assert wrong is not None
    assert not wrong.digest


def test_an_image_without_layers_has_no_base():
    assert base_image.of_config(None, 0) is None


def test_what_came_with_the_base_is_replaced_by_a_newer_one():
    report = reports.full()
    highest = max(one.layer_index for one in report.findings)
    places = {
        count: {one.place for one in advice.of_report(with_base(report, count)).changes}
        for count in (1, highest + 1)
    }
    assert Place.INSTRUCTION in places[1]
    assert {Place.BASE_IMAGE} == places[highest + 1]


def test_the_table_says_how_much_came_with_the_base():
    report = with_base(reports.full(), 1)
    lower = sum(one.layer_index == 0 for one in report.findings)
    (line,) = (one for one in table.lines(report) if "the base image" in one)
    assert line.startswith(f"{lower} came with the base image debian:12 (1 layer), ")


def with_base(report, layers):
    base = BaseImage(layers=layers, evidence=BaseEvidence.HISTORY, name="debian:12")
    inventory = msgspec.structs.replace(report.inventory, base=base)
    return msgspec.structs.replace(report, inventory=inventory)


@given(st.binary(max_size=60), st.integers(0, 4))
def test_no_config_breaks_it(content, layers):
    base_image.of_config(content, layers)
