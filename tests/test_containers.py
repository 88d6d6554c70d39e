"""Containers of modules and parameters act as torch's."""

import copy
from collections import OrderedDict

import pytest
from module_compare import outcome, same

import minitorch


def layers(lib, count=4):
    return [lib.nn.Linear(1, i + 1, device="meta") for i in range(count)]


def contents(container):
    return [(name, m.out_features) for name, m in container._modules.items()]


LIST_ACTIONS = {
    "index": lambda lib, c: (c[0].out_features, c[-1].out_features),
    "slice": lambda lib, c: [contents(c[1:3]), contents(c[::-2]), type(c[:0]).__name__],
    "set": lambda lib, c: c.__setitem__(-2, lib.nn.Linear(1, 9)),
    "set out of range": lambda lib, c: c.__setitem__(4, lib.nn.Tanh()),
    "get out of range": lambda lib, c: c[-5],
    "get by name": lambda lib, c: c["0"],
    "delete": lambda lib, c: c.__delitem__(1),
    "delete last": lambda lib, c: c.__delitem__(-1),
    "delete slice": lambda lib, c: c.__delitem__(slice(0, 3, 2)),
    "pop": lambda lib, c: c.pop(0).out_features,
    "pop slice": lambda lib, c: contents(c.pop(slice(1, 3))),
    "append": lambda lib, c: c.append(lib.nn.Linear(1, 8)) is c,
    "append text": lambda lib, c: c.append("text"),
    "insert": lambda lib, c: c.insert(1, lib.nn.Linear(1, 8)) is c,
    "insert last": lambda lib, c: c.insert(4, lib.nn.Linear(1, 8)) is c,
    "extend": lambda lib, c: c.extend(layers(lib, 2)) is c,
    "length": lambda lib, c: (len(c), [m.out_features for m in c], bool(c)),
    "dir": lambda lib, c: [name for name in dir(c) if name.isdigit()],
    "insert and read": lambda lib, c: (c.insert(0, c[3]), c[0] is c[4], c[1].out_features),
}


@pytest.mark.parametrize("kind", ["Sequential", "ModuleList"])
@pytest.mark.parametrize("name", LIST_ACTIONS)
def test_lists_of_modules_act_as_torchs(name, kind):
    def scenario(lib):
        container = getattr(lib.nn, kind)(*([layers(lib)] if kind == "ModuleList" else layers(lib)))
        return outcome(lambda: LIST_ACTIONS[name](lib, container)), contents(container)

    same(scenario)


SEQUENTIAL_ACTIONS = {
    "add": lambda lib, c: contents(c + lib.nn.Sequential(*layers(lib, 2))),
    "add list": lambda lib, c: c + [1],
    "add in place": lambda lib, c: contents(c.__iadd__(lib.nn.Sequential(*layers(lib, 2)))),
    "add in place list": lambda lib, c: c.__iadd__([1]),
    "times": lambda lib, c: (contents(c * 2), contents(2 * c), (c * 2)[0] is c[0]),
    "times zero": lambda lib, c: c * 0,
    "times text": lambda lib, c: c * "x",
    "times in place": lambda lib, c: contents(c.__imul__(3)),
    "times in place zero": lambda lib, c: c.__imul__(0),
    "insert negative": lambda lib, c: contents(c.insert(-1, lib.nn.Linear(1, 8))),
    "insert too far": lambda lib, c: c.insert(9, lib.nn.Tanh()),
    "named": lambda lib, c: contents(lib.nn.Sequential(OrderedDict(a=c[0], b=c[1]))[1:]),
    "call": lambda lib, c: lib.nn.Sequential(lib.nn.Tanh(), lib.nn.ReLU())(lib.ones(1)).tolist(),
    "call empty": lambda lib, c: lib.nn.Sequential()(3),
}


@pytest.mark.parametrize("name", SEQUENTIAL_ACTIONS)
def test_sequential_acts_as_torchs(name):
    def scenario(lib):
        container = lib.nn.Sequential(*layers(lib))
        seen = outcome(lambda: SEQUENTIAL_ACTIONS[name](lib, container))
        return seen.replace("mini", ""), contents(container)

    same(scenario)


def test_sequential_refuses_to_insert_what_is_no_module():
    with pytest.raises(AssertionError, match="module should be of type"):
        minitorch.nn.Sequential().insert(0, 3)


def test_module_list_adds_and_repeats_in_its_repr():
    def scenario(lib):
        tanh = [lib.nn.Tanh() for _ in range(3)]
        items = lib.nn.ModuleList([*tanh, lib.nn.Sequential(lib.nn.ReLU()), tanh[0]])
        items += [lib.nn.Linear(1, 1), lib.nn.Linear(1, 1)]
        more = items + [lib.nn.Tanh()]
        empty = lib.nn.ModuleList()
        return (
            repr(items),
            len(more),
            repr(empty),
            repr(lib.nn.Sequential(items)),
            outcome(lambda: items.extend(3)),
            outcome(lambda: empty(1)),
        )

    same(scenario)


def test_module_dict_acts_as_torchs():
    def scenario(lib):
        one, two = layers(lib, 2)
        d = lib.nn.ModuleDict({"b": one, "a": two})
        seen = [list(d), len(d), "a" in d, "c" in d, list(d.keys()), len(list(d.items()))]
        d["c"] = one
        seen.append([m.out_features for m in d.values()])
        seen.append(d.pop("b") is one)
        del d["c"]
        d.update([["x", one], ("y", two)])
        d.update(OrderedDict(z=one))
        d.update(lib.nn.ModuleDict({"w": two}))
        seen += [contents(d), repr(d), hasattr(d, "x")]
        for bad in (3, [3], [[1, 2, 3]], {"a": 3}):
            seen.append(outcome(lambda bad=bad: d.update(bad)))
        d.clear()
        return [*seen, len(d), hasattr(d, "x"), outcome(lambda: d["x"])]

    same(scenario)


def test_parameter_list_acts_as_torchs():
    def scenario(lib):
        p = lib.nn.ParameterList([lib.ones(2), lib.nn.Parameter(lib.zeros(1, 2)), "text"])
        p.append(lib.ones(()))
        p += [3]
        seen = [len(p), repr(p), repr(p[1:3]), [type(x).__name__ for x in p]]
        p[-1] = lib.ones(4)
        p[2] = "other"
        seen += [repr(p), [n for n, _ in p.named_parameters()], list(p.state_dict())]
        for bad in (3, lib.ones(2)):
            seen.append(outcome(lambda bad=bad: p.extend(bad)))
        seen += [outcome(lambda: p[9]), outcome(lambda: p(1)), "0" in dir(p)]
        return [*seen, repr(lib.nn.ParameterList([lib.ones(1)])), repr(lib.nn.ParameterList())]

    same(scenario)


def test_parameter_dict_acts_as_torchs():
    def scenario(lib):
        d = lib.nn.ParameterDict({"b": lib.ones(1), "a": lib.zeros(2, 2)})
        d["text"] = "value"
        seen = [
            list(d),
            len(d),
            "a" in d,
            list(reversed(d)),
            [type(v).__name__ for v in d.values()],
        ]
        d.setdefault("new", lib.ones(3))
        d.setdefault("new", lib.ones(9))
        seen += [repr(d), d.get("none"), d.get("none", 4), list(d.keys())]
        seen.append([k for k, _ in d.items()])
        seen.append(d.popitem()[0])
        seen.append(type(d.pop("a")).__name__)
        del d["b"]
        d.update([["x", lib.ones(1)]])
        other = lib.nn.ParameterDict(OrderedDict(z=lib.ones(1), y=lib.ones(1)))
        seen += [list(d | other), list(other.copy()), list(d.fromkeys(["k", "l"], 0))]
        d |= other
        seen.append(list(d))
        for bad in (3, [3], [[1, 2, 3]]):
            seen.append(outcome(lambda bad=bad: d.update(bad)))
        seen += [outcome(lambda: d[3]), outcome(lambda: d(1)), list(d.state_dict())]
        d.clear()
        return [*seen, len(d), outcome(d.popitem)]

    same(scenario)


def test_containers_copy_deeply():
    parameters = minitorch.nn.ParameterList([minitorch.ones(2)])
    other = copy.deepcopy(parameters)
    with minitorch.no_grad():
        other[0].zero_()
    assert parameters[0].tolist() == [1.0, 1.0]
    chain = copy.deepcopy(minitorch.nn.Sequential(minitorch.nn.Linear(1, 1)))
    chain.append(minitorch.nn.Tanh())
    assert len(chain) == 2
