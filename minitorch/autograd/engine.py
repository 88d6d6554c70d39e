"""backward(): from the newest node to the oldest, by a heap on creation order.

Creation order is a topological order, so there is no walk beforehand and no recursion: a chain of 100,000 ops needs no
more stack than one. A node is popped when every newer node has run, hence when every gradient for it has arrived.

A pass works on bare arrays. Only `create_graph=True` works on Tensors, through the same formulas, so that the gradients
have a graph of their own.
"""

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count
from operator import attrgetter
from typing import Any

import numpy as np

from minitorch._dtype import C_NAMES, FLOATS, HALVES
from minitorch._fork import fork_safe_lock
from minitorch._kernels.silence import silent

from .grad_mode import NO_GRAD, state
from .node import MultiNode, Node, OutputEdge

Heap = list[tuple[int, Node]]

_creation = attrgetter("key")
_ndarray = np.ndarray
_lock = fork_safe_lock()  # nodes carry their gradient during a pass, so passes take turns
_next_pass = count().__next__
# (heap, roots, wanted, number) of the passes in progress, outermost first
_running: list[tuple[Heap, Sequence[Node], set[Node] | None, int]] = []


@silent
def _add(a: Any, b: Any, out: Any = None) -> Any:
    return np.add(a, b, out)


# what a loss's backward starts from each time; np.ones costs 1 us
ONE = {d: np.ones((), d) for d in FLOATS - HALVES}
for _one in ONE.values():
    _one.flags.writeable = False

# given by _tensor.py (the class; array -> Tensor) and _ops/namespaces.py (Tensor + Tensor), which import this module
tensor_class: Any = _ndarray
wrap: Callable[[Any], Any] = _ndarray
add_tensors: Callable[[Any, Any], Any] = _add

# anomaly_mode.py's check of what nodes compute, while it is switched on
anomaly: Any = None

# profiler.py's recorder of the nodes that run, while a profile is made
recorder: Any = None


def accumulate(node: Node, g: Any) -> None:
    """A further gradient for a node that has one: the second makes a buffer, later ones are added into it."""
    have = node.grad
    if have.__class__ is _ndarray and g.__class__ is _ndarray:
        if node.owned:
            _add(have, g, have)
        else:
            node.grad, node.owned = np.asarray(_add(have, g)), True
    elif hasattr(have, "edge"):
        node.grad = add_tensors(have, g)
    else:
        node.grad, node.owned = without_recording(add_tensors, wrap(have), wrap(g)).array, True


def deliver(edge: Node, g: Any, owned: bool, heap: Heap) -> None:
    """What generated nodes do in line, for the others."""
    if edge.grad is None:
        edge.grad, edge.owned = g, owned
        heappush(heap, (edge.key, edge))
    else:
        accumulate(edge, g)


def without_recording(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """function(*args) with grad mode off, as hooks and gradients run unless create_graph asks otherwise."""
    before = state.mode
    state.switch(state.interceptors[-1] if state.interceptors else NO_GRAD)
    grad, state.grad = state.grad, False
    try:
        return function(*args, **kwargs)
    finally:
        state.switch(before)
        state.grad = grad


def backward_one(node: Node, g: Any, keep: Any) -> None:
    """A pass from one root, on arrays, into the leaves: what `loss.backward()` runs."""
    if anomaly is not None or recorder is not None:
        return backward_many([(node, g)], keep, False)
    heap: Heap = []
    _lock.acquire()  # `with` takes 60 ns more
    try:
        aside = _set_aside() if _running else ()
        _running.append((heap, (node,), None, _next_pass()))
        node.owned = False
        try:
            while True:
                if node.hooks is None:
                    node.run(g, heap, keep)
                else:
                    _run_with_hooks(node, g, heap, keep, False, None)
                if not heap:
                    break
                node = heappop(heap)[1]
                g = node.grad
                node.grad = None
        finally:
            _running.pop()
            if heap or aside:
                _put_back(heap, aside)
    finally:
        _lock.release()


def backward_many(
    roots: list[tuple[Node, Any]],
    keep: bool,
    create_graph: bool,
    captured: dict[Node, Any] | None = None,
    wanted: set[Node] | None = None,
    all_wanted: bool = False,
) -> None:
    """A pass from several roots; their gradients are Tensors with `create_graph`, else arrays.

    `captured` receives the gradients that reach its keys; a node outside `wanted` is not run. `all_wanted` says that no
    edge leads to other nodes than these.
    """
    targets = None if wanted is None else wanted.union(captured or ())
    as_it_is = (targets is None or all_wanted) and anomaly is None and recorder is None
    with _lock:
        aside = _set_aside() if _running else ()
        heap: Heap = []
        _running.append((heap, [node for node, _ in roots], targets, _next_pass()))
        grad = state.grad
        if create_graph:  # a pass on arrays runs nothing that would ask
            state.grad = True
            state.refresh()
        try:
            for node, g in roots:
                deliver(node, g, False, heap)
            while heap:
                node = heappop(heap)[1]
                g, node.grad = node.grad, None
                run = wanted is None or node in wanted
                if node.hooks is not None:
                    g = _run_with_hooks(node, g, heap, keep, create_graph, targets, run)
                elif run and as_it_is:
                    (node.run_tensors if create_graph else node.run)(g, heap, keep)
                elif run:
                    _run(node, g, heap, keep, create_graph, targets)
                if captured is not None and node in captured:
                    captured[node] = g
        finally:
            if create_graph:
                state.grad = grad
                state.refresh()
            _running.pop()
            if heap or aside:
                _put_back(heap, aside)


def pass_number() -> int:
    """The number of the pass in progress; -1 outside of one."""
    return _running[-1][3] if _running else -1


def is_partial() -> bool:
    """Whether the pass in progress is for some targets only."""
    return bool(_running) and _running[-1][2] is not None


def takes_part(node: Node) -> bool:
    """Whether the pass in progress reaches this node (and not only from hooks)."""
    _, roots, targets, _ = _running[-1]
    if targets is not None:
        return node in targets
    return node in reachable(roots)


def _set_aside() -> list[Any]:
    """A hook may call backward() again: what the outer passes have in flight waits meanwhile."""
    aside = [(n, n.grad, n.owned) for heap, *_ in _running for _, n in heap]
    for n, _, _ in aside:
        n.grad = None
    return aside


def _put_back(heap: Heap, aside: Any) -> None:
    for _, n in heap:  # empty unless a node raised
        n.grad = None
    for n, grad, owned in aside:
        n.grad, n.owned = grad, owned


def _run(node: Node, g: Any, heap: Heap, keep: Any, tensors: bool, targets: set[Node] | None) -> None:
    """Run the node for those of its edges alone that lead to a target: a gradient nobody asked for costs nothing."""
    runner = node.run_tensors if tensors else node.run
    if recorder is not None:
        runner = recorder.timed(node, runner)
    if isinstance(node, OutputEdge):
        return runner(g, heap, keep)
    own = node.__dict__
    post = own.get("post_hooks")
    unwanted = {}
    if targets is not None:
        for name in node.edges:
            e = getattr(node, name)
            if e is not None and e not in targets:
                unwanted[name] = e
                setattr(node, name, None)
    if unwanted and tensors:
        own["unwanted_edges"] = unwanted  # what is kept has its place in the graph all the same
    try:
        if post or anomaly is not None:
            _run_watched(node, runner, g, heap, keep, tensors, post or {})
        else:
            runner(g, heap, keep)
    finally:
        for name in unwanted:
            setattr(node, name, unwanted[name])
        if unwanted and tensors:
            del own["unwanted_edges"]


def _run_with_hooks(
    node: Node, g: Any, heap: Heap, keep: Any, tensors: bool, targets: set[Node] | None, run: bool = True
) -> Any:
    """Hooks on the gradient, the node, hooks on what it made; returns the gradient as the hooks left it."""
    call = _call if tensors else without_recording
    if isinstance(node, MultiNode):
        given = [t if t is None or tensors else wrap(t) for t in g]
        for hook in tuple(node.hooks.values()):
            new = call(hook, tuple(given))
            given = given if new is None else list(new)
        g = [t if t is None or tensors else t.array for t in given]
    else:
        given = g if tensors else wrap(g)
        for hook in tuple(node.hooks.values()):
            new = call(hook, given)
            if new is not None:
                given = _replacement(hook, given, new)
                node.owned = False
        node.owned = node.owned and not node.hooks  # a hook may have kept what it saw
        g = given if tensors else given.array
    if run:
        _run(node, g, heap, keep, tensors, targets)
    return g


def _replacement(hook: Callable[..., Any], old: Any, new: Any) -> Any:
    """What a hook returned in place of a gradient, if it fits."""
    name = getattr(hook, "__name__", hook)
    if not hasattr(new, "array"):
        raise TypeError(f"hook '{name}' has returned an incorrect type (got {type(new).__name__}, but expected Tensor)")
    if new.array.dtype != old.array.dtype:
        raise RuntimeError(f"hook '{name}' has changed the type of value (was {_kind(old)} got {_kind(new)})")
    if new.array.shape != old.array.shape:
        raise RuntimeError(f"hook '{name}' has changed the size of value")
    return new


def _kind(t: Any) -> str:
    return f"torch.{C_NAMES[t.array.dtype.name]}Tensor"


def _call(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


def _run_watched(node: Node, runner: Any, g: Any, heap: Heap, keep: bool, tensors: bool, post: Any) -> None:
    """Run the node, show the hooks the gradients it made, deliver what they return."""
    edges = [getattr(node, e) for e in node.edges]
    try:
        made = _caught(node, runner, g, heap, keep)
    except Exception:
        if anomaly is not None:
            anomaly.failed(node)
        raise
    if anomaly is not None:
        anomaly.check(node, made)
    if post:
        made = _post_hooked(post, made, g, tensors)
    for edge, d in zip(edges, made, strict=True):
        if edge is not None and d is not None:
            deliver(edge, d, False, heap)


def _caught(node: Node, runner: Any, g: Any, heap: Heap, keep: bool) -> list[Any]:
    """Run the node with its edges diverted: the gradients that it makes, one per edge."""
    edges = [getattr(node, e) for e in node.edges]
    catchers = [None if e is None else Node() for e in edges]
    for key, (name, catcher) in enumerate(zip(node.edges, catchers, strict=True)):
        if catcher is not None:
            catcher.key, catcher.grad, catcher.owned, catcher.hooks = key, None, False, None
        setattr(node, name, catcher)
    elsewhere: Heap = []
    try:
        runner(g, elsewhere, keep)
    finally:
        for name, edge in zip(node.edges, edges, strict=True):
            setattr(node, name, edge)
    for entry in elsewhere:  # what CopySlices and the edge of an output send past the node's own edges
        if entry[1] not in catchers:
            heappush(heap, entry)
    return [None if c is None else c.grad for c in catchers]


def call_node(node: Node, grads: tuple[Any, ...]) -> Any:
    """The gradients that a node makes of those handed to it: one as it is, several as a tuple."""
    tensors = state.grad
    given = [g if tensors or g is None else g.array for g in grads]
    if not isinstance(node, MultiNode) and len(given) != 1:
        raise TypeError(f"{node.name()} takes the gradient of its 1 output, but {len(given)} were given")
    past_its_edges: Heap = []
    runner = node.run_tensors if tensors else node.run
    made = _caught(node, runner, given if isinstance(node, MultiNode) else given[0], past_its_edges, True)
    if past_its_edges:
        for _, edge in past_its_edges:
            edge.grad = None
        raise NotImplementedError(f"calling a node of {node.name()} is not supported by minitorch")
    result = tuple([d if d is None or tensors else wrap(d) for d in made])
    return result[0] if len(result) == 1 else result


def _post_hooked(post: Any, made: list[Any], g: Any, tensors: bool) -> Any:
    """The gradients that a node made, as its hooks leave them."""

    def shown(value: Any) -> Any:
        return value if value is None or tensors else wrap(value)

    inputs = tuple(map(shown, made))
    outputs = tuple(map(shown, g)) if isinstance(g, list) else (shown(g),)
    for hook in tuple(post.values()):
        new = (_call if tensors else without_recording)(hook, inputs, outputs)
        inputs = inputs if new is None else new if isinstance(new, tuple) else (new,)
    return [d if d is None or tensors else d.array for d in inputs]


def reachable(roots: Sequence[Node]) -> set[Node]:
    """All nodes that a pass from the roots comes to."""
    seen, stack = set(roots), list(roots)
    while stack:
        node = stack.pop()
        for edge in node.successors():
            if edge is not None and edge not in seen:
                seen.add(edge)
                stack.append(edge)
    return seen


def ancestors_leading_to(roots: list[Node], targets: dict[Node, Any]) -> tuple[set[Node], bool]:
    """The nodes from which a target can be reached, which a pass for the targets must run; whether these are all."""
    seen, stack = set(roots), list(roots)
    successors: dict[Node, list[Node]] = {}
    all_wanted = True
    while stack:
        node = stack.pop()
        edges = [edge for edge in node.successors() if edge is not None]
        if edges:
            successors[node] = edges
        elif node not in targets:
            all_wanted = False
        for edge in edges:
            if edge not in seen:
                seen.add(edge)
                stack.append(edge)
    if all_wanted:
        return set(successors), True
    leading, wanted = set(targets), set()
    for node in sorted(successors, key=_creation, reverse=True):  # what a node passes gradients to is older
        if not leading.isdisjoint(successors[node]):
            leading.add(node)
            wanted.add(node)
    return wanted, False
