from __future__ import annotations

import pytest

from benchmarks.__main__ import main


def test_the_engine_and_the_loops_explain_every_version_alike(capsys):
    assert main(["explain", "--events", "600", "--repeats", "1"]) == 0
    printed = capsys.readouterr().out
    assert "equal for 64 versions" in printed
    assert "times the engine's time" in printed


def test_an_unknown_benchmark_is_refused(capsys):
    with pytest.raises(SystemExit) as refused:
        main(["guess"])
    assert refused.value.code == 2
    assert "explain" in capsys.readouterr().err
