"""Write docs/env_vars.md from the table of settings in tt_jit/config.py."""

from pathlib import Path

from tt_jit.config import environment_table

if __name__ == "__main__":
    Path(__file__).with_name("env_vars.md").write_text(environment_table(), encoding="utf-8")
