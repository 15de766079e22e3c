"""``faceleak reproduce``: a paper's table beside ours."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from audit.reproduce import Reproduction, papers, read_paper, reproduce
from audit.watch import Watch
from biometrics.errors import ConfigError
from reports.results import Measured, NotMeasured, Training
from tests.audit.conftest import Faceleak
from tests.audit.paper import FACES, FULL, PAPER, Ran, rate, result


@pytest.fixture
def made(paper_runs: Ran, tmp_path: Path) -> Reproduction:
    return reproduce("paper2026", tmp_path / "out", Watch.quiet())


def test_configurations_that_share_everything_but_attacks_share_a_run(
    made: Reproduction, paper_runs: Ran, tmp_path: Path
) -> None:
    names = [[attack.name for attack in config.attacks] for config, _ in paper_runs]
    assert names == [["linear:full", "linear:without"], ["linear:full"]]
    assert [out.relative_to(tmp_path / "out").as_posix() for _, out in paper_runs] == [
        "dlib",
        "mobilefacenet",
    ]
    settings = [attack.settings for attack in paper_runs[0][0].attacks]
    assert [given["ridge"] for given in settings] == [0.5, 0], "each attack with its own settings"
    assert made.quick


def test_the_rows_stand_in_the_order_of_the_paper(made: Reproduction) -> None:
    assert [row.row for row in made.rows] == ["full model", "without", "of the other model"]
    assert [row.target for row in made.rows] == ["dlib", "dlib", "mobilefacenet"]
    first, second, third = made.rows
    assert first.paper == {"PSNR": 23.8, "SSIM": None, "MSE": 13.25, "FID": None}
    assert second.paper["SSIM"] == 0.5
    assert set(third.paper.values()) == {None}
    # The first two come from one run, which has the paper's title.
    values = [row.ours["PSNR"] for row in made.rows]
    lengths = [len("A paper" + "linear:full"), len("A paper" + "linear:without")]
    assert values[:2] == [Measured(value=n, n=60) for n in lengths]
    assert values[2] == Measured(value=len("Other" + "linear:full"), n=60)
    assert first.ours["MSE"] == Measured(value=123.456, n=60)
    assert isinstance(first.ours["FID"], NotMeasured)


def test_unseen_judges_decide_at_the_easiest_rate_that_was_measured(made: Reproduction) -> None:
    for row in made.rows:
        assert row.unseen_type1 == {"mobilefacenet": rate(0.5)}
        assert row.unseen_fmr == "1e-2", "nothing was measured at 1e-1"


def test_what_a_row_took_and_whether_it_only_shows_that_it_works(made: Reproduction) -> None:
    first, second, _ = made.rows
    assert (first.passes, first.steps, first.pictures, first.parameters) == (2, 77, 1234, 5_000_000)
    assert (first.first_loss, first.last_loss, first.seconds) == (0.9, 0.25, 3723.4)
    assert first.smoke, "two passes"
    assert (second.passes, second.steps, second.first_loss) == (0, 0, None)
    assert not second.smoke, "what has no passes is not short of them"
    assert (first.verdict, second.verdict) == ("", "not working: so it is")


@pytest.mark.parametrize(("passes", "smoke"), [(1, True), (2, True), (3, False), (30, False)])
def test_three_passes_are_no_smoke_run(
    paper_runs: Ran,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    passes: int,
    smoke: bool,
) -> None:
    cost = Training(passes=passes, pairs=1, steps=1, parameters=1)
    plain = result
    monkeypatch.setattr(
        "tests.audit.paper.result",
        lambda *given: plain(*given).model_copy(update={"training": cost}),
    )
    found = reproduce("paper2026", tmp_path / "out", Watch.quiet(), rows=["linear:without"])
    assert [row.smoke for row in found.rows] == [smoke]
    assert len(paper_runs) == 1


def test_the_whole_is_written_for_its_owner(made: Reproduction, tmp_path: Path) -> None:
    path = tmp_path / "out" / "reproduction.json"
    assert Reproduction.model_validate_json(path.read_text(encoding="utf-8")) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir() if p.name.startswith(".")] == []


def test_what_differs_is_said_with_the_size(made: Reproduction, tmp_path: Path) -> None:
    assert made.differences[0] == "Data: theirs is larger."
    assert "4,321 pictures" in made.differences[1]
    assert made.differences[2].startswith("quick settings")
    full = reproduce("paper2026", tmp_path / "full", Watch.quiet(), full=True)
    assert (full.quick, full.differences[2]) == (False, "the paper's sizes")


@pytest.mark.parametrize(
    ("given", "epochs", "quick"),
    [
        ({}, 4, False),
        ({"full": True}, 9, False),
        ({"overrides": ["quick=true"]}, 9, True),  # an audit shortens its attacks itself
    ],
    ids=["quick", "full", "a quarter"],
)
def test_attacks_are_shortened_and_the_data_is_not(
    paper_folder: Path,
    paper_runs: Ran,
    tmp_path: Path,
    given: dict[str, Any],
    epochs: int,
    quick: bool,
) -> None:
    long = 'attacks: [{"landmark-texture:full": {epochs: 9}}]\n'
    (paper_folder / "full.yaml").write_text(FACES + long)
    record = paper_folder / "paper.yaml"
    record.write_text(PAPER.replace("linear:full", "landmark-texture:full"))
    row = ["full model"]
    reproduce("paper2026", tmp_path / "out", Watch.quiet(), rows=row, **given)
    ((config, _),) = paper_runs
    assert config.quick is quick
    assert config.attacks[0].settings["epochs"] == epochs


@pytest.mark.parametrize("wanted", ["linear:without", "without"])
def test_one_row_runs_only_its_own_attack(paper_runs: Ran, tmp_path: Path, wanted: str) -> None:
    found = reproduce("paper2026", tmp_path / "out", Watch.quiet(), rows=[wanted])
    assert [row.row for row in found.rows] == ["without"]
    assert [[a.name for a in config.attacks] for config, _ in paper_runs] == [["linear:without"]]


def test_an_attack_names_all_its_rows(paper_runs: Ran, tmp_path: Path) -> None:
    found = reproduce("paper2026", tmp_path / "out", Watch.quiet(), rows=["linear:full"])
    assert [row.row for row in found.rows] == ["full model", "of the other model"]
    assert len(paper_runs) == 2


def test_settings_of_the_command_line_reach_every_run(paper_runs: Ran, tmp_path: Path) -> None:
    reproduce(
        "paper2026",
        tmp_path / "out",
        Watch.quiet(),
        overrides=["seed=9", "quick=false"],
        environ={"FACELEAK_CFG__FACES__PATH": "elsewhere", "FACELEAK_CFG__SEED": "3"},
    )
    for config, _ in paper_runs:
        assert (config.seed, config.quick, config.faces.path) == (9, False, Path("elsewhere"))


def test_runs_of_one_target_that_differ_have_folders_of_their_own(
    paper_folder: Path, paper_runs: Ran, tmp_path: Path
) -> None:
    path = paper_folder / "without.yaml"
    path.write_text(path.read_text() + "training: {samples: 5, only_samples: true}\n")
    reproduce("paper2026", tmp_path / "out", Watch.quiet())
    assert [out.name for _, out in paper_runs] == ["dlib", "dlib-2", "mobilefacenet"]


# --- errors


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("papr2026", r"no paper 'papr2026' .did you mean 'paper2026'.*; there are paper2026$"),
        ("unfinished", "no paper 'unfinished'; there are paper2026$"),
        ("", "no paper ''; there are paper2026$"),
        ("../papers/paper2026", "no paper"),
    ],
)
def test_an_unknown_paper_names_those_that_there_are(
    paper_folder: Path, name: str, said: str
) -> None:
    assert papers() == [paper_folder.name]
    with pytest.raises(ConfigError, match=said):
        read_paper(name)


@pytest.mark.parametrize("rows", [["linear:ful"], ["linear:full", "linear:ful"]])
def test_an_unknown_row_names_those_that_there_are(
    paper_runs: Ran, tmp_path: Path, rows: list[str]
) -> None:
    with pytest.raises(
        ConfigError,
        match=r"has no row 'linear:ful' .did you mean 'linear:full'.*are linear:full, linear:wi",
    ):
        reproduce("paper2026", tmp_path / "out", Watch.quiet(), rows=rows)
    assert paper_runs == []


def test_what_cannot_be_run_is_found_before_the_first_run(
    paper_folder: Path, paper_runs: Ran, tmp_path: Path
) -> None:
    def fails(said: str, **given: Any) -> None:
        with pytest.raises(ConfigError, match=said):
            reproduce("paper2026", tmp_path / "out", Watch.quiet(), **given)

    fails("full.yaml of paper 'paper2026' runs no attack 'linear:f", overrides=["attacks=[linear]"])
    fails("unknown setting 'sed'", overrides=["sed=1"])
    clash = FACES + FULL.replace("[{", '[{"linear:without": {}}, {')
    (paper_folder / "full.yaml").write_text(clash, encoding="utf-8")
    record = paper_folder / "paper.yaml"
    both = 'full.yaml, attack: "linear:without"}'
    record.write_text(PAPER.replace('other.yaml, attack: "linear:full"}', both), encoding="utf-8")
    fails("'linear:without' has other settings in another file")
    (paper_folder / "without.yaml").unlink()
    fails("no configuration .*without.yaml")
    record.write_text(PAPER.replace("table:", "tabel:"))
    fails("paper.yaml: ")
    record.write_text(PAPER + "rows: []\n")
    fails("paper.yaml, line .*'rows' is given twice")
    assert paper_runs == []


# --- the command line


def test_the_command_prints_the_table_or_json(faceleak: Faceleak, paper_runs: Ran) -> None:
    ended = faceleak("reproduce", "paper2026", "--row", "linear:full")
    assert ended.code == 0, ended.err
    assert "what differs from the paper" in ended.out
    assert [out for _, out in paper_runs] == [
        Path("runs/paper2026/dlib"),
        Path("runs/paper2026/mobilefacenet"),
    ]
    found = json.loads(faceleak("reproduce", "paper2026", "-o", "x", "--full", "--json").out)
    assert not found["quick"]
    assert [row["row"] for row in found["rows"]] == ["full model", "without", "of the other model"]
    for argv in (["papr"], ["paper2026", "--row", "x", "-o", "y"]):
        ended = faceleak("reproduce", *argv)
        assert ended.code == 2
        assert "there are" in ended.error
