"""Profiles: what is recorded, the table, traces and schedules, as torch's."""

import gzip
import json
import warnings

import pytest
from compare import PAIR, first_line, outcome
from torch.autograd.profiler_util import FunctionEvent as TheirEvent

import minitorch
from minitorch.autograd import engine
from minitorch.autograd.grad_mode import state
from minitorch.autograd.profiler_util import EventList, FunctionEvent
from minitorch.profiler import ProfilerActivity, profile, record_function, schedule, tensorboard_trace_handler


def program(mod):
    x = mod.ones(3, 3, requires_grad=True)
    with mod.profiler.record_function("forward"):
        loss = mod.mm(x, x).exp().sum()
    loss.backward()


def profiled(mod, **options):
    with mod.profiler.profile(activities=[mod.profiler.ProfilerActivity.CPU], **options) as prof:
        program(mod)
    return prof


def test_operations_regions_and_gradients_are_recorded_as_by_torch():
    def counts(mod):
        return {e.key: e.count for e in profiled(mod).key_averages()}

    ours, theirs = map(counts, PAIR)
    for name in ("forward", "aten::exp", "aten::sum", *[f"autograd::engine::evaluate_function: {n}Backward0"
                                                       for n in ("Sum", "Exp", "Mm")]):  # fmt: skip
        assert ours[name] == theirs[name] == 1
    assert ours["aten::mm"] == 1  # in torch the gradient of mm is two more calls of it; here a kernel


def test_times_nest():
    forward, *inside = profiled(minitorch).events()[:4]
    assert [e.cpu_parent for e in inside] == [forward] * 3
    assert forward.cpu_time_total >= sum(e.cpu_time_total for e in inside) > 0
    assert forward.self_cpu_time_total == forward.cpu_time_total - sum(e.cpu_time_total for e in inside)
    assert forward.time_range.start <= inside[0].time_range.start <= inside[2].time_range.end <= forward.time_range.end


def test_shapes_are_recorded_if_asked():
    by_shape = profiled(minitorch, record_shapes=True).key_averages(group_by_input_shape=True)
    assert next(e.input_shapes for e in by_shape if e.key == "aten::mm") == [[3, 3], [3, 3]]
    assert "Input Shapes" in by_shape.table()
    assert "Input Shapes" not in profiled(minitorch).key_averages().table()


def test_the_bytes_of_results_are_recorded_if_asked():
    averages = {e.key: e for e in profiled(minitorch, profile_memory=True).key_averages()}
    assert averages["aten::mm"].cpu_memory_usage == 36
    assert averages["forward"].cpu_memory_usage == 36 + 36 + 4
    assert averages["forward"].self_cpu_memory_usage == 0


def test_stacks_name_the_line_of_the_program(tmp_path):
    prof = profiled(minitorch, with_stack=True)
    assert "test_profiler.py(" in next(e.stack[0] for e in prof.events() if e.key == "aten::mm")
    prof.export_stacks(str(tmp_path / "stacks"))
    lines = (tmp_path / "stacks").read_text().splitlines()
    assert lines and all(line.rpartition(" ")[2].isdigit() and ";" in line for line in lines)


def test_the_table_is_that_of_torch():
    """Over events of the same names and times."""
    times = {"aten::mm": [5.5, 2000.25], "aten::add_with_a_name_that_is_longer_than_the_column_of_names": [1.5e6]}

    def averages(mod):
        made = mod.autograd.profiler_util.EventList()
        for i, (name, each) in enumerate(times.items()):
            for j, t in enumerate(each):
                start = 1e7 * i + 1e5 * j
                if mod is minitorch:
                    e = FunctionEvent(j, name, 0, start)
                    e.time_range.end = start + t
                else:
                    e = TheirEvent(id=j, name=name, thread=0, start_us=start, end_us=start + t, stack=[])
                made.append(e)
        if mod is not minitorch:
            made._build_tree()
        return made.key_averages()

    for options in ({}, {"sort_by": "cpu_time_total"}, {"sort_by": "count", "row_limit": 1}, {"header": "words"}):
        ours, theirs = (averages(mod).table(**options) for mod in PAIR)
        assert ours == theirs


def test_a_trace_is_one_that_chrome_reads(tmp_path):
    path = str(tmp_path / "trace.json.gz")
    prof = profiled(minitorch, record_shapes=True)
    prof.add_metadata_json("answer", "[42]")
    prof.export_chrome_trace(path)
    with gzip.open(path) as f:
        trace = json.load(f)
    events = {e["name"]: e for e in trace["traceEvents"] if e["ph"] == "X"}
    assert events["aten::mm"]["args"]["Input Dims"] == [[3, 3], [3, 3]]
    assert events["forward"]["cat"] == "user_annotation" and events["aten::exp"]["cat"] == "cpu_op"
    assert events["forward"]["ts"] <= events["aten::exp"]["ts"]
    assert trace["answer"] == [42]


SCHEDULES = [
    {"wait": 1, "warmup": 1, "active": 2, "repeat": 2, "skip_first": 1},
    {"wait": 0, "warmup": 1, "active": 1},
    {"wait": 2, "warmup": 1, "active": 3, "repeat": 1},
    {"wait": 1, "warmup": 1, "active": 1, "skip_first": 3, "skip_first_wait": 1},
]


@pytest.mark.parametrize("options", SCHEDULES)
def test_schedules_are_those_of_torch(options):
    def actions(mod):
        return [a.name for a in map(mod.profiler.schedule(**options), range(16))]

    ours, theirs = map(actions, PAIR)
    assert ours == theirs


STEPS = [["ProfilerStep#2", "aten::exp", "ProfilerStep#3", "aten::exp"],
         ["ProfilerStep#6", "aten::exp", "ProfilerStep#7", "aten::exp"]]  # fmt: skip


@pytest.mark.parametrize("acc_events", [False, True])
def test_each_cycle_is_shown_once_it_ends(acc_events):
    seen = []
    x, chosen = minitorch.ones(2), schedule(wait=1, warmup=1, active=2, repeat=2)
    with profile(
        schedule=chosen, on_trace_ready=lambda p: seen.append([e.name for e in p.events()]), acc_events=acc_events
    ) as prof:
        for _ in range(10):
            x.exp()
            prof.step()
    assert seen == [STEPS[0], STEPS[0] + STEPS[1] if acc_events else STEPS[1]]


def test_traces_for_tensorboard_lie_in_its_folder(tmp_path):
    handler = tensorboard_trace_handler(str(tmp_path / "runs"), worker_name="w", use_gzip=True)
    with profile(on_trace_ready=handler):
        minitorch.ones(2).exp()
    (path,) = (tmp_path / "runs").iterdir()
    assert path.name.startswith("w.") and path.name.endswith(".pt.trace.json.gz")


def test_nothing_is_left_after_a_profile():
    with pytest.raises(ZeroDivisionError), profile(), record_function("region"):
        raise ZeroDivisionError
    assert state.interceptors == () and state.mode is None and engine.recorder is None


def test_a_region_decorates_a_function_and_is_closed_by_an_error():
    @record_function("mine")
    def fails():
        raise KeyError

    with profile() as prof:
        for _ in range(2):
            with pytest.raises(KeyError):
                fails()
    assert [(e.name, e.cpu_parent) for e in prof.events()] == [("mine", None)] * 2


CALLS = [
    lambda mod: mod.profiler.schedule(wait=-1, warmup=1, active=1),
    lambda mod: mod.profiler.schedule(wait=1, warmup=1, active=0),
    lambda mod: mod.profiler.schedule(wait=1, warmup=0, active=1),
    lambda mod: mod.profiler.profile(activities=[]),
    lambda mod: mod.profiler.profile(activities=[mod.profiler.ProfilerActivity.CPU]).key_averages(),
    lambda mod: mod.profiler.profile(activities=[mod.profiler.ProfilerActivity.CPU]).export_chrome_trace("x"),
    lambda mod: profiled(mod).export_stacks("x"),
    lambda mod: profiled(mod).key_averages().table(sort_by="foo"),
]


@pytest.mark.parametrize("call", CALLS)
def test_errors_and_warnings_are_those_of_torch(call):
    seen = []
    for mod in PAIR:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            error = outcome(call, mod).error
        seen.append((type(error).__name__, error and first_line(error), [first_line(w.message) for w in caught]))
    assert seen[0] == seen[1]


def test_what_is_not_supported_says_so():
    for options in ({"with_flops": True}, {"use_cuda": True}, {"experimental_config": object()}):
        with pytest.raises(NotImplementedError, match=next(iter(options))):
            profile(**options)


def test_the_older_profiler_is_torchs():
    def shown(mod):
        with mod.autograd.profiler.profile() as prof:
            mod.ones(2).exp()
        average = next(e for e in prof.key_averages() if e.key == "aten::exp")
        return average.count, prof.total_average().key, str(prof).splitlines()[1].split()

    ours, theirs = map(shown, PAIR)
    assert ours == theirs
    assert str(minitorch.autograd.profiler.profile()) == "<unfinished torch.autograd.profile>"
    assert EventList().table() == "" and ProfilerActivity.CPU.name == "CPU"


def test_schedule_is_importable_from_its_module():
    assert minitorch.profiler.profiler.schedule is schedule
