"""Its place puts this directory on the path, so that tests share `hostile.py` and the like."""

pytest_plugins = ["pytester"]
