"""TorchScript archives whose programs never end, grow without bound, lie, or name what could harm.

Where a program is not followed, the weights beside it are read all the same.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from hostile.building import attack
from hostile.pickles import dictionary, tensor, torch_file, whole


def instance(kind: str, *attributes: tuple[str, bytes]) -> bytes:
    """The opcodes of a module of the class ``kind``."""
    module, _, name = kind.rpartition(".")
    return f"c{module}\n{name}\n".encode() + b")\x81" + dictionary(*attributes) + b"b"


def archive(
    folder: Path,
    code: Mapping[str, str | bytes],
    module: bytes,
    constants: bytes = b")",
    name: str = "module.jit",
) -> Path:
    """An archive of the files of a program and of the opcodes of the module that it begins with."""
    path = torch_file(folder, module, name=name)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/constants.pkl", whole(constants))
        for member, text in code.items():
            file.writestr(f"archive/code/{member}", text)
    return path


def forward(folder: Path, body: str, arguments: str = "x: Tensor", more: str = "") -> Path:
    """A module with a weight of two rows of three, and a ``forward`` of these lines."""
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    text = f"class Net(Module):\n  def forward(self: __torch__.Net,\n    {arguments}) -> Tensor:\n"
    module = instance("__torch__.Net", ("weight", tensor()))
    return archive(folder, {"__torch__.py": f"{text}{lines}\n{more}"}, module)


@attack("")
def calls_that_double_at_each_depth(folder: Path) -> Path:
    steps = "".join(
        f"def f{n}(x: Tensor) -> Tensor:\n  return __torch__.f{n + 1}(__torch__.f{n + 1}(x, ), )\n"
        for n in range(40)
    )
    end = "def f40(x: Tensor) -> Tensor:\n  return torch.relu(x)\n"
    return forward(folder, "return __torch__.f0(x, )", more=steps + end)


@attack("")
def method_that_calls_itself(folder: Path) -> Path:
    return forward(folder, "return (self).forward((self).forward(x, ), )")


@attack("")
def loop_that_never_ends(folder: Path) -> Path:
    return forward(folder, "while True:\n  x = torch.relu(x)\nreturn x")


@attack("")
def loops_in_loops(folder: Path) -> Path:
    inner = "".join("  " * n + f"for i{n} in range(1000):\n" for n in range(8))
    return forward(folder, inner + "  " * 8 + "x = torch.relu(x)\nreturn x")


@attack("")
def range_of_2_to_the_62(folder: Path) -> Path:
    return forward(folder, f"for i in range({2**62}):\n  x = torch.relu(x)\nreturn x")


@attack("")
def number_that_grows_by_squaring(folder: Path) -> Path:
    lines = ["n = 9"] + ["n = torch.mul(n, n)"] * 64 + ["return torch.mul(x, n)"]
    return forward(folder, "\n".join(lines))


@attack("")
def number_of_a_million_digits_in_a_program(folder: Path) -> Path:
    return forward(folder, "return torch.mul(x, 0x" + "f" * 10**6 + ")")


@attack("")
def list_that_doubles(folder: Path) -> Path:
    lines = ["a = [x, x]"] + ["a = torch.add(a, a)"] * 64 + ["return torch.cat(a)"]
    return forward(folder, "\n".join(lines))


@attack("")
def lists_of_lists_that_are_compared(folder: Path) -> Path:
    lines = ["a, b = [1], [1]"] + ["a, b = [a, a], [b, b]"] * 40
    body = [*lines, "c = torch.eq(a, b)", "d = torch.__contains__([a], b)", "return x"]
    return forward(folder, "\n".join(body))


@attack("")
def lists_of_lists_that_branches_leave(folder: Path) -> Path:
    lines = ["a, b = [x], [x]"] + ["a, b = [a, a], [b, b]"] * 40
    branches = ["if bool(torch.sum(x)):", "  c = a", "else:", "  c = b", "return x"]
    return forward(folder, "\n".join(lines + branches))


@attack("")
def lists_of_lists_that_are_given(folder: Path) -> Path:
    return forward(folder, "\n".join(["a = [x]"] + ["a = [a, a]"] * 40 + ["return a"]))


@attack("")
def branches_in_branches(folder: Path) -> Path:
    lines = [" " * n + "if bool(torch.sum(x)):" for n in range(60)] + [
        " " * 60 + "x = torch.relu(x)"
    ]
    return forward(folder, "\n".join([*lines, "return x"]))


@attack("")
def branches_that_call_branches(folder: Path) -> Path:
    body = "  if bool(torch.sum(x)):\n    y = {0}\n  else:\n    y = {0}\n  return y\n"
    calls = [f"__torch__.f{n + 1}(x, )" for n in range(39)] + ["torch.relu(x)"]
    steps = "".join(
        f"def f{n}(x: Tensor) -> Tensor:\n" + body.format(call) for n, call in enumerate(calls)
    )
    return forward(folder, "return __torch__.f0(x, )", more=steps)


@attack("")
def axes_without_end(folder: Path) -> Path:
    return forward(
        folder,
        "y = torch.linear(x, self.weight, None)\n"
        "for i in range(1000):\n  y = torch.unsqueeze(y, 0)\nreturn y",
    )


@attack("")
def tensor_of_2_to_the_60_elements(folder: Path) -> Path:
    body = "return torch.add(x, torch.zeros([1073741824, 1073741824]))"
    return forward(folder, body)


@attack("")
def shape_of_ten_thousand_axes(folder: Path) -> Path:
    return forward(folder, "return torch.view(x, torch.mul([1], 10000))")


@attack("")
def parts_by_the_billion(folder: Path) -> Path:
    body = "y = torch.expand(self.weight, [2000000000, 2, 3])\nz = torch.unbind(y, 0)\nreturn z[0]"
    return forward(folder, body)


@attack("")
def expression_nested_too_deep(folder: Path) -> Path:
    return forward(folder, "return " + "torch.relu(" * 5000 + "x" + ")" * 5000)


@attack("")
def signs_nested_too_deep(folder: Path) -> Path:
    return forward(folder, "return torch.mul(x, " + "-" * 200_000 + "1)")


@attack("")
def attributes_nested_too_deep(folder: Path) -> Path:
    return forward(folder, "return x" + ".a" * 100_000)


@attack("")
def million_lines(folder: Path) -> Path:
    return forward(folder, "a=x\n" * 250_000 + "return a")


@attack("")
def many_long_files(folder: Path) -> Path:
    names = [f"m{n}" for n in range(40)]
    code = "def f(x: Tensor) -> Tensor:\n  return x\n" + "a=1\n" * 40_000
    body = "".join(f"    x = __torch__.{name}.f(x, )\n" for name in names)
    text = "class Net(Module):\n  def forward(self, x: Tensor) -> Tensor:\n"
    files = {f"__torch__/{name}.py": code for name in names}
    module = instance("__torch__.Net", ("weight", tensor()))
    return archive(folder, {"__torch__.py": text + body + "    return x\n", **files}, module)


@attack("")
def formatted_texts(folder: Path) -> Path:
    return forward(folder, "a = f'" + "{x}" * 100_000 + "'\nreturn x")


@attack("")
def names_of_python(folder: Path) -> Path:
    return forward(folder, f"return __import__('os').open('{folder}/canary', 64)")


@attack("")
def classes_of_python(folder: Path) -> Path:
    return forward(folder, "return x.__class__.__mro__[1].__subclasses__()")


@attack("")
def operators_that_are_python(folder: Path) -> Path:
    return forward(folder, f"return torch.load('{folder}/canary', ops.os.system('id'))")


@attack("")
def getattr_of_python(folder: Path) -> Path:
    return forward(folder, "return getattr(self, '__class__')")


@attack("")
def program_in_an_odd_encoding(folder: Path) -> Path:
    text = "# -*- coding: utf-7 -*-\nclass Net(Module):\n  pass\n".encode("utf-16")
    return archive(folder, {"__torch__.py": text}, instance("__torch__.Net", ("w", tensor())))


@attack("")
def program_that_names_its_encoding(folder: Path) -> Path:
    text = "# -*- coding: unknown-8 -*-\nclass Net(Module):\n  pass\n"
    return archive(folder, {"__torch__.py": text}, instance("__torch__.Net", ("w", tensor())))


@attack("")
def program_with_zeros(folder: Path) -> Path:
    module = instance("__torch__.Net", ("w", tensor()))
    return archive(folder, {"__torch__.py": "class Net:\n\0\n"}, module)


@attack("")
def calls_without_operands(folder: Path) -> Path:
    names = ("add", "linear", "conv2d", "size", "len", "relu_", "copy_", "cat", "lstm", "_set_item")
    lines = [f"a{n} = torch.{name}()" for n, name in enumerate(names)]
    return forward(folder, "\n".join(["x = torch.relu(x)", *lines, "return x"]))


@attack("")
def forms_without_operands(folder: Path) -> Path:
    return forward(folder, "a = getattr()\nreturn annotate(x)")


@attack("")
def inputs_by_the_thousand(folder: Path) -> Path:
    return forward(folder, "return x0", ", ".join(f"x{n}: Tensor" for n in range(5000)))


@attack("")
def defaults_that_call(folder: Path) -> Path:
    return forward(folder, "return x", "x: Tensor=(self).forward()")


@attack("")
def module_that_holds_itself(folder: Path) -> Path:
    body = b"c__torch__\nNet\n)\x81\x94}(" + b"X\x01\0\0\0ah\x00X\x01\0\0\0w" + tensor() + b"ub"
    code = "class Net(Module):\n  def forward(self, x: Tensor):\n    return self.a.a.a.w\n"
    return archive(folder, {"__torch__.py": code}, body)


@attack("")
def state_that_sets_itself(folder: Path) -> Path:
    code = (
        "class Net(Module):\n  def __setstate__(self, s: int):\n    self.a = self.b\n"
        "  def forward(self, x: Tensor):\n    return self.a\n"
    )
    body = b"c__torch__\nNet\n)\x81" + tensor() + b"\x85b"
    return archive(folder, {"__torch__.py": code}, body)
