"""torch.utils.benchmark: the same text for the same times, and timers that measure."""

import re

import pytest
import torch.utils.benchmark  # noqa: F401 - for compare.PAIR
from compare import PAIR, assert_same_outcome, outcome

import minitorch
from minitorch.utils.benchmark import Timer

SPECS = [
    {"stmt": "x + 1", "setup": "pass", "label": "add", "description": "before", "num_threads": 1},
    {"stmt": "x + 1", "setup": "pass", "label": "add", "description": "after", "num_threads": 1},
    {"stmt": "x * 2", "setup": "pass", "label": "add", "sub_label": "twice", "description": "after", "num_threads": 1},
    {"stmt": "x + 1", "setup": "x = 3", "label": "add", "description": "after", "num_threads": 4},
]
TIMES = [
    [1e-4, 1.1e-4, 1.2e-4, 1.3e-4],
    [3.21e-5, 3.22e-5, 3.21e-5, 3.23e-5, 3.21e-5],
    [7.7e-3],
    [1e-4, 9e-4, 2e-4, 8e-4],
]


def measurements(mod, envs=(None,) * 4):
    common = mod.utils.benchmark.utils.common
    return [
        common.Measurement(10, times, common.TaskSpec(**spec, env=env)) for spec, times, env in zip(SPECS, TIMES, envs)
    ]


def text_of(measurement):
    return re.sub(r"<.* object at .*>", "<>", repr(measurement))


def test_measurements_have_the_statistics_and_text_of_torch():
    for ours, theirs in zip(*map(measurements, PAIR)):
        for name in ("median", "mean", "iqr"):
            assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-12)
        for name in ("significant_figures", "has_warnings", "title", "as_row_name", "stmt", "num_threads"):
            assert getattr(ours, name) == getattr(theirs, name)
        assert text_of(ours) == text_of(theirs)


def test_measurements_of_one_task_are_merged():
    def merged(mod):
        return [(m.number_per_run, len(m.times)) for m in mod.utils.benchmark.Measurement.merge(measurements(mod) * 2)]

    ours, theirs = map(merged, PAIR)
    assert ours == theirs


@pytest.mark.parametrize("options", [(), ("trim_significant_figures",), ("highlight_warnings",), ("colorize",)])
@pytest.mark.parametrize("envs", [(None,) * 4, ("a", "a", "a", "longer")])
def test_tables_are_those_of_torch(options, envs):
    def table(mod):
        compare = mod.utils.benchmark.Compare(measurements(mod, envs))
        for option in options:
            getattr(compare, option)()
        return str(compare)

    if envs[0] is None:
        envs = ("one",) * 4
    ours, theirs = map(table, PAIR)
    assert ours == theirs


def test_rows_are_coloured_as_by_torch():
    def table(mod):
        compare = mod.utils.benchmark.Compare(measurements(mod, ("one",) * 4))
        compare.colorize(rowwise=True)
        return str(compare)

    ours, theirs = map(table, PAIR)
    assert ours == theirs


def test_helpers_give_what_torch_gives():
    for t in (3e-9, 2e-6, 5e-3, 2.0, 90.0):
        ours, theirs = (mod.utils.benchmark.select_unit(t) for mod in PAIR)
        assert ours == theirs
        for n in (1, 2, 3):
            ours, theirs = (mod.utils.benchmark.utils.common.trim_sigfig(t, n) for mod in PAIR)
            assert ours == pytest.approx(theirs, rel=1e-6)


class Clock:
    """A clock that runs only when a statement does."""

    now = 0.0

    def __call__(self):
        return self.now

    def work(self, seconds):
        self.now += seconds


def timer(mod, clock, **options):
    return mod.utils.benchmark.Timer("clock.work(0.001)", timer=clock, globals={"clock": clock}, **options)


def test_timers_measure_as_often_as_those_of_torch():
    def shown(mod):
        for method in ("timeit", "blocked_autorange", "adaptive_autorange"):
            measurement = getattr(timer(mod, Clock(), label="work"), method)(*[50] * (method == "timeit"))
            yield measurement.number_per_run, len(measurement.raw_times), text_of(measurement)

    ours, theirs = (list(shown(mod)) for mod in PAIR)
    assert ours == theirs


def test_a_timer_runs_real_statements():
    measurement = Timer("torch.ones(3) + x", setup="x = 2", globals={}).blocked_autorange(min_run_time=0.01)
    assert 0 < measurement.median < 1 and measurement.number_per_run >= 1


def test_a_statement_in_a_block_loses_its_indentation():
    def summary(mod):
        return mod.utils.benchmark.Timer("""
            x = 1
            y = 2
        """, setup="\n    z = 3")._task_spec.summarize()  # fmt: skip

    ours, theirs = map(summary, PAIR)
    assert ours == theirs


@pytest.mark.parametrize(
    "call",
    [
        lambda mod: mod.utils.benchmark.Timer(3),
        lambda mod: mod.utils.benchmark.Timer("x", global_setup="y"),
        lambda mod: mod.utils.benchmark.Timer("x", language="basic"),
        lambda mod: mod.utils.benchmark.Timer("x", language=3),
        lambda mod: mod.utils.benchmark.Timer("x", language=mod.utils.benchmark.Language.PYTHON, global_setup="y"),
        lambda mod: mod.utils.benchmark.Timer("x").repeat(),
        lambda mod: mod.utils.benchmark.Timer("x").autorange(),
        lambda mod: mod.utils.benchmark.Compare([3]),
    ],
)
def test_errors_are_those_of_torch(call):
    ours, theirs = (outcome(call, mod) for mod in PAIR)
    assert_same_outcome(ours, theirs)


def test_threads_are_set_for_the_length_of_a_measurement():
    before = minitorch.get_num_threads()
    seen = []
    Timer("seen.append(torch.get_num_threads())", globals={"seen": seen}, num_threads=1).timeit(3)
    assert set(seen) == {1}
    assert minitorch.get_num_threads() == before


@pytest.mark.parametrize("name", ["cpp", "c++", "CPP"])
def test_statements_of_cpp_are_refused(name):
    language = minitorch.utils.benchmark.Language[name] if name == "CPP" else name
    with pytest.raises(NotImplementedError, match="no compiler for C"):
        Timer("x", language=language)
