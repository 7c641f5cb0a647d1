"""Waits for the optimizers of torch in every Python that `dtui run` starts; it imports neither torch nor dtui before.

Python imports this module when it begins, since `dtui run` puts its folder first on PYTHONPATH. It may be any Python 3,
one without dtui too, so the text is plain. It gives way to another sitecustomize, as if it had not been there.
"""

import importlib.machinery
import importlib.util
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_WAITED_FOR = {
    "torch.optim.optimizer": "optimizers",
    "lightning.pytorch.trainer.trainer": "trainer",
    "pytorch_lightning.trainer.trainer": "trainer",
    "transformers.trainer": "trainer",
    "torch.utils.data.dataloader": "loaders",
}


class _Waiting:
    """A finder of modules that finds none itself, and has those that are waited for watched when they are there."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        """Return what the other finders find, told to call us after the module has been executed."""
        if name not in _WAITED_FOR:
            return None
        for finder in sys.meta_path:
            found = None if finder is cls else getattr(finder, "find_spec", lambda *_: None)(name, path, target)
            if found is not None:
                _follow(found, _WAITED_FOR[name])
                return found
        return None


def _follow(spec, what):
    try:
        original = spec.loader.exec_module

        def exec_module(module):
            original(module)
            _quietly(_WATCHES[what], module)

        spec.loader.exec_module = exec_module
    except AttributeError:
        pass  # a loader that takes no attributes: it is not watched, and loads as ever


def _watch_optimizers(module):
    """Have dtui told of each optimizer once it is made."""
    import functools

    original = module.Optimizer.__init__
    _mark("torch")

    @functools.wraps(original)
    def __init__(self, *args, **kwargs):  # noqa: N807
        original(self, *args, **kwargs)
        _quietly(_tell, "optimizer_made", self)

    module.Optimizer.__init__ = __init__


def _watch_trainer(module):
    """Have dtui told of a training before it begins."""
    import functools

    kind = module.Trainer
    name = "train" if module.__name__.startswith("transformers") else "fit"
    original = getattr(kind, name)

    @functools.wraps(original)
    def begin(self, *args, **kwargs):
        _quietly(_tell, "training_begins", self, name)
        return original(self, *args, **kwargs)

    setattr(kind, name, begin)


def _watch_loaders(module):
    """Have dtui told when the first loader is iterated, if samples are to be kept: that may be before any optimizer."""
    import functools

    original = module.DataLoader.__iter__

    told = []

    @functools.wraps(original)
    def iterate(loader):
        if told:
            return original(loader)
        told.append(True)
        is_on_top = module.DataLoader.__iter__ is iterate
        _quietly(_tell_of_loaders)
        return (module.DataLoader.__iter__ if is_on_top else original)(loader)

    module.DataLoader.__iter__ = iterate


def _tell_of_loaders():
    if _settings().get("options", {}).get("batches"):
        _tell("loader_iterated")


_WATCHES = {"optimizers": _watch_optimizers, "trainer": _watch_trainer, "loaders": _watch_loaders}


def _tell(name, *arguments):
    if "torch" in sys.modules:
        from dtui.record.launch import session

        getattr(session, name)(*arguments)


_failed = []


def _quietly(function, *arguments):
    """Call a function; what goes wrong in it is one line on standard error, once, and never the training's trouble."""
    if _failed:
        return
    try:
        function(*arguments)
    except Exception as error:  # noqa: BLE001 - the boundary between dtui and somebody's training
        _failed.append(error)
        lines = str(error).splitlines() or [""]
        why = f"{type(error).__name__}: {lines[0]}"
        if isinstance(error, ImportError) and error.name == "dtui":
            why = f"dtui is not installed in {sys.executable}; install it there with its extra [record]"
        _note(why)
        if sys.stderr is not None:
            sys.stderr.write(f"dtui: run: nothing is recorded: {why}\n")


def _settings():
    import json

    return json.loads(os.environ["DTUI_RUN"])


def _folder():
    return _settings()["folder"]


def _mark(name):
    try:
        with open(os.path.join(_folder(), name), "a"):
            pass
    except (OSError, ValueError, LookupError, TypeError):
        pass


def _note(problem):
    import json

    try:
        with open(os.path.join(_folder(), "notes.jsonl"), "a") as file:
            file.write(json.dumps({"problem": problem}) + "\n")
    except (OSError, ValueError, LookupError, TypeError):
        pass


def _give_way():
    """Take our folder off the path, and execute the sitecustomize that Python would have found without it."""
    sys.path[:] = [place for place in sys.path if os.path.abspath(place) != _HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if "DTUI_RUN" in os.environ:
    _mark("python")
    sys.meta_path.insert(0, _Waiting)
_give_way()
