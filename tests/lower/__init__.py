import pytest
import tilelang  # noqa: F401 - puts the tvm that it carries on the path

pytest.register_assert_rewrite("tests.lower.programs")
