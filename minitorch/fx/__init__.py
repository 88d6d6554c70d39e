"""`torch.fx`: a program recorded as a graph of its calls, to be read, changed, and run again.

    Tracer          runs the program on proxies, which note what is called with them       proxy.py, _symbolic_trace.py
    Graph, Node     the calls in order, each with the calls that use it                    graph.py, node.py
    GraphModule     a module whose forward is Python code written from a graph             graph_module.py, _codegen.py
    Interpreter     runs a graph node by node, for those who want to look or to change     interpreter.py

>>> import minitorch as torch
>>> traced = symbolic_trace(lambda x: torch.relu(x) + 1)
>>> print(traced.graph)
graph():
    %x : [num_users=1] = placeholder[target=x]
    %relu : [num_users=1] = call_function[target=torch.relu](args = (%x,), kwargs = {})
    %add : [num_users=1] = call_function[target=operator.add](args = (%relu, 1), kwargs = {})
    return add
>>> traced(torch.tensor([-1.0, 2.0]))
tensor([1., 3.])
"""

from ._symbolic_trace import Tracer, symbolic_trace, wrap
from .graph import Graph
from .graph_module import GraphModule
from .interpreter import Interpreter, Transformer
from .node import Node, has_side_effect, map_arg
from .proxy import Proxy
from .subgraph_rewriter import replace_pattern

__all__ = [
    "Graph", "GraphModule", "Interpreter", "Node", "Proxy", "Tracer", "Transformer", "has_side_effect", "map_arg",
    "replace_pattern", "symbolic_trace", "wrap",
]  # fmt: skip
