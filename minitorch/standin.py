"""torch and torchvision as names for minitorch, in the interpreter that runs: for notebooks.

`python -m minitorch script.py` does the same for a script, and nothing is left of it afterwards.
"""

from minitorch._standin.hook import install

__all__ = ["install"]
