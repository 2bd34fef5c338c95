"""Packing: elements that lie apart in memory, brought together for a vectorised loop."""


class Pack:
    """Memory in which the elements of many rounds lie together, one row for each that is written out."""

    def __init__(self, name: str, kind: str, way: str) -> None:
        """Take the name of the memory, the type of an element, and whether it is read ("in") or written ("out")."""
        self.name = name
        self.kind = kind
        self.way = way
        self.places: list[str] = []

    def place(self, text: str) -> str:
        """Return what stands for an element of memory in a round."""
        self.places.append(text)
        return f"{self.name}[{len(self.places) - 1}][@]"

    def declared(self, size: int) -> str:
        """Return the declaration, for so many rounds."""
        size += -size % 16
        return f"{self.kind} {self.name}[{len(self.places)}][{size}] __attribute__((aligned(64)));"

    def moved(self, start: str, stop: str) -> list[str]:
        """Return the loop that moves elements from memory to here, or back."""
        pairs = [(f"{self.name}[{r}][@]", text) for r, text in enumerate(self.places)]
        lines = [f"{a} = {b};" if self.way == "in" else f"{b} = {a};" for a, b in pairs]
        return [f"for (int64_t i0 = {start}; i0 < {stop}; i0++) {{", *lines, "}"]
