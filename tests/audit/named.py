"""A very small audit of pictures of people with names that occur nowhere else."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from audit.synthesis import generate_faces

LEAKED = tuple(f"Xanthippe Quorn-{letter}" for letter in "abcd")
ATTACKERS = tuple(f"Zebediah Wyvern-{number:02d}" for number in range(16))
PICTURE = "holiday-snap"
"""Begins the names of the files: they may tell who is on them."""

MARKS = ("xanthippe", "quorn", "zebediah", "wyvern", PICTURE)
"""What must be found nowhere."""

SETTINGS = """\
title: Named
attacks: [linear]
judges: [dlib]
fmr: [1e-2]
appearance: {texture_size: 32, texture_components: 8, shape_components: 4}
output: {samples: 2, formats: [html, csv, junit, sarif, markdown, parquet, scores-csv]}
"""


def people(folder: Path) -> Path:
    """Folders ``ours`` and ``theirs`` of pictures, and the configuration beside them."""
    names = [*LEAKED, *ATTACKERS]
    faces = generate_faces(len(names), 2, seed=3)
    for row, crop in enumerate(faces.crops):
        name = names[row // 2]
        place = folder / ("theirs" if name in LEAKED else "ours") / name
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(crop).save(place / f"{PICTURE}-{row}.png")
    path = folder / "named.yaml"
    text = f"faces: {{attacker: {folder / 'ours'}, leaked: {folder / 'theirs'}}}\n"
    path.write_text(SETTINGS + text, encoding="utf-8")
    return path


def with_a_name(run: Path) -> dict[str, str]:
    """The files below a folder whose path or content holds a mark, and which."""
    found = {}
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        content = path.read_bytes() if path.is_file() else b""
        text = (name.encode() + content).lower()
        seen = [mark for mark in MARKS if mark.encode() in text]
        if seen:
            found[name] = seen[0]
    return found
