"""Lists, reads, writes and removes objects of a store: what the mirror of the artifacts needs beyond raw input.

Nothing is remembered between two calls. What does not belong here: what the objects hold (store.mirror).
"""

from dataclasses import dataclass

from engage_pipeline.locations.location import ObjectPath
from engage_pipeline.locations.object_stores import remove_folder


@dataclass(frozen=True, order=True)
class Listed:
    """An object of a listing: its key below the folder, size in bytes, modification time by the store's clock (ns)."""

    key: str
    bytes: int
    mtime_ns: int


def list_objects(folder: ObjectPath) -> list[Listed]:
    """Returns all objects below a folder, sorted by key; empty if there is no such folder. Raises UserError."""
    from pyarrow.fs import FileSelector

    with folder.asked() as (system, path):
        infos = system.get_file_info(FileSelector(path, recursive=True, allow_not_found=True))
        start = len(path.rstrip("/")) + 1
        return sorted(Listed(one.path[start:], one.size, one.mtime_ns or 0) for one in infos if one.is_file)


def list_names(folder: ObjectPath) -> set[str]:
    """Returns the names of the objects and folders in a folder, with those of emptied folders. Raises UserError."""
    from pyarrow.fs import FileSelector

    with folder.asked() as (system, path):
        infos = system.get_file_info(FileSelector(path, recursive=True, allow_not_found=True))
        start = len(path.rstrip("/")) + 1
        return {one.path[start:].partition("/")[0] for one in infos} - {""}


def read_object(path: ObjectPath) -> bytes:
    """Returns the content of an object. Raises UserError if it is not there, or the store can't be reached."""
    with path.open() as file:
        return file.read()


def write_object(path: ObjectPath, content: bytes) -> None:
    """Makes or replaces a small object: it appears whole, or not at all. Raises UserError."""
    with path.asked() as (system, key), system.open_output_stream(key, compression=None) as file:
        file.write(content)


def remove_object(path: ObjectPath) -> None:
    """Removes an object; one that is not there is no error. Raises UserError."""
    with path.asked() as (system, key):
        if system.get_file_info(key).is_file:
            system.delete_file(key)


def remove_all(path: ObjectPath) -> None:
    """Removes an object, or a folder with all that is in it; one that is not there is no error. Raises UserError.

    Where objects are removed one by one, pyarrow leaves an empty object in place of their folder.
    """
    from pyarrow.fs import FileType

    with path.asked() as (system, key):
        found = system.get_file_info(key)
        if found.is_file:
            system.delete_file(key)
        elif found.type == FileType.Directory:
            remove_folder(system, key)
