"""The root folder is the package `posi`; its subpackages are whatever folder with an __init__.py is found."""

from setuptools import find_packages, setup

INSIDE = ["posi_core*", "posi_webui*", "nodes*", "trainer*"]

setup(packages=["posi", *(f"posi.{name}" for name in find_packages(".", include=INSIDE))])
