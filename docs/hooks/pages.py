"""Pages of the site that are not files of docs/: made from the program, or from files elsewhere in the project.

MkDocs calls the functions whose names begin with ``on_``.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]

ELSEWHERE = {
    "benchmarks.md": "benchmarks/README.md",
    "reproduce.md": "reproduce/README.md",
    "changes.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "code-of-conduct.md": "CODE_OF_CONDUCT.md",
}
"""Page of the site -> file of the project."""

COMMANDS = "reference/commands.md"

_LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are not in docs/."""
    for page, source in ELSEWHERE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    files.append(File.generated(config, COMMANDS, content=commands()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Let links to files of the project lead to their page, or name the file where the site has none."""
    here = page.file.src_uri
    place = ELSEWHERE.get(here, f"docs/{here}")

    def target(found: re.Match[str]) -> str:
        before, link, after = found.groups()
        if "://" in link or link.startswith("mailto:"):
            return found[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(place), link))
        pages = {source: name for name, source in ELSEWHERE.items()}
        if path in pages:
            to = pages[path]
        elif path.startswith("docs/"):
            to = path.removeprefix("docs/")
        elif (ROOT / path).is_file():
            to = f"files/{path}"
            if to not in files.src_uris:
                files.append(File.generated(config, to, abs_src_path=str(ROOT / path)))
        else:
            return found[0]
        return f"{before}{posixpath.relpath(to, posixpath.dirname(here) or '.')}{after}"

    return _LINK.sub(target, markdown)


def commands() -> str:
    """Every command with its arguments and options, as Markdown."""
    import typer

    from pronotum.cli import app

    top = typer.main.get_command(app)
    text = [
        "# Commands",
        "Made from the program itself: it is what `pronotum COMMAND --help` says. Exit codes: 0 done; 1 done, but "
        "something was left out (it is named) or a bar you asked for was missed; 2 a mistake in the command or the "
        "data, told in one line.",
    ]
    for name, command in sorted(_flat("", top)):
        text += _command(name, command)
    return "\n\n".join(text) + "\n"


def _flat(prefix: str, group: Any) -> list[tuple[str, Any]]:
    found = []
    for name, command in group.commands.items():
        called = f"{prefix}{name}"
        found += _flat(f"{called} ", command) if hasattr(command, "commands") else [(called, command)]
    return found


def _command(name: str, command: Any) -> list[str]:
    said, _, example = (command.help or "").partition("Example: ")
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and one.name != "help"]
    named = " ".join(_metavar(one) for one in arguments)
    text = [f"## {name}", f"`pronotum {name} {named}`".replace(" `", "`"), said.strip()]
    if example:
        text.append(f"Example: `{' '.join(example.split())}`")
    rows = [f"| `{_metavar(one)}` | {_cell(one.help)} | |" for one in arguments]
    rows += [f"| {_names(one)} | {_cell(one.help)} | {_default(one)} |" for one in options]
    if rows:
        text.append("\n".join(["| option | what | default |", "|---|---|---|", *rows]))
    return text


def _metavar(argument: Any) -> str:
    name = argument.name.upper()
    name = f"{name}..." if argument.nargs == -1 else name
    return name if argument.required else f"[{name}]"


def _names(option: Any) -> str:
    return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))


def _default(option: Any) -> str:
    if option.required:
        return "needed"
    if option.is_flag or option.default is None or option.default == "":
        return ("on" if option.default is True else "off") if option.is_flag else ""
    return f"`{option.default}`"


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")
