"""The steps that lead from an empty file to the tables of today."""

HEAD = "0005"
"""The newest of them: what a file of this version says of itself."""
