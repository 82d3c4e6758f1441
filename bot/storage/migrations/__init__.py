"""The steps that lead from an empty file to the tables of today."""
