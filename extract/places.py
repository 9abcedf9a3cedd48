"""Places for files, local or on S3."""

from typing import Any

import fsspec


def writable(url: str) -> tuple[Any, str]:
    """Returns the file system and the path of a folder or `s3://bucket/prefix`, to write files below it.

    Missing local folders are created. S3 has none, and its client does not accept the option.
    """
    options = {} if url.startswith("s3://") else {"auto_mkdir": True}
    fs, path = fsspec.core.url_to_fs(url, **options)
    return fs, path
