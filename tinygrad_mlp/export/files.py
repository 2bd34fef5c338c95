"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file beside ``path`` for writing bytes, which takes the place of ``path`` when the block ends well.

    If the block raises, what was written is removed, and a file that was there before stays as it was. A link is
    followed. What is no file, such as a pipe or ``/dev/stdout``, cannot be replaced and is written to.

    Raises:
        OSError: the file cannot be written; its ``filename`` is ``path``.
    """
    target = Path(path)
    special = target.exists() and not target.is_file()
    if special:
        beside = target
    else:
        target = Path(os.path.realpath(path))
        beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            yield file
        if not special:
            os.replace(beside, target)
    except OSError as error:
        if error.filename in (str(beside), None):  # the reader knows nothing of the file beside
            raise type(error)(error.errno, error.strerror, os.fspath(path)) from None
        raise
    finally:
        if not special:
            beside.unlink(missing_ok=True)
