"""Building: C text to functions, by the machine's compiler, kept in a cache that two processes may share."""

import contextlib
import ctypes
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mlp.errors import MissingDependencyError, TinygradError

from .prelude import prelude

CHECKED = 32  # bytes at the end of a cached file: the hash of what comes before
# No switch here changes a value: exceptions and errno are nobody's concern, and products are fused by name only.
# Partial redundancy elimination turns choices into booleans that GCC 12 then cannot vectorise; two more of its kind
# take half of the compiler's time and gain nothing in straight code.
FLAGS = (
    "-std=gnu11", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off", "-fwrapv",
    "-fopenmp-simd", "-fno-tree-pre", "-fno-gcse", "-fno-gcse-after-reload", "-fPIC", "-shared", "-w",
)  # fmt: skip
PROBE = """
void probe(const double *x, double *y, float *z) {
#pragma omp simd
    for (int i = 0; i < 64; i++) { y[i] = exp(x[i]) + tanh(x[i]) + erfc(x[i]); z[i] = expf((float)x[i]); }
}
"""
_loaded: dict[tuple[str, bool], Any] = {}
_lock = threading.Lock()


class CompilerError(TinygradError):
    """A C compiler that fails."""


class Compiler:
    """A C compiler of the machine.

    Attributes:
        command: The program, and what CC says beside it.
        key: What the machine code depends on beside the text: version, switches, processor.
        vector: Whether calls of exp and its like are vectorised by libmvec.
    """

    def __init__(self, command: tuple[str, ...]) -> None:
        """Ask for the version, and try what the compiler can do."""
        self.command = command
        asked = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
        self.key = "\n".join((*command, asked.stdout, " ".join(FLAGS), processor()))
        self.vector = False
        with contextlib.suppress(CompilerError, OSError):
            self.vector = bool(self.load(prelude(True) + PROBE, ("-lmvec",)).probe)

    def load(self, text: str, libraries: tuple[str, ...] | None = None, release: bool = False) -> Any:
        """Return the library of a program: from this process, from the cache, or built.

        Args:
            text: C.
            libraries: Switches for the linker; those of vector math if None.
            release: Whether calls release the lock of the interpreter.
        """
        if libraries is None:
            libraries = ("-lmvec",) if self.vector else ()
        name = hashlib.sha256("\0".join((text, *libraries, self.key)).encode()).hexdigest()[:40]
        with _lock:
            if (name, release) not in _loaded:
                path = self._file(name, text, libraries)
                _loaded[name, release] = (ctypes.CDLL if release else ctypes.PyDLL)(str(path))
            return _loaded[name, release]

    def _file(self, name: str, text: str, libraries: tuple[str, ...]) -> Path:
        """Return the shared object of a text, built if the cache has none, or a broken one."""
        for folder in (cache_folder(), _temporary()):
            path = folder / f"{name}.so"
            if _is_whole(path):
                return path
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryDirectory(dir=folder) as work:
                    built = self._build(Path(work), text, libraries)
                    content = built.read_bytes()
                    built.write_bytes(content + hashlib.sha256(content).digest())
                    os.replace(built, path)  # in one step: another process sees the old file or the new one
            except OSError:
                continue
            return path
        raise CompilerError("compile: neither the cache nor the temporary folder can be written to")

    def _build(self, work: Path, text: str, libraries: tuple[str, ...]) -> Path:
        source, built = work / "kernel.c", work / "kernel.so"
        source.write_text(text, "utf-8")
        command = [*self.command, *FLAGS, str(source), "-o", str(built), *libraries, "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            first = "\n".join(done.stderr.strip().splitlines()[:5])
            raise CompilerError(f"compile: {self.command[0]} failed with status {done.returncode}:\n{first}")
        return built


def compiler() -> Compiler:
    """Return the C compiler that the environment variable CC names, or the first of cc, gcc and clang.

    Raises:
        MissingDependencyError: There is none, or arrays are laid out in memory in a way that is not known.
    """
    first, *rest = shlex.split(os.environ.get("CC", "")) or [""]
    names = (first,) if first else ("gcc", "cc", "clang")
    path = next((found for found in map(shutil.which, names) if found), None)
    if path is None:
        raise MissingDependencyError(
            f'backend="c" needs a C compiler, and there is none ({", ".join(names)}): install gcc, or set CC'
        )
    if not _has_known_layout():
        raise MissingDependencyError('backend="c" knows CPython on 64-bit machines only: use backend="numpy"')
    return _known((path, *rest), str(cache_folder()))


@cache
def _known(command: tuple[str, ...], _folder: str) -> Compiler:
    return Compiler(command)


def cache_folder() -> Path:
    """Return where shared objects are kept: TINYGRAD_MLP_CACHE, or a folder in the user's cache."""
    chosen = os.environ.get("TINYGRAD_MLP_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tinygrad_mlp"


@cache
def _temporary() -> Path:
    """Return a folder of this process alone, for when the cache cannot be written to."""
    folder = Path(tempfile.mkdtemp(prefix="tinygrad_mlp-"))
    import atexit

    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _is_whole(path: Path) -> bool:
    """Return whether a cached file is all there: loading half a file would end the process."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return hashlib.sha256(content[:-CHECKED]).digest() == content[-CHECKED:]


@cache
def processor() -> str:
    """Return what the processor can do, on which -march=native depends."""
    import platform

    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        wanted = ("model name", "flags", "Features")
        return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))
    return f"{platform.machine()} {platform.processor()}"


@cache
def _has_known_layout() -> bool:
    """Return whether arrays, floats and tuples begin in memory as the prelude says."""
    head = object.__basicsize__
    if head != 16 or tuple.__basicsize__ != 24 or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    x, number = np.arange(12.0).reshape(3, 4)[1:], 0.1
    both = (x, number)
    flags = (x.flags.c_contiguous * 1) | (x.flags.aligned * 0x100)
    return (
        ctypes.c_void_p.from_address(id(x) + 16).value == x.__array_interface__["data"][0]
        and ctypes.c_int.from_address(id(x) + 24).value == 2
        and ctypes.c_int.from_address(id(x) + 64).value & 0x101 == flags
        and ctypes.c_double.from_address(id(number) + 16).value == number
        and [ctypes.c_void_p.from_address(id(both) + 24 + 8 * i).value for i in range(2)] == [id(x), id(number)]
    )
