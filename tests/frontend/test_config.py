"""Settings, and the page that lists them."""

import re
from pathlib import Path

import pytest

import tt_jit as tt
from tt_jit.config import SETTINGS, Config, ConfigError, environment_table

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs/env_vars.md").read_text() == environment_table(), "run `python docs/write_env_vars.py`"


def test_every_variable_that_the_code_names_is_a_setting() -> None:
    known = {setting.env for setting in SETTINGS}
    for path in (ROOT / "tt_jit").rglob("*.py"):
        named = set(re.findall(r"\bTT_JIT_[A-Z_]+\b", path.read_text()))
        assert named <= known, f"{path.name} names {named - known}"


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TT_JIT_DEVICE", "ttnn:3")
    monkeypatch.setenv("TT_JIT_VERBOSE", "yes")
    monkeypatch.setenv("TT_JIT_EMULATOR_THREADS", "4")
    fresh = Config()
    assert (fresh.device, fresh.verbose, fresh.emulator_threads) == ("ttnn:3", True, 4)
    monkeypatch.setenv("TT_JIT_EMULATOR_THREADS", "8")
    assert fresh.emulator_threads == 4
    fresh.reload()
    assert fresh.emulator_threads == 8


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TT_JIT_DEVICE", "gpu"),
        ("TT_JIT_DEVICE", "ttnn:x"),
        ("TT_JIT_TARGET", "grayskull"),
        ("TT_JIT_PRECISION", ""),
        ("TT_JIT_EMULATOR_THREADS", "0"),
        ("TT_JIT_EMULATOR_THREADS", "many"),
        ("TT_JIT_VERBOSE", "maybe"),
        ("TT_JIT_CACHE_DIR", ""),
    ],
)
def test_bad_values_raise_with_variable_and_value(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    (setting,) = [setting for setting in SETTINGS if setting.env == variable]
    with pytest.raises(ConfigError, match=f"{variable} is {value!r}"):
        getattr(Config(), setting.name)


def test_assignment_and_scope() -> None:
    before = tt.config.precision
    generation = tt.config.generation
    with tt.config.scope(precision="fast", target="blackhole"):
        assert (tt.config.precision, tt.config.target) == ("fast", "blackhole")
        assert dict(tt.config.key_items())["precision"] == "fast"
    assert tt.config.precision == before
    assert tt.config.generation > generation
    with pytest.raises(ConfigError, match=r"config\.precision is 'exact'"):
        tt.config.precision = "exact"
    with pytest.raises(AttributeError, match="no setting 'precison'"):
        tt.config.precison = "fast"
    with pytest.raises(AttributeError, match="no setting 'precison'"):
        _ = tt.config.precison
    with pytest.raises(ConfigError), tt.config.scope(target="blackhole", precision="exact"):
        pass
    assert tt.config.target != "blackhole"


def test_the_public_names_are_not_hidden_by_modules_of_the_same_name() -> None:
    import importlib

    for name in ("jit", "config", "kernel"):
        importlib.import_module(f"tt_jit.{name}")
    assert callable(tt.jit)
    assert callable(tt.compile)
    assert isinstance(tt.config, Config)
    assert isinstance(tt.Kernel, type)
