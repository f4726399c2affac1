import tilelang  # noqa: F401 - puts the tvm that it carries on the path
