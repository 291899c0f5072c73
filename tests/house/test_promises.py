"""What the tests and the entry points of the repository are called."""

from __future__ import annotations

import ast
import re

from house import repository

GOOD_CASE = "the good case, without which the refusals beside it mean nothing"
NOT_HIDDEN = "the trap must not hide what is truly there"
HARDENED = "a property of our own answer that takes the attacker's means away"
CONTAINED = "contained rather than refused: an answer comes, within its bounds"

NOT_REFUSALS = {
    "test_carried_feeds.py": {
        "test_the_file_of_a_named_key_is_taken_in": GOOD_CASE,
        "test_a_good_line_is_taken_in": GOOD_CASE,
    },
    "test_gate_http.py": {
        "test_passes_a_plain_request_so_that_the_others_mean_something": GOOD_CASE,
    },
    "test_hostile_layers.py": {
        "test_reads_names_only_up_to_nul": NOT_HIDDEN,
        "test_a_global_pax_header_cannot_rename_what_follows": NOT_HIDDEN,
        "test_a_database_behind_symbolic_links_is_found": NOT_HIDDEN,
        "test_a_database_that_is_a_hard_link_to_another_name_is_found": NOT_HIDDEN,
        "test_a_sparse_database_is_read": NOT_HIDDEN,
        "test_the_archive_of_a_broken_disk_is_an_error_and_not_a_finding": NOT_HIDDEN,
        "test_removing_kept_directories_again_and_again_stays_cheap": CONTAINED,
        "test_any_archive_ends_in_an_inventory": CONTAINED,
    },
    "test_hostile_readers.py": {
        "test_reads_in_another_process_what_it_reads_here": GOOD_CASE,
        "test_a_layer_that_is_elsewhere_is_a_notice": NOT_HIDDEN,
        "test_a_reader_that_needs_too_much_costs_its_layer_only": CONTAINED,
        "test_a_killed_process_is_started_again": CONTAINED,
        "test_the_confined_process_may_still_compute": GOOD_CASE,
        "test_a_reader_that_raises_what_it_should_not_costs_one_file": CONTAINED,
    },
    "test_log_door.py": {"test_a_good_signature_enters_once": GOOD_CASE},
    "test_log_proofs_forged.py": {"test_a_whole_proof_holds": GOOD_CASE},
    "test_log_rewritten.py": {"test_an_honest_log_is_followed": GOOD_CASE},
    "test_sessions_web.py": {
        "test_a_login_gives_a_cookie_that_no_other_site_and_no_script_can_use": HARDENED,
        "test_the_database_cannot_be_used_to_sign_in": HARDENED,
        "test_a_genuine_form_is_accepted": GOOD_CASE,
        "test_every_answer_carries_the_security_headers": HARDENED,
    },
    "test_signatures_forged.py": {
        "test_records_that_a_plain_cosign_bundle_binds_the_digest_alone": HARDENED,
    },
    "test_signatures_hostile_registry.py": {
        "test_a_token_is_asked_for_with_the_scope_and_used": GOOD_CASE,
        "test_only_this_machine_is_loopback": HARDENED,
        "test_a_registry_that_is_not_there_is_unavailable": CONTAINED,
        "test_logins_of_docker_are_found_by_host": GOOD_CASE,
        "test_a_signature_lost_to_another_signer_at_the_same_moment_is_pushed_again": NOT_HIDDEN,
    },
    "test_tokens_forged.py": {
        "test_the_forgers_tool_makes_good_tokens": GOOD_CASE,
        "test_nobody_in_particular_has_no_rights": HARDENED,
        "test_the_challenge_is_quoted_and_bearer_comes_first": HARDENED,
    },
    "test_tokens_service.py": {
        "test_a_token_lists_what_is_both_asked_and_granted": GOOD_CASE,
        "test_scopes_may_be_repeated_or_stand_side_by_side": GOOD_CASE,
        "test_an_administrator_gets_all_that_is_asked_and_no_more": GOOD_CASE,
        "test_a_login_without_scope_gets_an_empty_token": CONTAINED,
        "test_a_password_grant_works_and_says_its_scope": GOOD_CASE,
        "test_scopes_are_read_from_both_ends": GOOD_CASE,
        "test_any_text_is_a_scope_or_refused": CONTAINED,
    },
}


def attack_tests() -> dict[str, list[str]]:
    """Names of the test functions of each file of tests/attack."""
    found = {}
    for path in sorted((repository.ROOT / "tests" / "attack").glob("test_*.py")):
        nodes = ast.walk(repository.tree_of(path))
        kinds = ast.FunctionDef | ast.AsyncFunctionDef
        names = [n.name for n in nodes if isinstance(n, kinds) and n.name.startswith("test_")]
        found[path.name] = names
    return found


def test_attack_tests_promise_a_refusal() -> None:
    others = {
        file: {name for name in names if not name.startswith("test_refuses_")}
        for file, names in attack_tests().items()
    }
    excused = {file: set(names) for file, names in NOT_REFUSALS.items()}
    assert excused == {file: names for file, names in others.items() if names}


def test_every_attack_file_refuses_something() -> None:
    for file, names in attack_tests().items():
        assert any(name.startswith("test_refuses_") for name in names), file


def test_the_two_commands_are_the_ones_that_the_readme_gives() -> None:
    readme = (repository.ROOT / "README.md").read_text()
    rules = re.findall(r"^([a-z]+):", (repository.ROOT / "Makefile").read_text(), re.M)
    for command in ("demo", "test"):
        assert f"make {command}" in readme
        assert command in rules


def test_what_guards_the_main_branch_runs_the_readmes_tests() -> None:
    lines = (repository.ROOT / ".ci" / "run").read_text().splitlines()
    assert "make test" in [line.strip() for line in lines]
