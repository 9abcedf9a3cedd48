"""The declared sources, as the infrastructure needs them: the variable `sources` of `infra/`, and their secrets."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from deploy.errors import DeployError
from extract.declarations import Source, read_declarations
from extract.errors import ExtractError
from extract.settings import settings_of


def declared_sources(project: Path | None = None) -> tuple[Source, ...]:
    """Returns the declared sources, by default of the project in DBT_PROJECT_DIR or the current folder.

    Raises:
        DeployError: the declarations are wrong; the text names all problems.
    """
    try:
        return read_declarations(project).sources
    except ExtractError as error:
        raise DeployError(str(error)) from error


def describe(sources: Iterable[Source]) -> dict[str, dict[str, Any]]:
    """Returns the value of the variable `sources`: by name, the kind of each source and which settings it has."""
    return {source.name: describe_source(source) for source in sources}


def describe_source(source: Source) -> dict[str, Any]:
    """Returns the entry of one source."""
    known = settings_of(source)
    ports = [int(setting.default) for setting in known if setting.name == "PORT" and setting.default]
    return {
        "kind": source.kind,
        "prefix": source.settings,
        "port": ports[0] if ports else None,  # by default
        "settings": {one.name: {"required": one.default is None, "secret": one.secret} for one in known},
    }


def setting_names(sources: Iterable[Source]) -> frozenset[str]:
    """Returns the names of all settings of the sources, as the environment has them."""
    return frozenset(f"{source.settings}_{known.name}" for source in sources for known in settings_of(source))


def read_secrets(sources: Iterable[Source], environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the secrets of the sources that the environment has, by their names."""
    names = (f"{source.settings}_{known.name}" for source in sources for known in settings_of(source) if known.secret)
    return {name: environment[name] for name in names if environment.get(name)}


def terraform_text(values: Mapping[str, Any]) -> str:
    """Returns a map as Terraform reads it from a variable of the environment, where ${ and %{ start an expression."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return text.replace("${", "$${").replace("%{", "%%{")
