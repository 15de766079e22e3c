"""What ``audit`` prints below the success rates: likeness, cost, and templates that were searched.

Values alone, so that 80 columns hold them; their intervals are in the report.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reports.basis import display_fmr
from reports.cost import duration
from reports.likeness_tables import not_measured
from reports.measure_words import measure_of
from reports.results import AttackResult, Estimate, Measured, Results
from reports.search import search_sentences

_LOOKS = {
    "ssim_face": "SSIM",
    "ms_ssim": "MS-SSIM",
    "psnr_face": "PSNR dB",
    "lpips_alex": "LPIPS",
    "fid": "FID",
    "kid": "KID",
}
_LANDMARKS = "landmarks"
_COST = "Cost: learning, templates inverted a second (per s), side of the pictures (px)"
_DASH = "-"


def show_more(results: Results, console: Console) -> None:
    """Those parts that the results have."""
    shown = _measured(results)
    if shown:
        console.print()
        console.print(Text("Likeness to the leaked pictures"))
        console.print(_likeness(results, shown))
        for line in (*_directions(shown), *_warnings(results), *not_measured(results)):
            console.print(Text(line, style="dim"))
    cost = _cost(results)
    if cost.row_count:
        console.print()
        console.print(Text(_COST))
        console.print(cost)
    said = search_sentences(results.search, display_fmr(results))
    if said:
        console.print()
        console.print(Text(" ".join(said)))


def _measured(results: Results) -> list[str]:
    """The columns in which some attack has a value."""
    found = [_looks(attack) for attack in results.attacks]
    names = (*_LOOKS, _LANDMARKS)
    return [n for n in names if any(isinstance(values.get(n), Measured) for values in found)]


def _likeness(results: Results, shown: Sequence[str]) -> Table:
    """SSIM and PSNR inside the face; landmarks found again, in px²."""
    table = _table([_LOOKS.get(name, name) for name in shown])
    for attack in results.attacks:
        found = _looks(attack)
        table.add_row(Text(attack.attack), *(_short(found.get(name)) for name in shown))
    return table


def _directions(shown: Sequence[str]) -> Iterator[str]:
    sides: dict[str, list[str]] = {"higher": [], "lower": []}
    for name in shown:
        better = "lower" if name == _LANDMARKS else measure_of(name).better
        said = f"{_LANDMARKS} (px²)" if name == _LANDMARKS else _LOOKS[name].removesuffix(" dB")
        sides[better or "higher"].append(said)
    parts = [f"{side}: {', '.join(names)}" for side, names in sides.items() if names]
    yield "; ".join(parts).replace(":", " is better:", 1)


def _warnings(results: Results) -> Iterator[str]:
    """What the note on the FID says after its origin: that its pictures are few."""
    notes = (a.image_notes.get("fid", "") for a in results.attacks if _has(a, "fid"))
    for warning in dict.fromkeys(note.partition("; ")[2] for note in notes):
        if warning:
            yield f"FID, {warning}"


def _has(attack: AttackResult, name: str) -> bool:
    return isinstance(attack.image.get(name), Measured)


def _looks(attack: AttackResult) -> dict[str, Estimate]:
    return {**attack.image, _LANDMARKS: attack.landmarks.mse_redetected}


def _cost(results: Results) -> Table:
    """Training of the attacks that were trained step by step, and the speed of all of them."""
    table = _table(("parameters", "pictures", "passes", "steps", "learning", "per s", "px"))
    for attack in results.attacks:
        if attack.control:
            continue
        training, rate = attack.training, attack.templates_per_second
        steps = (
            [_DASH] * 4
            if training is None
            else [
                _amount(training.parameters),
                f"{training.pairs:,}",
                f"{training.passes:,}",
                f"{training.steps:,}",
            ]
        )
        speed = _DASH if rate is None else f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
        side = str(attack.picture_size or _DASH)
        table.add_row(Text(attack.attack), *steps, _learning(attack), speed, side)
    return table


def _learning(attack: AttackResult) -> str:
    seconds = attack.seconds.fit
    return _DASH if seconds is None else duration(seconds).replace("\u00a0", " ")


def _table(columns: Sequence[str]) -> Table:
    table = Table(
        box=None,
        pad_edge=False,
        padding=(0, 0, 0, 1),
        header_style="bold",
    )
    table.add_column("attack", overflow="fold")
    for name in columns:
        table.add_column(name, justify="right")
    return table


def _short(value: Estimate | None) -> str:
    return f"{value.value:.3g}" if isinstance(value, Measured) else _DASH


def _amount(value: int) -> str:
    """``31.0 M``: parameters, of which the first digits say enough."""
    return f"{value / 1e6:.1f} M" if value >= 100_000 else f"{value:,}"
