"""Does a wrapper call what it wraps several times? Read in its source, before anything runs.

Then what the model inside attends to in one call is not what the wrapper's prediction is made of.
"""

import ast
import inspect
import textwrap

from torch import nn

LOOPS = (ast.For, ast.While, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)


def is_looped(wrapper: nn.Module, inner: nn.Module) -> bool:
    """Say whether a wrapper's `forward` calls a module inside of it in a loop, or more than once.

    Branches of one `if` count as one. Where there is no source, or the call stands in another
    function, nothing is known, and it is taken to call it once.

    Examples
    --------
    >>> is_looped(nn.Sequential(nn.Linear(2, 2)), nn.Linear(2, 2))
    False
    """
    try:
        (function,) = ast.parse(textwrap.dedent(inspect.getsource(type(wrapper).forward))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return False
    if not (isinstance(function, ast.FunctionDef) and function.args.args):
        return False
    itself = function.args.args[0].arg
    names = {f"{itself}.{name}" for name, module in wrapper.named_modules() if module is inner}
    return _most_calls(function, names) > 1


def _most_calls(node: ast.AST, names: set[str]) -> int:
    """Count how often one way through a piece of code calls one of these; in a loop, it is two."""
    is_call = isinstance(node, ast.Call) and ast.unparse(node.func) in names
    if isinstance(node, ast.If):
        ways = (sum(_most_calls(one, names) for one in way) for way in (node.body, node.orelse))
        return _most_calls(node.test, names) + max(ways)
    inside = sum(_most_calls(child, names) for child in ast.iter_child_nodes(node))
    return is_call + inside * (2 if isinstance(node, LOOPS) else 1)
