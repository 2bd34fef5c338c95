"""What the commands write: whole or not at all, with errors in one line."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tinygrad_mlp.errors import TinygradError
from tinygrad_mlp.export import replacing


class CommandError(TinygradError, ValueError):
    """An argument or a place to write to that a command cannot use; the message is one line."""


@contextmanager
def writing(place: str | os.PathLike[str]) -> Iterator[None]:
    """Turn an error of the file system inside the block into a line about ``place``."""
    try:
        yield
    except OSError as error:
        raise CommandError(f"{os.fspath(place)}: cannot be written ({error.strerror or error})") from None


@contextmanager
def output_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a hidden folder to write into, whose files move to the folder ``path`` when the block ends well.

    Otherwise nothing of it stays, and files that were in ``path`` before are untouched. Folders that are missing on the
    way to ``path`` are made at the end.

    Raises:
        CommandError: ``path`` is empty, a file, or cannot be written; known before the block begins. Or a folder has
            the name of one of the files.
    """
    if not os.fspath(path):  # an unset shell variable, more likely than the wish for the present folder
        raise CommandError("--out is empty: name a folder")
    target = Path(path).absolute()
    if target.exists() and not target.is_dir():
        raise CommandError(f"{os.fspath(path)}: this is a file, so it cannot be a folder: choose another --out")
    with writing(path):
        standing = next(folder for folder in (target, *target.parents) if folder.exists())
        hidden = standing / f".{target.name}.{os.getpid()}.part"
        hidden.mkdir()
    try:
        yield hidden
        with writing(path):
            if target.exists():
                files = sorted(hidden.iterdir())
                for file in files:  # all are looked at before the first is replaced
                    if (target / file.name).is_dir():
                        raise CommandError(
                            f"{Path(path) / file.name}: a folder is in the way: remove it, or choose another --out"
                        )
                for file in files:
                    os.replace(file, target / file.name)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                os.rename(hidden, target)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def spare(out: str | os.PathLike[str], *inputs: str | os.PathLike[str]) -> None:
    """Raise a CommandError if the file to write is one of those that are read, which would then be lost."""
    for path in inputs:
        if os.path.isfile(path) and os.path.exists(out) and os.path.samefile(out, path):
            raise CommandError(f"--out {os.fspath(out)}: the result would overwrite its own input: choose another file")


def write_text(path: Path, text: str) -> None:
    """Write a file of text in UTF-8, whole or not at all."""
    with writing(path), replacing(path) as file:
        file.write(text.encode("utf-8"))
