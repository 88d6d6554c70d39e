"""Options of test_speed.py; one process measures one framework, so the framework is an option."""

from benchmarks.cases import CASES, SECTIONS


def pytest_addoption(parser):
    parser.addoption("--framework", default="minitorch", help="minitorch or torch")
    parser.addoption("--device", default="cpu", help="cpu or cuda")
    parser.addoption("--section", choices=SECTIONS, help="measure this section of the table only")


def pytest_generate_tests(metafunc):
    section = metafunc.config.getoption("section", None)
    chosen = [case for case in CASES if section in (None, case.section)]
    metafunc.parametrize("case", chosen, ids=[case.name for case in chosen])
