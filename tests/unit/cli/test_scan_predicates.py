"""What the scanner says of a local copy, to attest, is what `seawall scan` says of it."""

from __future__ import annotations

from seawall import config
from seawall.app import setup
from seawall.cli import scan_predicates
from seawall.oci.digest import Digest
from seawall.scan import inventory
from seawall.testing import images

STATUS = b"Package: known\nStatus: install ok installed\nVersion: 1.0\n\n"


def test_a_copy_is_read_by_confined_processes_alone(shell, monkeypatch) -> None:
    def here(*layer: object, **options: object) -> None:
        raise AssertionError("a layer was read in the process that holds the keys")

    monkeypatch.setattr(inventory, "facts_of", here)
    image = images.image(images.layer({"var/lib/dpkg/status": STATUS}))
    path = images.write_layout(shell.home / "layout", image)
    with setup.opened(config.load(str(shell.state))) as house:
        reports = scan_predicates._local(house, path)
    (report,) = reports.values()
    assert [Digest.of(image.manifest)] == list(reports)
    assert ["known"] == [one.name for one in report.inventory.components]
