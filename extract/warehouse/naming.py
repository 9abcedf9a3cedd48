"""The project's naming rule as dlt wants it: dlt's setting SCHEMA__NAMING names this module."""

from typing import ClassVar

from dlt.common.normalizers.naming.naming import NamingConvention as BaseNamingConvention

from extract.names import normalize


class NamingConvention(BaseNamingConvention):
    """Normalizes as `extract.names` does; dlt's own names, such as `_dlt_load_id`, stay as they are."""

    PATH_SEPARATOR: ClassVar[str] = "__"

    @property
    def is_case_sensitive(self) -> bool:
        """False: all names are lowercase."""
        return False

    def normalize_identifier(self, identifier: str) -> str:
        """Returns the identifier's name in the warehouse."""
        return self.shorten_identifier(normalize(identifier), identifier, self.max_length)
