"""Every example of examples/ runs and agrees with torch (each checks itself and exits where it does not)."""

import importlib.util
import sys
from pathlib import Path

import pytest

GALLERY = Path(__file__).parents[2] / "examples"
EXAMPLES = sorted(path.stem for path in GALLERY.glob("*.py") if path.stem != "check")


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(GALLERY))
    spec = importlib.util.spec_from_file_location(f"example_{name}", GALLERY / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, f"example_{name}", module)
    spec.loader.exec_module(module)
    module.main()
