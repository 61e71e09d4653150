from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

from investigate.settings import PipelineNames, Thresholds, parse_settings

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.split(f"## [{title}]")[1].split("\n## ")[0]


def test_the_example_is_a_configuration_that_names_every_entry():
    first, example = (tomllib.loads(block.split("```")[0]) for block in PAGE.split("```toml")[1:3])
    assert parse_settings(first).names.stack
    settings = parse_settings(example)
    assert settings.window
    assert set(example["pipeline"]) == {known.name for known in fields(PipelineNames)}
    assert settings.thresholds == Thresholds()


def test_the_page_explains_exactly_the_entries_there_are():
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", section("pipeline"), re.MULTILINE)
    explained = [name for row in rows for name in re.findall(r"\w+", row)]
    assert explained == [known.name for known in fields(PipelineNames)]


def test_the_page_states_every_threshold_with_its_default():
    stated = re.findall(r"^\| `(\w+)` \| (\S+) \|", section("thresholds"), re.MULTILINE)
    assert stated == [(name, str(default)) for name, default in Thresholds.known().items()]
