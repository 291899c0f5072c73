import pytest

from seawall.core.errors import InvalidInputError
from seawall.isolation import probe

GRANTED = ("CAP_CHOWN", "CAP_SETUID")
STATUS = "CapEff:\t0000000000000081\nCapBnd:\t0000000000000081\nNoNewPrivs:\t1\nSeccomp:\t2\n"


def host(tmp_path, *, status=STATUS, cgroup="8:pids:/docker/x\n0::/docker/x\n", pids="64\n"):
    process = tmp_path / "proc/7"
    for owner, number in ((process, 1), (tmp_path / "proc/self", 2)):
        (owner / "ns").mkdir(parents=True)
        for kind in probe.NAMESPACES:
            (owner / "ns" / kind).symlink_to(f"{kind}:[{number}]")
    (process / "status").write_text(f"Name:\tx y\n{status}")
    (process / "cgroup").write_text(cgroup)
    limit = tmp_path / ("sys/fs/cgroup/pids/docker/x" if "pids" in cgroup else "sys/fs/cgroup/x")
    limit.mkdir(parents=True)
    (limit / "pids.max").write_text(pids)
    return tmp_path


def failed(findings):
    return {finding.name for finding in findings if not finding.passed}


def outside(root):
    return probe.judge_outside(7, granted=GRANTED, pids_limit=64, root=root)


def test_a_confined_process_passes_from_outside(tmp_path):
    assert set() == failed(outside(host(tmp_path)))


def test_reads_the_limit_under_one_cgroup_hierarchy_too(tmp_path):
    assert set() == failed(outside(host(tmp_path, cgroup="0::/x\n")))


@pytest.mark.parametrize(
    ("field", "weak"),
    [
        ("Seccomp", STATUS.replace("Seccomp:\t2", "Seccomp:\t0")),
        ("NoNewPrivs", STATUS.replace("Privs:\t1", "Privs:\t0")),
        ("CapBnd", STATUS.replace("Bnd:\t0000000000000081", "Bnd:\t000001ffffffffff")),
        ("CapEff", STATUS.replace("Eff:\t0000000000000081", "Eff:\t0000000000000083")),
    ],
)
def test_names_the_one_thing_that_is_weak(tmp_path, field, weak):
    assert {f"outside: {field}"} == failed(outside(host(tmp_path, status=weak)))


def test_a_limit_that_is_not_kept_fails(tmp_path):
    assert {"outside: pids.max of its cgroup"} == failed(outside(host(tmp_path, pids="max\n")))


def test_a_process_that_is_gone_fails_everything(tmp_path):
    findings = outside(tmp_path)
    assert {finding.name for finding in findings} == failed(findings)


def test_what_was_not_tried_has_failed():
    findings = probe.judge_inside("neither perl nor python3 in this image\n", granted=GRANTED)
    assert all(not finding.passed for finding in findings)
    assert len(findings) > 20


def test_what_worked_inside_has_failed():
    findings = probe.judge_inside(f"{STATUS}tried\tmount\t0\ntried\tclone3\t38\n", granted=GRANTED)
    seen = {finding.name: finding for finding in findings}
    assert not seen["inside: mount"].passed
    assert "it worked" == seen["inside: mount"].observed
    assert seen["inside: clone3"].passed


def test_refuses_a_machine_whose_calls_it_does_not_know():
    with pytest.raises(InvalidInputError):
        probe.inside_command("riscv64")
