"""Code blocks of the documentation, and how they are run: commands in this process."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from pronotum.cli import app, main
from pronotum.project import Project

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    + [ROOT / "benchmarks" / "README.md", ROOT / "reproduce" / "README.md"]
)
LANGUAGES = ("bash", "console", "python", "toml")

_FENCE = re.compile(
    r"(?:^[ ]*<!-- not run: (?P<why>[^>]*?) -->\s*\n)?"
    r"^(?P<indent>[ ]*)```(?P<language>\w+)[^\n]*\n(?P<text>.*?)^[ ]*```\s*$",
    re.MULTILINE | re.DOTALL,
)
_SCRIPT = re.compile(r"^python (?P<script>(?:reproduce|benchmarks|scripts)/\w+\.py)")

TRAININGS = ("train", "crossvalidate", "learning-curve", "reproduce", "demo")

LESS = {
    "crossvalidate": "--folds 2",
    "learning-curve": "--folds 2 --run 1 --sizes 4,6",
    "reproduce": "--rounds 2 --run 1 --epochs 1 --pretrain-epochs 1 --finetune-epochs 1 --set 'model.frame=[64, 48]'",
}
"""What is added to a command, so that it does less of the same."""

PREPARED = {
    "wings-run": "pronotum crossvalidate wings/ -o wings-run",
    "results": "pronotum predict wings-run new-wings/ -o results",
    "results/predictions.tps": "pronotum predict wings-run new-wings/ -o results",
    "wings.pronotum": "pronotum export wings-run wings.pronotum",
}
"""What a page may take for granted from an earlier one, and the command that makes it."""


@dataclass(frozen=True)
class Block:
    """A code block of a page.

    Attributes:
        page: the file.
        line: where it begins.
        language: after the fence.
        text: without the fence.
        why_not: why it is not run; "" = it is.
    """

    page: Path
    line: int
    language: str
    text: str
    why_not: str

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def commands(self) -> Iterator[str]:
        """Lines of a shell block, those that go on joined, without comments."""
        for line in self.text.replace("\\\n", " ").splitlines():
            words = " ".join(shlex.split(line, comments=True))
            if words:
                yield line.strip().removeprefix("$ ")


def blocks(page: Path) -> list[Block]:
    """The code blocks of a page in the languages that are looked at."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        lines = [line.removeprefix(match["indent"]) for line in match["text"].splitlines()]
        line = text.count("\n", 0, match.start("indent")) + 1
        found.append(Block(page, line, match["language"], "\n".join(lines) + "\n", match["why"] or ""))
    return [block for block in found if block.language in LANGUAGES]


def parse(words: list[str]) -> tuple[list[str], set[str]]:
    """A line that begins with pronotum: the command, and the options that are used.

    Raises:
        AssertionError: there is no such command, or an option that it does not have.
    """
    command: Any = typer.main.get_command(app)
    path, rest = [], words[1:]
    while hasattr(command, "commands"):
        assert rest, "a command is missing"
        assert rest[0] in command.commands, f"there is no command {rest[0]}"
        command, path, rest = command.commands[rest[0]], [*path, rest[0]], rest[1:]
    known = {
        name for one in command.params if one.param_type_name == "option" for name in (*one.opts, *one.secondary_opts)
    }
    used = {word.partition("=")[0] for word in rest if word.startswith("-")}
    assert used <= known, f"pronotum {' '.join(path)} has no {', '.join(sorted(used - known))}"
    return path, used


def check_only(block: Block) -> None:
    """What can be said of a block that is not run: its commands, options and scripts exist."""
    if block.language == "toml":
        tomllib.loads(block.text)
    elif block.language == "python":
        compile(block.text, block.where, "exec")
    else:
        for line in block.commands():
            words = shlex.split(line, comments=True)
            script = _SCRIPT.match(line)
            if words[0] == "pronotum":
                parse(words)
            elif script:
                source = (ROOT / script["script"]).read_text(encoding="utf-8")
                options = [word for word in words if word.startswith("--")]
                known = source + (ROOT / "reproduce" / "inputs.py").read_text(encoding="utf-8")
                assert all(f'"{word}"' in known for word in options), f"{block.where}: {options} of {script['script']}"
            elif words[0].startswith("scripts/"):
                assert (ROOT / words[0]).is_file(), words[0]


@dataclass
class Terminal:
    """Runs the blocks of one page after another in a folder.

    Attributes:
        folder: where.
        made: finished trainings by command, from which later pages get a copy.
    """

    folder: Path
    made: dict[str, Path] = field(default_factory=dict)

    def run(self, block: Block) -> None:
        """Run a block; a command that fails is an error."""
        if block.language == "toml":
            self._toml(block)
        elif block.language == "python":
            with chdir(self.folder):
                exec(compile(block.text, block.where, "exec"), {"__name__": "__main__"})
        else:
            for line in block.commands():
                words = shlex.split(line, comments=True)
                try:
                    self._pronotum(words) if words[0] == "pronotum" else self._shell(line)
                except AssertionError as error:
                    raise AssertionError(f"{block.where}: {line}\n{error}") from None

    def _toml(self, block: Block) -> None:
        """A project file or a scheme; which one, its names say."""
        found = tomllib.loads(block.text)
        if "names" in found or "curves" in found:
            from pronotum import schemes

            place = self.folder / f"scheme-of-line-{block.line}.toml"
            place.write_text(block.text, encoding="utf-8")
            schemes.read(place)
        else:
            Project.model_validate(found)

    def _pronotum(self, words: list[str]) -> None:
        (command, *_), used = parse(words)
        out = next((words[at + 1] for at, word in enumerate(words) if word in ("-o", "--out")), "")
        for word in words[1:]:
            if word in PREPARED and word != out and not (self.folder / word).exists() and command != "export":
                self._pronotum(shlex.split(PREPARED[word]))
        if command == "export" and not (self.folder / words[2]).exists():
            self._pronotum(shlex.split(PREPARED[words[2]]))
        place, key = self.folder / out, shlex.join(words)
        if key in self.made and not place.exists():
            shutil.copytree(self.made[key], place)
            return
        if "--resume" in used:
            (place / "model.safetensors").unlink()  # as if it had been interrupted before its end
        code = call([*words[1:], *shlex.split(LESS.get(command, ""))], self.folder)
        # 1: something was left out and named; convert says what a format cannot hold, a one-step model finds nothing
        assert code == 0 or (code == 1 and command in ("convert", "predict")), f"exit code {code}"
        if command in TRAININGS and "--resume" not in used:
            self.made[key] = place

    def _shell(self, line: str) -> None:
        script = _SCRIPT.match(line)
        if script:
            line = f"{shlex.quote(sys.executable)} {ROOT / script['script']}{line[script.end() :]}"
        elif line.startswith("pip install"):
            extras = re.findall(r"\[([\w,]+)\]", line)
            known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
            assert all(one in known for some in extras for one in some.split(",")), line
            return
        elif line.startswith("source .venv"):
            return
        done = subprocess.run(["bash", "-c", line], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def call(words: list[str], folder: Path) -> int:
    """Exit code of a command in a folder."""
    with chdir(folder):
        try:
            main(words)
        except SystemExit as stop:
            return stop.code if isinstance(stop.code, int) else 0
    return 0
