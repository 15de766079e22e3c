"""What a file is that nobody reads, and what to do about it, in one line."""

from __future__ import annotations

from biometrics.stores.source import FileSource, FolderSource, Source

_UNPACK = "unpack it first"
_KNOWN = {
    "empty": "it is empty",
    "pgdmp": "it is a PostgreSQL dump in the custom form: make text of it with pg_restore -f -",
    "bzip2": f"it is packed with bzip2: {_UNPACK} (bunzip2)",
    "xz": f"it is packed with xz: {_UNPACK} (unxz)",
    "zstd": f"it is packed with zstd: {_UNPACK} (unzstd)",
    "7z": f"it is a 7z archive: {_UNPACK} (7z x)",
    "zip": f"it is a zip archive: {_UNPACK}",
    "hdf5": "it is an HDF5 file: write its templates to a .npy file first",
    "encrypted": "it is encrypted: decrypt it first",
    "sqlite": "it is a SQLite database without a table of templates",
    "sql": "it is an SQL dump without a table of templates",
    "csv": "it is a table as text without columns of templates",
    "text": "it is text without templates",
    "json": "it is JSON without templates",
    "jsonl": "it is JSON lines without templates",
    "pickle": "it is a pickle without templates",
    "folder": "nothing in it is a store of templates or a picture",
}
_TAR = 257


def why_unknown(source: Source) -> str:
    """One line on a source that nobody claims; holds nothing of its content."""
    told = _KNOWN.get(source.form, "its form is not known")
    if isinstance(source, FolderSource) and not source.files:
        told = "it is an empty folder"
    if isinstance(source, FileSource):
        if source.form == "zip" and b"data.pkl" in source.head[:512]:
            told = "it is a PyTorch file: save its tensors as safetensors first"
        elif source.head[_TAR : _TAR + 5] == b"ustar":
            told = f"it is a tar archive: {_UNPACK} (tar x)"
    return f"{source.name} holds no templates that can be read: {told}"
