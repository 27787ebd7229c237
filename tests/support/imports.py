"""What the modules of a project import from one another, read from their text."""

import ast
import contextlib
import dataclasses
import textwrap
from pathlib import Path


@dataclasses.dataclass
class Module:
    """One module.

    Attributes:
        path: Below the root of the project.
        name: As others import it.
        imports: (line, name) of each module of the project that it imports, wherever it does.
        private: (line, "module._name") of each private name that it takes from another module.
    """

    path: Path
    name: str
    imports: list = dataclasses.field(default_factory=list)
    private: list = dataclasses.field(default_factory=list)


def read_project(root, tops, script_folders=()):
    """Read all modules below `tops`, folders and files of `root`.

    Args:
        root: Folder of the project.
        tops: Names of packages, folders and modules in it.
        script_folders: Those of `tops` whose modules import each other by their bare names.

    Returns:
        dict: Name of a module -> Module.
    """
    paths = [path for top in tops for path in sorted((root / top).rglob("*.py"))]
    paths += [root / f"{top}.py" for top in tops if (root / f"{top}.py").is_file()]
    modules = {}
    for path in paths:
        parts = path.relative_to(root).with_suffix("").parts
        parts = parts[1:] if parts[0] in script_folders else parts
        name = ".".join(parts).removesuffix(".__init__")
        modules[name] = Module(path.relative_to(root), name)
    for module in modules.values():
        tree = ast.parse((root / module.path).read_text(encoding="utf-8"))
        _Reader(module, modules).visit(tree)
    return modules


class _Reader(ast.NodeVisitor):
    """Fills in what one module imports; programs in its strings are read as parts of it."""

    def __init__(self, module, modules):
        self._module, self._modules = module, modules
        self._bound = {}  # local name -> what of the project it stands for
        self._first_line = 1

    def visit_Import(self, node):
        for alias in node.names:
            self._import(node, alias.name)
            first = alias.name.split(".")[0]
            self._bind(alias.asname or first, alias.name if alias.asname else first)

    def visit_ImportFrom(self, node):
        base = self._absolute(node)
        for alias in node.names:
            target = f"{base}.{alias.name}"
            if target in self._modules:
                self._import(node, target)
            else:
                self._import(node, base)
                if base in self._modules:
                    self._reach(node, base, alias.name)
            self._bind(alias.asname or alias.name, target)

    def visit_Call(self, node):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in ("import_module", "__import__") and node.args:
            self._import(node, _text(node.args[0]))
        # getattr(module, "_name"), monkeypatch.setattr(module, "_name", value) and their like.
        for argument, attribute in zip(node.args, node.args[1:]):
            if owner := self._owner(argument):
                self._reach(node, owner, _text(attribute))
        self.generic_visit(node)

    def visit_Attribute(self, node):
        if owner := self._owner(node.value):
            self._reach(node, owner, node.attr)
        self.generic_visit(node)

    def visit_Constant(self, node):
        text = _text(node)
        if "import " in text:
            with contextlib.suppress(SyntaxError):
                tree = ast.parse(textwrap.dedent(text))
                outer, self._first_line = self._first_line, self._first_line + node.lineno - 1
                self.visit(tree)
                self._first_line = outer

    def _absolute(self, node):
        """The module that a `from` names, also where it begins with dots."""
        if not node.level:
            return node.module
        is_package = self._module.path.name == "__init__.py"
        parts = self._module.name.split(".")
        parts = parts[: len(parts) - node.level + is_package]
        return ".".join([*parts, *filter(None, [node.module])])

    def _bind(self, name, target):
        if target.split(".")[0] in {known.split(".")[0] for known in self._modules}:
            self._bound[name] = target

    def _owner(self, node):
        """What of the project an expression stands for, or None: a module, or what is in one."""
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self._bound:
            return None
        return ".".join([self._bound[node.id], *reversed(parts)])

    def _import(self, node, name):
        if name in self._modules and name != self._module.name:
            self._module.imports.append((self._line(node), name))
            package, _, last = name.rpartition(".")
            if not f"{self._module.name}.".startswith(f"{package}."):
                self._reach(node, package, last)

    def _reach(self, node, owner, name):
        # What belongs to something private was told with that.
        is_private = _is_private(name) and not any(map(_is_private, owner.split(".")))
        found = self._line(node), f"{owner}.{name}"
        if is_private and owner != self._module.name and found not in self._module.private:
            self._module.private.append(found)

    def _line(self, node):
        return self._first_line + node.lineno - 1


def _text(node):
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return node.value if is_text else ""


def _is_private(name):
    return name.startswith("_") and not name.endswith("__")


def find_circles(modules):
    """Return the circles of imports, each a list of names that begins with the smallest."""
    circles, done = set(), set()

    def walk(name, way):
        if name in way:
            circle = way[way.index(name) :]
            start = circle.index(min(circle))
            circles.add(tuple(circle[start:] + circle[:start]))
        elif name not in done:
            for _, imported in modules[name].imports:
                walk(imported, [*way, name])
            done.add(name)

    for name in modules:
        walk(name, [])
    return sorted(map(list, circles))
