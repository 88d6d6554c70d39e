"""Options of test_speed.py; one process measures one framework, so the framework is an option."""

from benchmarks.cases import CASES, SECTIONS


def pytest_addoption(parser):
    parser.addoption("--framework", default="minitorch", help="minitorch or torch")
    parser.addoption("--device", default="cpu", help="cpu or cuda")
    parser.addoption("--sections", default=",".join(SECTIONS), help="sections of the table, with commas")
    parser.addoption("--match", default="", help="measure the cases with this in their name")


def pytest_generate_tests(metafunc):
    sections = metafunc.config.getoption("sections", ",".join(SECTIONS)).split(",")
    match = metafunc.config.getoption("match", "")
    chosen = [case for case in CASES if case.section in sections and match in case.name]
    metafunc.parametrize("case", chosen, ids=[case.name for case in chosen])
