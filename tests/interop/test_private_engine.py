import pytest

from seawall.testing import images

pytestmark = [pytest.mark.interop, pytest.mark.engine]


def test_the_private_engine_runs_an_image_made_in_memory(engine, tmp_path):
    image = images.runnable_image("cat")
    archive = images.write_docker_archive(tmp_path / "i.tar", image, name="made/here:1")
    engine.docker("load", "-i", str(archive))
    done = engine.docker(
        "run", "--rm", "-i", "--network=none", "made/here:1", "cat", stdin=b"a\nb\n"
    )
    assert "a\nb\n" == done.stdout
