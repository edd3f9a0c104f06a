"""What is documented exists, and what exists is documented."""

from tests.checkout import ROOT


def named_in(page: str) -> str:
    return (ROOT / page).read_text()


def test_every_script_has_a_line_in_the_scripts_page() -> None:
    page = named_in("scripts/README.md")
    scripts = {path.name for path in (ROOT / "scripts").iterdir() if path.suffix != ".md"}
    assert scripts
    assert all(f"`scripts/{name}" in page for name in scripts)


def test_every_decision_is_in_the_index() -> None:
    page = named_in("docs/decisions/README.md")
    notes = {path.name for path in (ROOT / "docs/decisions").glob("0*.md")}
    assert notes
    assert all(f"({name})" in page for name in notes)
    assert page.count("](0") == len(notes)


def test_every_module_and_folder_of_the_package_is_on_the_map() -> None:
    page = named_in("ARCHITECTURE.md")
    package = ROOT / "terna"
    modules = {path.name for path in package.glob("*.py")} - {"__init__.py", "__main__.py"}
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    assert all(f"terna/{module}`" in page for module in modules)
    assert all(f"`terna/{folder}/`" in page for folder in folders)
