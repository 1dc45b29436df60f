"""Settings read from files, checked in full: unknown keys, types and bounds, all problems told at once."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from types import NoneType, UnionType
from typing import IO, Annotated, Any, Final, Literal, TypeAlias, TypeVar, Union, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Tag, ValidationError
from pydantic_core import PydanticUndefined

from crossguard.errors import ConfigError, shortened, suggest


class StrictModel(BaseModel):
    """A frozen record of settings; a key that it does not know is an error."""

    # Built when the first of a kind is read: most starts read few kinds.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


UNKNOWN: Final = "extra_forbidden"
"""What pydantic calls the error of a key that a model does not have."""

_SHOWN: Final = 200
"""Characters of a wrong value that an error repeats; it may be the text of a post."""
_DECIMAL_COMMA: Final = re.compile(r"-?\d+,\d+")
_USUAL_PORTS: Final = {"https": ":443", "http": ":80"}
_BOUNDS: Final = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
M = TypeVar("M", bound=StrictModel)
# A setting of several words, with commas between them in flags and variables.
Words: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_split)]


def setting(description: str, default: Any = PydanticUndefined, **bounds: Any) -> Any:
    """Returns a field of a table of settings: what it means, its default, and its bounds."""
    return Field(default, description=description, **bounds)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting in words, as a page or a terminal shows it."""

    name: str
    default: str  # as YAML
    allowed: str
    meaning: str

    @property
    def code(self) -> str:
        """The default as Markdown."""
        return f"`{self.default}`" if self.default else ""


def settings(model: type[StrictModel]) -> list[Setting]:
    """Returns the settings of a table, in its order."""
    schema = model.model_json_schema()["properties"]
    return [
        Setting(
            name,
            _yaml(field.get_default(call_default_factory=True)),
            ", ".join(_allowed(schema[name])),
            str(field.description),
        )
        for name, field in model.model_fields.items()
    ]


def parse(model: type[M], data: Mapping[str, Any], where: str) -> M:
    """Checks settings against their model; `where` names their source in an error, such as a file."""
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        raise refused(error, model, where) from None


def refused(error: ValidationError, model: type[Any], where: str) -> ConfigError:
    """Returns the error of settings that their model refuses, a pydantic model or a dataclass: all problems at once.

    What is in or below a field with `repr=False` is a secret and not repeated.
    """
    return ConfigError.gather(where, [_problem(model, dict(item)) for item in error.errors()])


def parse_yaml(content: str | bytes | IO[bytes], where: str) -> Any:
    """Returns the value that YAML holds, where it is bytes in UTF-8, or in UTF-16 with its mark.

    Raises:
        ConfigError: It is not YAML, or a mapping has a key twice, which PyYAML takes; begins with `where`.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_mapping_node(self, anchor: Any) -> Any:
            node = super().compose_mapping_node(anchor)
            lines: dict[str, int] = {}
            for key in (key for key, _ in node.value if key.id == "scalar"):
                line = key.start_mark.line + 1
                if key.value in lines:
                    told = f"the key '{key.value}' in line {lines[key.value]} and again in line {line}"
                    raise ConfigError(f"{where} has {told}; all but the last would be lost. Write them together.")
                lines[key.value] = line
            return node

    try:
        return yaml.load(content, Loader)  # noqa: S506 a safe one
    # The latter from values, such as a 13th month, and of brackets, thousands within one another.
    except (yaml.YAMLError, ValueError, LookupError, RecursionError) as error:
        raise ConfigError(f"{where} is not valid YAML: {error}") from None


def at_home(path: Path) -> Path:
    """Returns a path that begins with `~` as one in that user's home folder, where there is such a user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - pathlib raises where nobody has that name


def read_yaml(path: Path, *, quoted: bool = True) -> dict[str, Any]:
    """Reads a YAML file that holds one mapping.

    Args:
        path: The file; a `~` at its beginning is the home folder.
        quoted: Whether an error may repeat a line of it, which may hold a secret.

    Raises:
        ConfigError: The file is missing, is not YAML, holds something else, or has a key twice.
    """
    path = at_home(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.") from None
    data = parse_yaml(content if quoted else io.BytesIO(content), str(path))  # of a stream, PyYAML repeats nothing
    if not isinstance(data, dict):
        raise ConfigError(f"{path} must hold `key: value` lines, and holds {type(data).__name__}.")
    return data


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0):
        raise ValueError("must be an address that begins with https:// or http://")
    return value


def _origin(value: str) -> str:
    """Returns an address as browsers write it in `Origin`: in small letters, without the usual port of its scheme."""
    parts = urlsplit(value)
    if parts.path or parts.query or parts.fragment:
        raise ValueError("must have no path, as it needs a host name of its own")
    return value and f"{parts.scheme}://{parts.netloc.lower().removesuffix(_USUAL_PORTS[parts.scheme])}"


# The address of a service, or nothing where none was given; the second one has paths put behind it, and the third one
# is a server of ours as others call it, whose paths begin at the root.
WebAddress: TypeAlias = Annotated[str, AfterValidator(_web_address)]
BaseAddress: TypeAlias = Annotated[WebAddress, AfterValidator(lambda value: value.rstrip("/"))]
PublicAddress: TypeAlias = Annotated[BaseAddress, AfterValidator(_origin)]
# An address of IPv6 has brackets in URLs, and none where somebody listens.
Host: TypeAlias = Annotated[str, AfterValidator(lambda value: value.strip("[]"))]
# No shell expands a ~ in variables, in files of settings, or behind `--option=`.
FilePath: TypeAlias = Annotated[Path, AfterValidator(at_home)]
# A variable that is made of a file often has the end of its line.
Secret: TypeAlias = Annotated[str, AfterValidator(lambda value: value.rstrip("\r\n"))]


def read_nth(text: str, option: str) -> tuple[int, int]:
    """Reads `K/N`, with K from 0 to N - 1, the value of an option.

    Raises:
        ConfigError: It is something else.
    """
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise ConfigError(f"{option} takes K/N with K from 0 to N - 1, as in 0/5; this is '{text}'.")
    return int(index), int(count)


def check_count(value: object, name: str, *, least: int) -> None:
    """Checks that an argument is None or a whole number, which may be of NumPy.

    Raises:
        ConfigError: It is something else, or lower than `least`.
    """
    if value is not None and not (isinstance(value, Integral) and int(value) >= least):
        raise ConfigError(f"{name} is {value!r}; it must be a whole number of at least {least}, or None.")


def gather_settings(  # noqa: PLR0917
    model: type[M], prefix: str, flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None, where: str
) -> M:
    """Merges the sources of settings: flags win over the environment, the environment over the file.

    Names of variables begin with `prefix`; `where` names the settings in an error where there is no file.
    """
    secret = not all(field.repr for field in model.model_fields.values())
    found = read_yaml(file, quoted=not secret) if file is not None else {}
    variables = {name: prefix + name.upper() for name in model.model_fields}
    set_ = {name: variable for name, variable in variables.items() if variable in environment}
    found |= {name: environment[variable] for name, variable in set_.items()}
    found |= {name: value for name, value in flags.items() if value is not None}
    told = f", with the variables {', '.join(set_.values())}" if set_ else ""
    return parse(model, found, f"{file or where}{told}")


def unread_variables(
    environment: Mapping[str, str], prefix: str, names: Collection[str], others: Collection[str], command: str
) -> list[str]:
    """Returns a sentence for each variable that looks like one of a command's settings and is none.

    `names` are those of the settings; variables of `others` are read elsewhere.
    """
    known = {prefix + name.upper() for name in names}
    return [
        f"The variable {name} is not a setting of {command}.{suggest(name, known)}"
        for name in sorted(environment)
        if name.startswith(prefix) and name not in known and name not in others
    ]


def _problem(model: type[Any], item: dict[str, Any]) -> str:
    path, known = place_of(model, item)
    location = ".".join(path)
    if item["type"] == UNKNOWN:
        return f"Unknown key '{location}'.{suggest(path[-1], known) if known else ''}"
    if item["type"] == "missing":
        return f"Missing key '{location}'."
    told = item["msg"].removeprefix("Value error, ").removesuffix(".")
    if item["type"] == "tuple_type" and isinstance(item["input"], str):
        # An answer in UTF-8 cannot hold half of a surrogate pair.
        one = shortened(item["input"], _SHOWN).encode("utf-8", "backslashreplace").decode()
        told = f"is a list; write {location}=[{one}], or {location}: [{one}] in a file"
    if item["type"] == "float_parsing" and _DECIMAL_COMMA.fullmatch(str(item["input"])):
        told = f"must be a number with a decimal point; write {item['input'].replace(',', '.')}"
    if item["type"] == "invalid_key" and isinstance(item["input"], int):  # what {threshold: 0,6} is in YAML, too
        told = "is a number where a key belongs; in a number, write a decimal point, as in 0.6"
    # What breaks a rule of a whole mapping, the rule names; the mapping may be long.
    if not location:
        return f"{told}."
    hidden = _is_secret(model, path[0]) or isinstance(item["input"], Mapping | BaseModel)
    got = "" if hidden else f" (got {shortened(repr(item['input']), _SHOWN)})"
    return f"'{location}': {told}{got}."


def _is_secret(model: type[Any], name: str) -> bool:
    field = getattr(model, "model_fields", {}).get(name)
    return field is not None and not field.repr


def place_of(model: type[Any], problem: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Returns where an error of a nested model lies, by the keys that lead there, and the names of those allowed there.

    In the location of an error, pydantic also names which member of a union it read; nobody wrote that. An unknown key
    is the last of those that lead there, and the names are those beside it.
    """
    location, extra = problem["loc"], []
    if problem["type"] == UNKNOWN:
        *location, key = location
        extra = [str(key)]
    current: Any = model
    path: list[str] = []
    for part in location:
        first, *others = _members(current)
        if others:
            current = next((member for member in (first, *others) if part in _tags(member)), None)
        else:
            path.append(str(part))
            current = _below(first, part)
    first, *others = _members(current)
    return path + extra, [] if others else list(getattr(first, "model_fields", {}))


def _members(annotation: Any) -> list[Any]:
    """Returns the members of a union without None, or the one type that an annotation is."""
    if get_origin(annotation) is Annotated and not any(isinstance(each, Tag) for each in annotation.__metadata__):
        return _members(annotation.__origin__)
    if get_origin(annotation) not in {Union, UnionType}:
        return [annotation]
    found = [each for each in get_args(annotation) if each is not NoneType]
    return found if len(found) > 1 else _members(found[0])


def _tags(member: Any) -> set[Any]:
    """Returns what pydantic may call a member of a union: its tag, or the values that tell a model from the others."""
    if get_origin(member) is Annotated:
        return {each.tag for each in member.__metadata__ if isinstance(each, Tag)}
    kinds = [field.annotation for field in getattr(member, "model_fields", {}).values()]
    return {value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)}


def _below(annotation: Any, part: int | str) -> Any:
    """Returns the type of a field of a model, or that of what a list or a mapping holds."""
    field = getattr(annotation, "model_fields", {}).get(part)
    inner = annotation.__origin__ if get_origin(annotation) is Annotated else annotation
    return field.annotation if field else next((each for each in get_args(inner)[::-1] if each is not ...), None)


def _yaml(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(_yaml(part) for part in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_yaml(part)}' for key, part in value.items())}}}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _allowed(schema: Any) -> Iterator[str]:
    """Yields the choices and bounds in a JSON schema, those of its parts included."""
    if isinstance(schema, dict):
        yield from (f"{sign} {schema[key]:g}" for key, sign in _BOUNDS.items() if key in schema)
        if "enum" in schema:
            yield ", ".join(f"`{choice}`" for choice in schema["enum"])
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from _allowed(part)
